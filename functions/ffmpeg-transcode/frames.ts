import type { MediaInfo } from '../../shared/plan.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import type { Packets, Track } from './packets.ts'
import { MAX_LEAD_US } from './segment-grid.ts'
import {
  audioInfo,
  type ChosenStreams,
  ratio,
  SOURCE_LIMITS,
  type SourceLimits,
  type SourceProbe,
  videoInfo,
} from './source.ts'

/** Codecs of which every packet is exactly one shown frame, as long as its time is known. */
const ONE_FRAME_PACKETS = ['h264', 'hevc', 'av1', 'vp9', 'mpeg4', 'mjpeg', 'prores', 'dnxhd', 'mpeg2video']

/** Whether the packets alone say which frames will be shown; otherwise only decoding does. */
export function packetsTellFrames(chosen: ChosenStreams, packets: Packets): boolean {
  const { video } = chosen
  const { track } = packets
  const shown = track.times.filter((_, index) => !track.discarded[index])
  const { has_b_frames: delay = 0 } = video
  return (
    ONE_FRAME_PACKETS.includes(video.codec_name ?? '') &&
    videoInfo(video, 0, 0, 0).progressive &&
    shown.every(Number.isFinite) &&
    hasDistinctTimes(track) &&
    // A stream that announces reordering and has none may have been given the wrong times.
    (delay === 0 || isReordered(track)) &&
    !leadsBeforeFirstKey(track) &&
    packets.corrupt === 0
  )
}

/** Puts together what is known, or says that the file is cut off or empty. */
export function describeSource(
  chosen: ChosenStreams,
  packets: Packets,
  seenTicks: readonly number[] | undefined,
  limits: SourceLimits = SOURCE_LIMITS,
): SourceProbe {
  const unit = ratio(chosen.video.time_base) * 1e6
  assertOneClock(packets.track, unit)
  const told = shownFrames(packets.track)
  const decodedTicks = seenTicks && saysTheSame(told.times, unit, seenTicks) ? undefined : seenTicks
  const frames = decodedTicks ? { times: inOrder(decodedTicks), bytes: [] } : told
  const framesUs = frames.times.map((time) => Math.round(time * (decodedTicks ? 1e6 / 90_000 : unit)))
  const first = framesUs[0]
  const last = framesUs.at(-1)
  if (first === undefined || last === undefined) {
    throw new TaskFailure('source_damaged', 'The file has a picture track, but not one frame of it can be decoded.')
  }
  const lastUs = lastLengthUs(framesUs, packets.track, unit, chosen)
  const endUs = last + lastUs
  assertComplete(chosen, packets, unit, lastUs)
  const sound = soundOf(chosen, packets)
  // What is over before the picture begins is never heard.
  const audio = sound && sound.endUs > first ? sound : undefined
  const durationUs = Math.max(endUs, audio?.endUs ?? 0) - first
  if (durationUs > limits.maxDurationMs * 1000) throw new TaskFailure('source_too_large')
  const info: MediaInfo = {
    container: chosen.container,
    durationMs: Math.round(durationUs / 1000),
    video: videoInfo(
      chosen.video,
      framesUs.length,
      frameRateOf(framesUs, ratio(chosen.video.avg_frame_rate)),
      Math.round((packets.track.bytes * 8e6) / Math.max(1, endUs - first)),
    ),
    audio: audio && chosen.audio ? audioInfo(chosen.audio) : null,
  }
  return {
    info,
    framesUs,
    frameBytes: frames.bytes,
    keysUs: keyTimes(packets.track).map((time) => Math.round(time * unit)),
    endUs,
    copyObstacle: copyObstacle(chosen, packets, decodedTicks !== undefined),
    audio,
  }
}

/** Frames by time; two with the same time would be one frame in the output, so they are one here. */
function sorted(times: readonly number[], bytes: readonly number[]): { times: number[]; bytes: number[] } {
  const order = times.map((_, index) => index).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0))
  const distinct = order.filter((at, index) => index === 0 || times[at] !== times[order[index - 1] ?? -1])
  return { times: distinct.map((at) => times[at] ?? 0), bytes: distinct.map((at) => bytes[at] ?? 0) }
}

/** Packets before the first key frame cannot be decoded; discarded ones are decoded and not shown. */
function shownFrames(track: Track) {
  const firstKey = track.key.indexOf(true)
  const kept = track.times.map((_, index) => index).filter((at) => at >= firstKey && !track.discarded[at])
  if (firstKey === -1) return { times: [], bytes: [] }
  return sorted(
    kept.map((at) => track.times[at] ?? 0),
    kept.map((at) => track.sizes[at] ?? 0),
  )
}

function keyTimes(track: Track): number[] {
  return track.times
    .filter((time, index) => track.key[index] && !track.discarded[index] && Number.isFinite(time))
    .sort((a, b) => a - b)
}

/** What the container says of the last packet, unless that is absurd and the rest of it does not bear it out. */
function lastLengthUs(framesUs: readonly number[], track: Track, unit: number, chosen: ChosenStreams): number {
  const declaredRate = ratio(chosen.video.avg_frame_rate)
  const latest = track.times.reduce((best, time, at) => (time > (track.times[best] ?? 0) ? at : best), 0)
  const own = (track.lengths[latest] ?? 0) * unit
  const before = (framesUs.at(-1) ?? 0) - (framesUs.at(-2) ?? framesUs.at(-1) ?? 0)
  const declared = declaredRate > 0 ? 1e6 / declaredRate : 40_000
  const promisedUs = chosen.promisedSeconds * 1e6
  if (own >= 1000 && own <= promisedUs) return Math.round(own)
  const usable = [own, before, declared].find((length) => length >= 1000 && length <= 10_000_000)
  return Math.round(usable ?? 40_000)
}

const COMMON_RATES = [24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60, 120]

/** Average rate by counting, which containers often get wrong; snapped to a common rate when that is what it is. */
function frameRateOf(framesUs: readonly number[], declared: number): number {
  const span = (framesUs.at(-1) ?? 0) - (framesUs[0] ?? 0)
  const counted = span > 0 ? ((framesUs.length - 1) * 1e6) / span : declared || 25
  const common = COMMON_RATES.find((rate) => Math.abs(rate / counted - 1) < 0.0004)
  return Math.round((common ?? counted) * 1000) / 1000
}

function soundOf(chosen: ChosenStreams, packets: Packets): { startUs: number; endUs: number } | undefined {
  const { sound } = packets
  if (!chosen.audio || sound.count === 0) return undefined
  const unit = ratio(chosen.audio.time_base) * 1e6
  return { startUs: Math.round(sound.first * unit), endUs: Math.round(sound.end * unit) }
}

/** A container that promises more picture than its packets hold was cut off. */
function assertComplete(chosen: ChosenStreams, packets: Packets, unit: number, lastUs: number): void {
  const { track } = packets
  const times = track.times.filter(Number.isFinite)
  const start = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const end = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  // Matroska promises where the picture ends, the others how long it is.
  const from = chosen.container === 'matroska' ? 0 : Math.min(start, chosen.video.start_pts ?? start)
  const heldSeconds = (unit * (end - from) + lastUs) / 1e6
  const slack = Math.max(1, chosen.promisedSeconds * 0.02)
  const promisedFrames = Number(chosen.video.nb_frames ?? 0)
  const fewer = promisedFrames > 0 && track.times.length < promisedFrames && packets.endsEarly
  if (fewer || (Number.isFinite(heldSeconds) && heldSeconds + slack < chosen.promisedSeconds)) {
    throw new TaskFailure('source_truncated')
  }
}

/** Why the packets cannot be cut into independent segments as they are. */
function copyObstacle(chosen: ChosenStreams, packets: Packets, decoded: boolean): string | undefined {
  const { track } = packets
  const leadUs = ((track.times[0] ?? 0) - track.earliest) * ratio(chosen.video.time_base) * 1e6
  if (packets.corrupt > 0) return 'parts of it are damaged'
  if (decoded) return 'its packets do not say which frames are shown'
  if (chosen.videoStreams > 1) return 'it has more than one picture track'
  if (track.key[0] !== true) return 'it does not begin with a key frame'
  if (track.discarded.includes(true)) return 'an edit list hides some of its frames'
  if (hasOpenGop(track)) return 'frames shown before a key frame depend on it'
  if (!hasDistinctTimes(track)) return 'two of its frames have the same time'
  if (leadUs > MAX_LEAD_US) return 'its first frame is decoded long before it is shown'
  return undefined
}

/** What the packets of H.264 hold: pictures that stand alone, and the parameter sets that a copy puts before each. */
export interface KeyPictures {
  readonly count: number
  /** The reader complained. */
  readonly damaged: boolean
  /** One text for each picture, the same for the same sets. */
  readonly parameters: readonly string[]
}

/**
 * Why segments cannot begin at the packets that are marked as key frames; `undefined` when they can. Containers also mark
 * pictures that only become whole after some time (recovery points) or that later ones reach across (open GOPs).
 */
export function keyPictureObstacle(track: Track, { count, damaged, parameters }: KeyPictures): string | undefined {
  const marked = track.key.filter(Boolean).length
  if (damaged) return 'parts of it are damaged'
  if (count !== marked) return 'not all of its key frames stand alone'
  if (parameters.length !== count) return 'its key frames do not come with their parameters'
  if (new Set(parameters).size > 1) return 'its parameters change along the way'
  return undefined
}

function leadsBeforeFirstKey(track: Track): boolean {
  const firstKey = track.key.indexOf(true)
  const start = track.times[firstKey] ?? 0
  return track.times.some((time, at) => at > firstKey && time < start && !track.discarded[at])
}

/** A frame decoded after a key frame but shown before it. */
function hasOpenGop(track: Track): boolean {
  let keyTime = Number.NEGATIVE_INFINITY
  for (const [at, time] of track.times.entries()) {
    if (time < keyTime) return true
    if (track.key[at]) keyTime = time
  }
  return false
}

function isReordered(track: Track): boolean {
  return track.times.some((time, at) => time < (track.times[at - 1] ?? Number.NEGATIVE_INFINITY))
}

/** Whether decoding showed exactly the frames that the packets tell of, but for rounding. */
function saysTheSame(times: readonly number[], unit: number, ticks: readonly number[]): boolean {
  const perUnit = (unit * 90_000) / 1e6
  return times.length === ticks.length && times.every((time, at) => Math.abs(time * perUnit - (ticks[at] ?? 0)) <= 1)
}

/** Frames as they were decoded; a filter graph that is rebuilt forgets which time was the latest. */
function inOrder(ticks: readonly number[]): number[] {
  const at = ticks.findIndex((tick, index) => index > 0 && tick <= (ticks[index - 1] ?? 0))
  if (at === -1) return [...ticks]
  throw new TaskFailure('unsupported_source', 'The picture changes its size, and its clock goes back at that point.')
}

/** How far decoding times may go back, as they do after a lost packet or a bad splice. */
const MAX_SETBACK_US = 500_000

/** Files that were strung together without new times: most of the later ones would never be shown. */
function assertOneClock({ latest, setback }: Track, unit: number): void {
  if (!Number.isFinite(latest) || setback * unit <= MAX_SETBACK_US) return
  const seconds = ((setback * unit) / 1e6).toFixed(1)
  throw new TaskFailure(
    'unsupported_source',
    `The clock of the file goes back by ${seconds} s; it was probably strung together from several files.`,
  )
}

function hasDistinctTimes(track: Track): boolean {
  return new Set(track.times).size === track.times.length
}
