import type { MediaInfo } from '../../shared/plan.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import type { Packets, Track } from './packets.ts'
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
  return (
    ONE_FRAME_PACKETS.includes(video.codec_name ?? '') &&
    videoInfo(video, 0, 0, 0).progressive &&
    shown.every(Number.isFinite) &&
    !leadsBeforeFirstKey(track) &&
    packets.corrupt === 0
  )
}

/** Puts together what is known, or says that the file is cut off or empty. */
export function describeSource(
  chosen: ChosenStreams,
  packets: Packets,
  decodedTicks: readonly number[] | undefined,
  limits: SourceLimits = SOURCE_LIMITS,
): SourceProbe {
  const unit = ratio(chosen.video.time_base) * 1e6
  const frames = decodedTicks ? { times: [...decodedTicks], bytes: [] } : shownFrames(packets.track)
  const framesUs = frames.times.map((time) => Math.round(time * (decodedTicks ? 1e6 / 90_000 : unit)))
  const first = framesUs[0]
  const last = framesUs.at(-1)
  if (first === undefined || last === undefined) {
    throw new TaskFailure('source_damaged', 'The file has a picture track, but not one frame of it can be decoded.')
  }
  const endUs = last + lastLengthUs(framesUs, packets.track, unit, ratio(chosen.video.avg_frame_rate))
  assertComplete(chosen, packets, unit)
  const audio = soundOf(chosen, packets)
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

function lastLengthUs(framesUs: readonly number[], track: Track, unit: number, declaredRate: number): number {
  const latest = track.times.reduce((best, time, at) => (time > (track.times[best] ?? 0) ? at : best), 0)
  const own = (track.lengths[latest] ?? 0) * unit
  const before = (framesUs.at(-1) ?? 0) - (framesUs.at(-2) ?? framesUs.at(-1) ?? 0)
  const declared = declaredRate > 0 ? 1e6 / declaredRate : 40_000
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
function assertComplete(chosen: ChosenStreams, packets: Packets, unit: number): void {
  const { track } = packets
  const times = track.times.filter(Number.isFinite)
  const start = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const end = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  // Matroska promises where the picture ends, the others how long it is.
  const from = chosen.container === 'matroska' ? 0 : Math.min(start, chosen.video.start_pts ?? start)
  const heldSeconds = (unit * (end - from)) / 1e6
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
  if (decoded) return 'its packets do not say which frames are shown'
  if (chosen.videoStreams > 1) return 'it has more than one picture track'
  if (track.key[0] !== true) return 'it does not begin with a key frame'
  if (track.discarded.includes(true)) return 'an edit list hides some of its frames'
  if (hasOpenGop(track)) return 'frames shown before a key frame depend on it'
  if (!hasDistinctTimes(track)) return 'two of its frames have the same time'
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

function hasDistinctTimes(track: Track): boolean {
  return new Set(track.times).size === track.times.length
}
