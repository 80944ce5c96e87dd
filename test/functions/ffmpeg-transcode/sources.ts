import type { SourceProbe } from '../../../functions/ffmpeg-transcode/source.ts'
import type { VideoInfo } from '../../../shared/plan.ts'

const VIDEO: VideoInfo = {
  codec: 'h264',
  profile: 'High',
  level: 31,
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
  frameRate: 25,
  frames: 0,
  bitRate: 2_000_000,
}

/** A source of 25 frames a second with a key frame every so many frames, which can be copied unless told otherwise. */
export function sourceOf(
  options: {
    readonly frames?: number
    readonly keyEvery?: number
    readonly startUs?: number
    readonly video?: Partial<VideoInfo>
    readonly sound?: { readonly startUs: number; readonly endUs: number } | undefined
    readonly copyObstacle?: string
  } = {},
): SourceProbe {
  const { frames = 250, keyEvery = 50, startUs = 0, copyObstacle } = options
  const framesUs = Array.from({ length: frames }, (_, at) => startUs + at * 40_000)
  const endUs = startUs + frames * 40_000
  const sound = 'sound' in options ? options.sound : { startUs, endUs }
  return {
    info: {
      container: 'mov',
      durationMs: (endUs - startUs) / 1000,
      video: { ...VIDEO, frames, ...options.video },
      audio: sound ? { codec: 'aac', profile: 'LC', channels: 2, sampleRate: 48_000, bitRate: 128_000 } : null,
    },
    framesUs,
    frameBytes: framesUs.map(() => 10_000),
    keysUs: framesUs.filter((_, at) => at % keyEvery === 0),
    endUs,
    copyObstacle,
    audio: sound,
  }
}
