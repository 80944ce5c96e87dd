import type { Json } from './parameters.ts'

/** What is known of a media file, every value a text. */
export interface Properties {
  readonly Width: string
  readonly Height: string
  readonly Bitrate: string
  readonly Duration: string
  readonly Fps: string
  readonly FileSize: string
  readonly FileFormat: string
  readonly Streams: object
  readonly Format: object
}

/** Arguments of ffprobe for `readProperties`. */
export function probeArgs(path: string): readonly string[] {
  // A key may be called anything.
  const lists = path.endsWith('.m3u8') ? ['-allowed_extensions', 'ALL'] : []
  return ['-v', 'error', ...lists, '-show_format', '-show_streams', '-of', 'json', path]
}

/** Turns what ffprobe says into what the service says; `undefined` when there is nothing to see or hear. */
export function readProperties(output: string, sizeBytes: number): Properties | undefined {
  const { streams, format } = parse(output)
  const ofKind = (kind: string) => streams.filter((stream) => stream.codec_type === kind)
  const [video, audio, subtitles] = [ofKind('video'), ofKind('audio'), ofKind('subtitle')]
  if (video.length + audio.length === 0) return undefined
  const [first = {}] = video
  const text = (value: unknown) => (value === undefined ? '' : String(value))
  return {
    Width: text(first.width),
    Height: text(first.height),
    Bitrate: kbps(format.bit_rate),
    Duration: text(format.duration),
    Fps: video.length > 0 ? rate(first.avg_frame_rate) : '',
    FileSize: String(sizeBytes),
    FileFormat: text(format.format_name),
    Streams: {
      VideoStreamList: { VideoStream: video.map(videoStream) },
      AudioStreamList: { AudioStream: audio.map(audioStream) },
      SubtitleStreamList: {
        SubtitleStream: subtitles.map((stream) => ({ Index: text(stream.index), Lang: language(stream) })),
      },
    },
    Format: {
      NumStreams: text(format.nb_streams),
      NumPrograms: text(format.nb_programs),
      FormatName: text(format.format_name),
      FormatLongName: text(format.format_long_name),
      StartTime: text(format.start_time),
      Duration: text(format.duration),
      Size: String(sizeBytes),
      Bitrate: kbps(format.bit_rate),
    },
  }
}

interface Probed {
  readonly streams: readonly Json[]
  readonly format: Json
}

function parse(output: string): Probed {
  try {
    const { streams = [], format = {} } = JSON.parse(output) as Partial<Probed>
    return { streams, format }
  } catch {
    return { streams: [], format: {} }
  }
}

/** What every stream has, by our name and ffprobe's. */
const COMMON = {
  Index: 'index',
  CodecName: 'codec_name',
  CodecLongName: 'codec_long_name',
  CodecTagString: 'codec_tag_string',
  CodecTag: 'codec_tag',
  Timebase: 'time_base',
  StartTime: 'start_time',
  Duration: 'duration',
  NumFrames: 'nb_frames',
}

function videoStream(stream: Json): object {
  const names = {
    ...COMMON,
    Profile: 'profile',
    Width: 'width',
    Height: 'height',
    HasBFrames: 'has_b_frames',
    Sar: 'sample_aspect_ratio',
    Dar: 'display_aspect_ratio',
    PixFmt: 'pix_fmt',
    Level: 'level',
  }
  return {
    ...picked(stream, names),
    CodecTimeBase: '',
    Fps: rate(stream.r_frame_rate),
    AvgFPS: rate(stream.avg_frame_rate),
    Bitrate: kbps(stream.bit_rate),
    Lang: language(stream),
  }
}

function audioStream(stream: Json): object {
  const names = {
    ...COMMON,
    SampleFmt: 'sample_fmt',
    Samplerate: 'sample_rate',
    Channels: 'channels',
    ChannelLayout: 'channel_layout',
  }
  return { ...picked(stream, names), CodecTimeBase: '', Bitrate: kbps(stream.bit_rate), Lang: language(stream) }
}

function picked(stream: Json, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [ours, String(stream[theirs] ?? '')]))
}

function language({ tags }: Json): string {
  const { language: found } = (tags ?? {}) as { language?: unknown }
  return typeof found === 'string' ? found : ''
}

function kbps(bitsPerSecond: unknown): string {
  const number = Number(bitsPerSecond)
  return Number.isFinite(number) ? (number / 1000).toFixed(3) : ''
}

function rate(fraction: unknown): string {
  const [up = 0, down = 1] = String(fraction).split('/').map(Number)
  const perSecond = down === 0 ? 0 : up / down
  return Number.isFinite(perSecond) ? String(Number(perSecond.toFixed(3))) : ''
}
