import type { EngineName } from '../../shared/plan.ts'
import { maxRateKbps } from './ladder.ts'
import { SEGMENT_US } from './segment-grid.ts'
import type { SourceProbe } from './source.ts'

const COPY_PROFILES = ['constrained baseline', 'baseline', 'main', 'high']
const MAX_LEVEL = 42
const MAX_KEY_GAP_US = 2 * SEGMENT_US
const MAX_SIDE = 1080

export interface EngineChoice {
  readonly engine: EngineName
  /** Why, as a sentence for the owner. */
  readonly reason: string
}

/** Copies the source's packets when every player can take them as they are; otherwise encodes, and says why. */
export function chooseEngine(probe: SourceProbe): EngineChoice {
  const { video } = probe.info
  const obstacle = pictureObstacle(probe) ?? probe.copyObstacle ?? keyGapObstacle(probe)
  if (obstacle !== undefined) return { engine: 'ffmpeg', reason: `Encoded, because ${obstacle}.` }
  const rate = Math.round(video.bitRate / 1000)
  const reason = `The top quality is the source itself: H.264 ${video.profile} at ${rate} kbit/s plays everywhere.`
  return { engine: 'copy', reason }
}

function pictureObstacle({ info }: SourceProbe): string | undefined {
  const { video } = info
  const cap = maxRateKbps(video.width, video.height, video.frameRate)
  const rules: readonly (readonly [holds: boolean, otherwise: string])[] = [
    [video.codec === 'h264', `the picture is ${video.codec.toUpperCase()} and not H.264`],
    [
      video.pixelFormat === 'yuv420p',
      `the picture is stored as ${video.pixelFormat || 'something unknown'}, which few players can show`,
    ],
    [COPY_PROFILES.includes(video.profile.toLowerCase()), `its H.264 profile (${video.profile}) is unusual`],
    [video.level > 0 && video.level <= MAX_LEVEL, `its H.264 level (${video.level / 10}) is too high for many players`],
    [!video.hdr, 'the picture is HDR'],
    [video.rotation === 0, 'the picture has to be turned upright'],
    [video.squarePixels, 'its pixels are not square'],
    [video.progressive, 'the picture is interlaced'],
    [video.codedWidth % 2 === 0 && video.codedHeight % 2 === 0, 'its size is odd'],
    [Math.min(video.width, video.height) <= MAX_SIDE, 'the picture is larger than 1080p'],
    [video.bitRate <= cap * 1000, `it has ${Math.round(video.bitRate / 1000)} kbit/s, more than ${cap} for its size`],
  ]
  return rules.find(([holds]) => !holds)?.[1]
}

function keyGapObstacle(probe: SourceProbe): string | undefined {
  const stops = [...probe.keysUs, probe.endUs]
  const widest = stops.slice(1).reduce((most, stop, at) => Math.max(most, stop - (stops[at] ?? stop)), 0)
  if (widest <= MAX_KEY_GAP_US) return undefined
  return `its key frames are up to ${(widest / 1e6).toFixed(1)} s apart`
}
