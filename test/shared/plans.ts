import type { MediaInfo, Plan, PlannedRendition } from '../../shared/plan.ts'

/** A small plan as planning would make it: two video renditions and sound, `count` segments of 4 s. */
export function smallPlan(count = 3, planId = 'plan1'): Plan {
  const durationsUs = Array.from({ length: count }, () => 4_000_000)
  const boundariesUs = Array.from({ length: count + 1 }, (_, index) => index * 4_000_000)
  const video = (name: string, height: number): PlannedRendition => ({
    name,
    kind: 'video',
    width: Math.round((height * 16) / 9 / 2) * 2,
    height,
    frameRate: 30,
    codecs: 'avc1.64001f',
    maxBandwidth: height * 4000,
    encoder: {
      codec: 'h264',
      preset: 'veryfast',
      crf: 23,
      maxrateKbps: height * 3,
      bufsizeKbps: height * 6,
      profile: 'high',
      level: 31,
      threads: 1,
    },
    durationsUs,
  })
  return {
    planId,
    engine: 'ffmpeg',
    reason: 'the source is not H.264',
    container: 'ts',
    originUs: 0,
    targetDuration: 4,
    video: {
      boundariesUs,
      frames: durationsUs.map(() => 120),
      cutsUs: boundariesUs.slice(1, -1).map((boundary) => boundary - 16_667),
    },
    audio: { boundariesUs, endUs: count * 4_000_000 },
    renditions: [
      video('720p', 720),
      video('360p', 360),
      {
        name: 'audio',
        kind: 'audio',
        width: 0,
        height: 0,
        frameRate: 0,
        codecs: 'mp4a.40.2',
        maxBandwidth: 150_000,
        encoder: { codec: 'aac', bitrateKbps: 128 },
        durationsUs,
      },
    ],
    tasks: [
      { taskId: 'audio', kind: 'audio', renditions: ['audio'], firstSegment: 0, segmentCount: count },
      { taskId: 'v0', kind: 'video', renditions: ['720p', '360p'], firstSegment: 0, segmentCount: count },
    ],
  }
}

/** What probing would have found of its source. */
export const SMALL_INFO: MediaInfo = {
  container: 'mov',
  durationMs: 12_000,
  video: {
    codec: 'hevc',
    profile: 'Main',
    level: 93,
    pixelFormat: 'yuv420p',
    bitDepth: 8,
    codedWidth: 1280,
    codedHeight: 720,
    width: 1280,
    height: 720,
    rotation: 0,
    squarePixels: true,
    progressive: true,
    hdr: false,
    frameRate: 30,
    frames: 360,
    bitRate: 1_000_000,
  },
  audio: null,
}
