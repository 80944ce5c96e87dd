import type { AudioInfo, MediaInfo, VideoInfo } from '../../shared/plan.ts'
import { TaskFailure } from '../../shared/video-errors.ts'

/** What ffprobe prints about a stream; everything may be missing. */
export interface FfprobeStream {
  readonly index: number
  readonly codec_type?: string
  readonly codec_name?: string
  readonly profile?: string
  readonly level?: number
  readonly pix_fmt?: string
  readonly bits_per_raw_sample?: string
  readonly width?: number
  readonly height?: number
  readonly sample_aspect_ratio?: string
  readonly field_order?: string
  readonly has_b_frames?: number
  readonly color_transfer?: string
  readonly avg_frame_rate?: string
  readonly time_base?: string
  readonly start_pts?: number
  readonly duration?: string
  readonly nb_frames?: string
  readonly bit_rate?: string
  readonly channels?: number
  readonly sample_rate?: string
  readonly disposition?: { readonly attached_pic?: number }
  readonly tags?: Readonly<Record<string, string>>
  readonly side_data_list?: readonly { readonly rotation?: number }[]
}

export interface FfprobeReport {
  readonly streams?: readonly FfprobeStream[]
  readonly format?: { readonly format_name?: string; readonly start_time?: string; readonly duration?: string }
}

/** The streams that are used: the first picture that is not cover art, and the first sound. */
export interface ChosenStreams {
  readonly container: string
  readonly video: FfprobeStream
  readonly audio: FfprobeStream | undefined
  readonly videoStreams: number
  /** Length in seconds that the container promises for the picture; 0 when it does not say. */
  readonly promisedSeconds: number
}

/** Bounds on what is accepted; a source is somebody else's file. */
export interface SourceLimits {
  readonly maxPixels: number
  readonly maxStreams: number
  readonly maxDurationMs: number
}

export const SOURCE_LIMITS: SourceLimits = { maxPixels: 8192 * 4352, maxStreams: 32, maxDurationMs: 8 * 3_600_000 }

/** Picks the streams to use, or says why there is nothing to make a video of. */
export function chooseStreams(report: FfprobeReport, limits: SourceLimits = SOURCE_LIMITS): ChosenStreams {
  const streams = report.streams ?? []
  if (streams.length > limits.maxStreams) {
    throw new TaskFailure('source_too_large', `The file has ${streams.length} streams; we accept ${limits.maxStreams}.`)
  }
  const pictures = streams.filter((one) => one.codec_type === 'video' && one.disposition?.attached_pic !== 1)
  const video = pictures[0]
  if (!video) throw noPicture(streams)
  const { width = 0, height = 0 } = video
  assertKnown(video, 'picture')
  assertSize({ width, height }, limits)
  assertSize(videoInfo(video, 0, 0, 0), limits)
  const container = (report.format?.format_name ?? '').split(',')[0] ?? ''
  const promisedSeconds = promised(video, report)
  // Matroska promises where the picture ends, the others how long it is.
  const fromSeconds = container === 'matroska' ? finite(report.format?.start_time) : 0
  assertDuration((promisedSeconds - fromSeconds) * 1000, limits)
  const audio = streams.find((one) => one.codec_type === 'audio')
  if (audio) assertKnown(audio, 'sound')
  return { container, video, audio, videoStreams: pictures.length, promisedSeconds }
}

/** The longest side that H.264 can be encoded with. */
const MAX_SIDE = 16_384

function assertSize({ width, height }: { width: number; height: number }, limits: SourceLimits): void {
  const least = Math.min(width, height)
  if (least < 1) throw new TaskFailure('source_damaged', 'The file does not say how large its picture is.')
  if (least < 2) throw new TaskFailure('unsupported_source', 'The picture is only one pixel wide or high.')
  if (width * height > limits.maxPixels || Math.max(width, height) > MAX_SIDE) {
    throw new TaskFailure('source_too_large', `The picture is ${width} × ${height}; that is larger than we accept.`)
  }
}

function assertKnown({ codec_name }: FfprobeStream, what: string): void {
  if (codec_name !== undefined && codec_name !== 'none' && codec_name !== 'unknown') return
  throw new TaskFailure('unsupported_source', `The ${what} of the file is in a format that we cannot decode.`)
}

function noPicture(streams: readonly FfprobeStream[]): TaskFailure {
  const sound = streams.some((one) => one.codec_type === 'audio')
  return sound ? new TaskFailure('no_video_stream') : new TaskFailure('not_a_video')
}

function assertDuration(durationMs: number, limits: SourceLimits): void {
  if (durationMs <= limits.maxDurationMs) return
  const hours = limits.maxDurationMs / 3_600_000
  throw new TaskFailure('source_too_large', `The video is longer than ${hours} hours, which is the most we accept.`)
}

function promised(video: FfprobeStream, report: FfprobeReport): number {
  return finite(video.duration) || clock(video.tags?.DURATION) || finite(report.format?.duration)
}

/** Matroska writes `00:00:03.966000000`. */
function clock(text: string | undefined): number {
  const [hours, minutes, seconds] = (text ?? '').split(':').map(Number)
  const total = (hours ?? 0) * 3600 + (minutes ?? Number.NaN) * 60 + (seconds ?? Number.NaN)
  return Number.isFinite(total) ? total : 0
}

function finite(text: string | number | undefined): number {
  const value = Number(text)
  return Number.isFinite(value) && value > 0 ? value : 0
}

/** A ratio such as `30000/1001` or `16:9`; 0 when it is missing or empty. */
export function ratio(text: string | undefined): number {
  const [over, under] = (text ?? '').split(/[/:]/).map(Number)
  return over && under ? over / under : 0
}

/** What is known of the picture before its frames are counted. */
export function videoInfo(stream: FfprobeStream, frames: number, frameRate: number, bitRate: number): VideoInfo {
  const rotation = rotationOf(stream)
  const pixelFormat = stream.pix_fmt ?? ''
  const aspect = ratio(stream.sample_aspect_ratio) || 1
  return {
    codec: stream.codec_name ?? '',
    profile: stream.profile ?? '',
    level: stream.level ?? 0,
    pixelFormat,
    bitDepth: bitDepth(stream, pixelFormat),
    codedWidth: stream.width ?? 0,
    codedHeight: stream.height ?? 0,
    ...shownSize(stream.width ?? 0, stream.height ?? 0, aspect, rotation),
    rotation,
    squarePixels: Math.abs(aspect - 1) < 0.001,
    progressive: !['tt', 'bb', 'tb', 'bt'].includes(stream.field_order ?? ''),
    hdr: ['smpte2084', 'arib-std-b67'].includes(stream.color_transfer ?? ''),
    frameRate,
    frames,
    bitRate,
  }
}

function bitDepth(stream: FfprobeStream, pixelFormat: string): number {
  const named = /p(9|10|12|14|16)(?:le|be)$/.exec(pixelFormat)?.[1]
  return Number(named ?? stream.bits_per_raw_sample ?? 8) || 8
}

/** Square pixels by stretching the axis that is too short, then the turn. */
function shownSize(width: number, height: number, aspect: number, rotation: number) {
  const flat =
    aspect >= 1 ? { width: Math.round(width * aspect), height } : { width, height: Math.round(height / aspect) }
  return rotation % 180 === 0 ? flat : { width: flat.height, height: flat.width }
}

/** The display matrix counts counterclockwise, the older tag clockwise. */
function rotationOf(stream: FfprobeStream): number {
  const matrix = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation
  const turn = matrix === undefined ? Number(stream.tags?.rotate ?? 0) : -matrix
  const clockwise = ((Math.round(turn) % 360) + 360) % 360
  return clockwise % 90 === 0 ? clockwise : 0
}

export function audioInfo(stream: FfprobeStream): AudioInfo {
  return {
    codec: stream.codec_name ?? '',
    profile: stream.profile ?? '',
    channels: stream.channels ?? 0,
    sampleRate: finite(stream.sample_rate),
    bitRate: finite(stream.bit_rate),
  }
}

/** A source as planning needs it: every frame that will be shown, and what stands against copying its packets. */
export interface SourceProbe {
  readonly info: MediaInfo
  /** Presentation times of all frames that can be decoded, sorted, in source microseconds. */
  readonly framesUs: readonly number[]
  /** Bytes of the packet of each frame, in the same order; empty when frames were found by decoding. */
  readonly frameBytes: readonly number[]
  readonly keysUs: readonly number[]
  /** End of the last frame. */
  readonly endUs: number
  /** What in the packets forbids copying, as the end of a sentence; `undefined` when nothing does. */
  readonly copyObstacle: string | undefined
  readonly audio: { readonly startUs: number; readonly endUs: number } | undefined
}
