import type { VideoEncoder } from '../../shared/plan.ts'

/** Size and name of one rung before it has an encoder. */
export interface Rung {
  readonly name: string
  readonly width: number
  readonly height: number
}

const STANDARD_SIDES = [1080, 720, 480, 360, 240]
const MAX_SIDE = 1080
const MAX_RUNGS = 4
/** A rung closer to the one above it than this is not worth its encoding. */
const STEP = 0.85

/**
 * The sizes to make of a picture as it is shown, by its short side: the source's own size (at most 1080), then the
 * standard ones below it. Never larger than the source, always even.
 */
export function ladder(width: number, height: number): Rung[] {
  const short = Math.min(width, height)
  const top = Math.min(evenBelow(short), MAX_SIDE)
  const lower = STANDARD_SIDES.filter((side) => side <= STEP * top)
  return [top, ...lower].slice(0, MAX_RUNGS).map((side) => rung(width, height, side))
}

function rung(width: number, height: number, side: number): Rung {
  const scale = side / Math.min(width, height)
  const fitted = (pixels: number) => Math.min(Math.max(2, 2 * Math.round((pixels * scale) / 2)), evenBelow(pixels))
  const size = width < height ? { width: side, height: fitted(height) } : { width: fitted(width), height: side }
  return { name: `${side}p`, ...size }
}

function evenBelow(pixels: number): number {
  return Math.max(2, 2 * Math.floor(pixels / 2))
}

/** Highest average kbit/s at 30 frames a second and 16:9, by short side. */
const RATES: readonly (readonly [side: number, kbps: number])[] = [
  [0, 100],
  [144, 200],
  [240, 400],
  [360, 800],
  [480, 1400],
  [720, 2800],
  [1080, 5000],
]

/** What a picture of this size may cost in kbit/s: more for more pixels than 16:9 has, and for more than 30 frames a second. */
export function maxRateKbps(width: number, height: number, frameRate: number): number {
  const side = Math.min(width, height)
  const above = RATES.findIndex(([at]) => at >= side)
  const [highSide, highRate] = RATES[above] ?? [MAX_SIDE, 5000]
  const [lowSide, lowRate] = RATES[above - 1] ?? [0, highRate]
  const share = highSide === lowSide ? 1 : (side - lowSide) / (highSide - lowSide)
  const base = above === -1 ? highRate : lowRate + share * (highRate - lowRate)
  const wide = Math.min(Math.max(1, (width * height) / ((side * side * 16) / 9)), 3)
  const fast = 1 + 0.5 * Math.min(Math.max(0, (frameRate - 30) / 30), 2)
  return Math.round((base * wide * fast) / 10) * 10
}

/** Level times ten, macroblocks a second, macroblocks a frame, kbit/s in High profile: H.264 Table A-1 and A.3.3. */
const LEVELS: readonly (readonly [level: number, perSecond: number, perFrame: number, kbps: number])[] = [
  [11, 3000, 396, 240],
  [12, 6000, 396, 480],
  [13, 11_880, 396, 960],
  [20, 11_880, 396, 2500],
  [21, 19_800, 792, 5000],
  [22, 20_250, 1620, 5000],
  [30, 40_500, 1620, 12_500],
  [31, 108_000, 3600, 17_500],
  [32, 216_000, 5120, 25_000],
  [40, 245_760, 8192, 25_000],
  [41, 245_760, 8192, 62_500],
  [42, 522_240, 8704, 62_500],
  [50, 589_824, 22_080, 168_750],
  [51, 983_040, 36_864, 300_000],
  [52, 2_073_600, 36_864, 300_000],
]

/** The lowest H.264 level that allows this size, speed and rate, times ten. */
export function h264Level(width: number, height: number, frameRate: number, kbps: number): number {
  const across = Math.ceil(width / 16)
  const down = Math.ceil(height / 16)
  const fits = LEVELS.find(
    ([, perSecond, perFrame, rate]) =>
      across * down <= perFrame &&
      Math.max(across, down) ** 2 <= 8 * perFrame &&
      across * down * frameRate <= perSecond &&
      kbps <= rate,
  )
  return fits?.[0] ?? 52
}

/** Encoder settings of one rung; all explicit, since each of them changes the picture. */
export function videoEncoder(rung: Rung, frameRate: number, threads: number): VideoEncoder {
  const maxrateKbps = maxRateKbps(rung.width, rung.height, frameRate)
  const bufsizeKbps = Math.round(maxrateKbps * 1.5)
  const level = h264Level(rung.width, rung.height, frameRate, maxrateKbps)
  return { codec: 'h264', preset: 'veryfast', crf: 23, maxrateKbps, bufsizeKbps, profile: 'high', level, threads }
}

const PROFILES: Readonly<Record<string, string>> = { baseline: '42c0', main: '4d40', high: '6400' }

/** RFC 6381 name of H.264 with this profile and level (times ten). */
export function avcCodec(profile: string, level: number): string {
  const key = profile.toLowerCase().replace('constrained ', '')
  return `avc1.${PROFILES[key] ?? PROFILES.high}${level.toString(16).padStart(2, '0')}`
}
