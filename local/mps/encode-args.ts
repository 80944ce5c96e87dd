import { type Format, type OutputSettings, seconds, segmentOf } from './outputs.ts'
import { isTrue, type Json, textOf } from './parameters.ts'

/** What has to be known of the source. */
export interface Source {
  readonly path: string
  readonly durationS: number
  readonly width: number
  readonly height: number
  readonly videoKbps: number
  readonly audioKbps: number
}

/** Names of the files that ffmpeg writes, in the folder it runs for. */
export interface Target {
  readonly folder: string
  /** Names the key and where it is; only for encrypted playlists. */
  readonly keyInfoPath?: string
}

/** Playlist or file. */
export function mainFile({ Container }: OutputSettings): string {
  return `out.${Container.Format}`
}

/** Arguments of ffmpeg for one output. */
export function encodeArgs(settings: OutputSettings, source: Source, target: Target): readonly string[] {
  const { Video, Audio, AudioStreamMap } = settings
  const isSoundOnly = ['mp3', 'ogg', 'flac', 'm4a'].includes(settings.Container.Format)
  const isPictureOnly = ['gif', 'webp'].includes(settings.Container.Format)
  const hasVideo = Video !== undefined && !isTrue(Video, 'Remove') && !isSoundOnly
  const hasAudio = Audio !== undefined && !isTrue(Audio, 'Remove') && !isPictureOnly
  return [
    ...['-nostdin', '-hide_banner', '-y', ...clipArgs(settings.Clip, source), '-i', source.path],
    ...(hasVideo ? ['-map', '0:v:0?', ...videoArgs(Video, settings, source)] : ['-vn']),
    ...(hasAudio ? ['-map', AudioStreamMap ?? '0:a:0?', ...audioArgs(Audio, settings, source)] : ['-an']),
    ...['-sn', '-dn', '-map_metadata', '-1'],
    ...muxArgs(settings, target),
  ]
}

function clipArgs(clip: Json | undefined, { durationS }: Source): string[] {
  const span = clip?.TimeSpan as Json | undefined
  if (!span) return []
  const at = (name: string) => {
    const text = textOf(span, name)
    return text === undefined ? undefined : seconds(text, name)
  }
  const [from = 0, end] = [at('Seek'), at('End')]
  // What is cut off the end makes the wanted length meaningless.
  const length = end === undefined ? at('Duration') : Math.max(0, durationS - from - end)
  return ['-ss', String(from), ...(length === undefined ? [] : ['-t', String(length)])]
}

const VIDEO_ENCODERS: Readonly<Record<string, string>> = {
  'h.264': 'libx264',
  'h.265': 'libx265',
  gif: 'gif',
  webp: 'libwebp',
}

function videoArgs(video: Json, settings: OutputSettings, source: Source): string[] {
  const { Format: format } = settings.Container
  const codec = textOf(video, 'Codec')?.toLowerCase() ?? (pictureCodec(format) || 'h.264')
  if (codec === 'copy') return ['-c:v', 'copy']
  const filters = videoFilters(video, settings, source)
  const rate = textOf(video, 'Fps')
  return [
    ...['-c:v', VIDEO_ENCODERS[codec] ?? 'libx264'],
    ...(filters.length > 0 ? ['-vf', filters.join(',')] : []),
    ...(rate ? ['-r', rate] : []),
    ...(pictureCodec(codec) === '' ? filmArgs(codec, video, settings, source) : []),
  ]
}

/** What only films have. */
function filmArgs(codec: string, video: Json, settings: OutputSettings, source: Source): string[] {
  const value = (name: string) => textOf(video, name)
  const profile = codec === 'h.264' ? value('Profile') : undefined
  const isHevcInMp4 = codec === 'h.265' && settings.Container.Format === 'mp4'
  return [
    ...(profile ? ['-profile:v', profile] : []),
    ...['-preset', value('Preset') ?? 'medium', '-pix_fmt', value('PixFmt') ?? 'yuv420p'],
    ...rateArgs(video, settings, source),
    ...gopArgs(value('Gop'), settings),
    ...(value('ScanMode') === 'interlaced' ? ['-flags', '+ilme+ildct'] : []),
    ...(isHevcInMp4 ? ['-tag:v', 'hvc1'] : []),
  ]
}

/** Containers of moving pictures are called like their codecs. */
function pictureCodec(name: string): string {
  return name === 'gif' || name === 'webp' ? name : ''
}

/** A quality beats a rate; a rate is held down to the source's when that is asked for. */
function rateArgs(video: Json, { TransConfig = {} }: OutputSettings, { videoKbps }: Source): string[] {
  const value = (name: string) => textOf(video, name)
  const wanted = value('Bitrate')
  if (value('Crf') !== undefined || wanted === undefined) return ['-crf', value('Crf') ?? '26', ...peakArgs(value)]
  const held = isTrue(TransConfig, 'IsCheckVideoBitrate') && videoKbps > 0
  const kbps = held ? Math.min(Number(wanted), Math.round(videoKbps)) : Number(wanted)
  const isConstant = textOf(TransConfig, 'TransMode') === 'CBR'
  const constant = ['-minrate', `${kbps}k`, '-maxrate', `${kbps}k`, '-bufsize', `${kbps}k`]
  return ['-b:v', `${kbps}k`, ...(isConstant ? constant : peakArgs(value))]
}

function peakArgs(value: (name: string) => string | undefined): string[] {
  const peak = value('Maxrate')
  return peak === undefined ? [] : ['-maxrate', `${peak}k`, '-bufsize', `${value('Bufsize') ?? '6000'}k`]
}

/** Key frames so often, and wherever a segment is to begin. */
function gopArgs(gop: string | undefined, settings: OutputSettings): string[] {
  const time = /^([\d.]+)s$/.exec(gop ?? '')?.[1]
  const isList = settings.Container.Format === 'm3u8'
  const everyS = isList ? segmentSeconds(settings) : Number(time ?? 10)
  const frames = gop !== undefined && time === undefined ? ['-g', gop] : []
  return [...frames, '-force_key_frames', `expr:gte(t,n_forced*${everyS})`]
}

function segmentSeconds(settings: OutputSettings): number {
  return Number(textOf(segmentOf(settings), 'Duration') ?? 10)
}

function videoFilters(video: Json, { TransConfig = {}, Rotate }: OutputSettings, source: Source): string[] {
  const value = (name: string) => textOf(video, name)
  const box = (name: string) => value(name)?.split(':') ?? []
  const [cropW, cropH, cropX, cropY] = box('Crop')
  const [padW, padH, padX, padY] = box('Pad')
  const turns = { 90: ['transpose=1'], 180: ['hflip', 'vflip'], 270: ['transpose=2'] } as Record<string, string[]>
  return [
    ...(value('ScanMode') === 'progressive' ? ['yadif=deint=interlaced'] : []),
    ...(cropW === undefined ? [] : [`crop=${cropW}:${cropH}:${cropX}:${cropY}`]),
    ...scaleFilters(video, TransConfig, source),
    ...(padW === undefined ? [] : [`pad=${padW}:${padH}:${padX}:${padY}`]),
    ...(turns[Rotate ?? ''] ?? []),
  ]
}

function scaleFilters(video: Json, transConfig: Json, source: Source): string[] {
  const { width, height } = wantedSize(video, transConfig, source)
  if (width === 0 && height === 0) return evened(source.width, source.height)
  if (width === 0) return [`scale=-2:${height - (height % 2)}`]
  if (height === 0) return [`scale=${width - (width % 2)}:-2`]
  const fit = (how: string) => `scale=${width}:${height}:force_original_aspect_ratio=${how}`
  const method = textOf(transConfig, 'AdjDarMethod')
  if (method === 'pad') return [fit('decrease'), `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2`, 'setsar=1']
  if (method === 'crop') return [fit('increase'), `crop=${width}:${height}`, 'setsar=1']
  return [`scale=${width}:${height}`]
}

/** Width and height, by long and short side where that is wanted; 0 for what follows from the other or the source. */
function wantedSize(video: Json, transConfig: Json, source: Source): { width: number; height: number } {
  const first = Number(textOf(video, 'Width') ?? 0)
  const second = Number(textOf(video, 'Height') ?? 0)
  const isUpright = isTrue(video, 'LongShortMode') && source.height > source.width
  const [width, height] = isUpright ? [second, first] : [first, second]
  const isLarger = width > source.width || height > source.height
  return isLarger && isTrue(transConfig, 'IsCheckReso') ? { width: 0, height: 0 } : { width, height }
}

/** The encoders take even sides only. */
function evened(width: number, height: number): string[] {
  return width % 2 === 0 && height % 2 === 0 ? [] : ['scale=trunc(iw/2)*2:trunc(ih/2)*2']
}

const AUDIO_ENCODERS: Readonly<Record<string, string>> = {
  aac: 'aac',
  mp3: 'libmp3lame',
  vorbis: 'libvorbis',
  flac: 'flac',
}
const USUAL: Readonly<Record<string, string>> = { mp3: 'mp3', ogg: 'vorbis', flac: 'flac' }

function audioArgs(audio: Json, { Container, TransConfig = {} }: OutputSettings, { audioKbps }: Source): string[] {
  const codec = textOf(audio, 'Codec')?.toLowerCase() ?? USUAL[Container.Format] ?? 'aac'
  if (codec === 'copy') return ['-c:a', 'copy']
  const wanted = Number(textOf(audio, 'Bitrate') ?? 128)
  const kbps =
    isTrue(TransConfig, 'IsCheckAudioBitrate') && audioKbps > 0 ? Math.min(wanted, Math.round(audioKbps)) : wanted
  return [
    ...['-c:a', AUDIO_ENCODERS[codec] ?? 'aac'],
    ...(codec === 'flac' ? [] : ['-b:a', `${kbps}k`]),
    ...['-ar', textOf(audio, 'Samplerate') ?? '44100', '-ac', textOf(audio, 'Channels') ?? '2'],
  ]
}

const MUXERS: Readonly<Record<Format, readonly string[]>> = {
  mp4: ['-f', 'mp4', '-movflags', '+faststart'],
  m4a: ['-f', 'ipod', '-movflags', '+faststart'],
  flv: ['-f', 'flv'],
  ts: ['-f', 'mpegts'],
  mp3: ['-f', 'mp3'],
  ogg: ['-f', 'ogg'],
  flac: ['-f', 'flac'],
  gif: ['-f', 'gif'],
  webp: ['-f', 'webp', '-loop', '0'],
  m3u8: ['-f', 'hls', '-hls_playlist_type', 'vod', '-hls_list_size', '0', '-start_number', '1'],
}

function muxArgs(settings: OutputSettings, { folder, keyInfoPath }: Target): string[] {
  const path = `${folder}/${mainFile(settings)}`
  const { Format: format } = settings.Container
  if (format !== 'm3u8') return [...MUXERS[format], path]
  const times = ['-hls_time', String(segmentSeconds(settings)), '-hls_segment_filename', `${folder}/out-%05d.ts`]
  const key = keyInfoPath === undefined ? [] : ['-hls_key_info_file', keyInfoPath]
  return [...MUXERS.m3u8, ...times, ...key, path]
}
