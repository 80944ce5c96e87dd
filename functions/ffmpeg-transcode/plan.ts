import type { Plan, PlannedRendition, PlannedTask } from '../../shared/plan.ts'
import { chooseEngine } from './engine.ts'
import { avcCodec, ladder, type Rung, videoEncoder } from './ladder.ts'
import {
  type AudioGrid,
  audioGrid,
  copyGrid,
  encodeGrid,
  lengths,
  MAX_LEAD_US,
  SEGMENT_US,
  type VideoGrid,
} from './segment-grid.ts'
import type { SourceProbe } from './source.ts'

export interface PlanOptions {
  /** x264 threads; another number gives other pictures, so it is part of the plan. */
  readonly threads: number
}

const AUDIO_KBPS = 128

/** Everything that is decided about a video before any of it is made; the id is a hash of the rest. */
export function makePlan(probe: SourceProbe, options: PlanOptions): Omit<Plan, 'planId'> {
  const originUs = probe.framesUs[0] ?? 0
  const relative = (times: readonly number[]) => times.map((time) => time - originUs)
  const framesUs = relative(probe.framesUs)
  const endUs = probe.endUs - originUs
  const { engine, reason } = chooseEngine(probe)
  const video = engine === 'copy' ? copyGrid(framesUs, relative(probe.keysUs), endUs) : encodeGrid(framesUs, endUs)
  const audio = probe.audio ? audioGrid(video.boundariesUs, probe.audio.endUs - originUs) : null
  const rungs = ladder(probe.info.video.width, probe.info.video.height)
  const renditions = [
    ...rungs.map((rung, at) =>
      engine === 'copy' && at === 0
        ? copiedRendition(probe, rung, video)
        : encodedRendition(probe, rung, video, options.threads),
    ),
    ...(audio ? [audioRendition(audio)] : []),
  ]
  const longestUs = renditions.flatMap((one) => one.durationsUs).reduce((a, b) => Math.max(a, b), 0)
  return {
    engine,
    reason,
    container: 'ts',
    originUs,
    // RFC 8216, 4.3.3.1: no longer than this once rounded to whole seconds.
    targetDuration: Math.max(1, Math.round(longestUs / 1e6)),
    video,
    audio,
    renditions,
    tasks: plannedTasks(renditions),
  }
}

function encodedRendition(probe: SourceProbe, rung: Rung, grid: VideoGrid, threads: number): PlannedRendition {
  const { frameRate } = probe.info.video
  const encoder = { ...videoEncoder(rung, frameRate, threads), ...frameOrder(probe.framesUs) }
  // Over one segment a buffer that starts nine tenths full may add itself to the rate (x264's vbv-init).
  const peakKbps = encoder.maxrateKbps + (0.9 * encoder.bufsizeKbps * 1e6) / SEGMENT_US
  return {
    ...rung,
    kind: 'video',
    frameRate,
    codecs: avcCodec(encoder.profile, encoder.level),
    maxBandwidth: inTransportStream(peakKbps * 1000, frameRate),
    encoder,
    durationsUs: lengths(grid.boundariesUs),
  }
}

/** x264 begins to decode two frames before it begins to show: too early where the first frames stand for long. */
function frameOrder(framesUs: readonly number[]): { bFrames?: 0 } {
  const leadUs = (framesUs[2] ?? framesUs.at(-1) ?? 0) - (framesUs[0] ?? 0)
  return leadUs > MAX_LEAD_US ? { bFrames: 0 } : {}
}

function copiedRendition(probe: SourceProbe, rung: Rung, grid: VideoGrid): PlannedRendition {
  const { video } = probe.info
  const durationsUs = lengths(grid.boundariesUs)
  return {
    ...rung,
    kind: 'video',
    frameRate: video.frameRate,
    codecs: avcCodec(video.profile, video.level),
    maxBandwidth: inTransportStream(peakBitRate(probe.frameBytes, grid.frames, durationsUs), video.frameRate),
    encoder: null,
    durationsUs,
  }
}

function peakBitRate(bytes: readonly number[], frames: readonly number[], durationsUs: readonly number[]): number {
  let peak = 0
  let at = 0
  for (const [segment, count] of frames.entries()) {
    const sum = bytes.slice(at, at + count).reduce((total, size) => total + size, 0)
    peak = Math.max(peak, (sum * 8e6) / (durationsUs[segment] || 1))
    at += count
  }
  return peak
}

function audioRendition(grid: AudioGrid): PlannedRendition {
  return {
    name: 'audio',
    kind: 'audio',
    width: 0,
    height: 0,
    frameRate: 0,
    codecs: 'mp4a.40.2',
    maxBandwidth: inTransportStream(AUDIO_KBPS * 1100, 47),
    encoder: { codec: 'aac', bitrateKbps: AUDIO_KBPS },
    durationsUs: lengths(grid.boundariesUs),
  }
}

/** Adds packet headers, half a packet and a PES header a frame, and the tables that are repeated ten times a second. */
function inTransportStream(bitRate: number, unitsPerSecond: number): number {
  return Math.ceil((bitRate * 188) / 184 + unitsPerSecond * (94 + 26) * 8 + 10 * 3 * 188 * 8)
}

/** Sound first; one task for the copied rung, one for all encoded ones. */
function plannedTasks(renditions: readonly PlannedRendition[]): PlannedTask[] {
  const video = renditions.filter((one) => one.kind === 'video')
  const groups = [
    { taskId: 'audio', kind: 'audio', members: renditions.filter((one) => one.kind === 'audio') },
    { taskId: 'copy', kind: 'copy', members: video.filter((one) => one.encoder === null) },
    { taskId: 'v0', kind: 'video', members: video.filter((one) => one.encoder !== null) },
  ] as const
  return groups.flatMap(({ taskId, kind, members }) => {
    const segmentCount = members[0]?.durationsUs.length ?? 0
    if (segmentCount === 0) return []
    return [{ taskId, kind, renditions: members.map((one) => one.name), firstSegment: 0, segmentCount }]
  })
}
