import { mpsError } from './errors.ts'
import { checkKey, isTrue, type Json, jsonObject, numberOf, textOf, userData } from './parameters.ts'
import { isSmartPreset } from './presets.ts'
import type { Store } from './store.ts'
import { asTexts, lookUp, SECTIONS, type TemplateSettings } from './templates.ts'

/** What one output is to be: its own settings over those of its template. */
export interface OutputSettings extends TemplateSettings {
  /** As the client wrote it: encoded, with placeholders, without what is appended. */
  readonly OutputObject: string
  readonly TemplateId: string
  readonly Container: { readonly Format: Format }
  readonly Clip?: Json
  readonly Rotate?: string
  readonly AudioStreamMap?: string
  readonly Encryption?: Json
  readonly UserData?: string
  readonly Priority: string
}

const FORMATS = ['mp4', 'm3u8', 'flv', 'ts', 'mp3', 'ogg', 'flac', 'm4a', 'gif', 'webp'] as const
/** Containers that can be written. */
export type Format = (typeof FORMATS)[number]

/** What outputs of the service can have and those here cannot. */
const MISSING = [
  'WaterMarks',
  'WaterMarkConfigUrl',
  'MergeList',
  'MergeConfigUrl',
  'SubtitleConfig',
  'OpeningList',
  'TailSlateList',
  'DeWatermark',
  'DigiWaterMark',
  'Amix',
  'M3U8NonStandardSupport',
  'SuperReso',
  'VideoStreamMap',
]

/** Reads one element of `Outputs`; throws what the service answers for it alone. */
export function readOutput(value: unknown, store: Store): OutputSettings {
  const output = jsonObject(value, 'Output')
  const object = textOf(output, 'OutputObject')
  if (object === undefined) throw mpsError('InvalidParameter.NullValue', 'OutputObject')
  checkKey(object)
  for (const name of MISSING) if (isGiven(output[name])) throw mpsError('InvalidParameter.NotSupported', name)
  const template = templateOf(output, store)
  const own = Object.fromEntries(
    SECTIONS.filter((name) => isGiven(output[name])).map((name) => [name, asTexts(jsonObject(output[name], name))]),
  ) as TemplateSettings
  const merged = mergeSections(template.settings, own)
  const format = readFormat(merged.Container)
  const optional = { ...texts(output), ...objects(output) }
  if (optional.Encryption) checkEncryption(optional.Encryption, format)
  const priority = numberOf(output, 'Priority', [1, 10]) ?? 6
  const settings = { ...merged, ...optional, Container: { Format: format }, Priority: String(priority) }
  checkVideo(settings.Video)
  checkAudio(settings.Audio)
  numberOf(segmentOf(settings), 'Duration', [1, 60])
  return { OutputObject: object, TemplateId: template.id, ...settings }
}

/** The segment settings, or none. */
export function segmentOf({ MuxConfig }: TemplateSettings): Json {
  const segment = MuxConfig?.Segment
  return isGiven(segment) ? jsonObject(segment, 'MuxConfig.Segment') : {}
}

function isGiven(value: unknown): boolean {
  return !(value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0))
}

function templateOf(output: Json, store: Store): { readonly id: string; readonly settings: TemplateSettings } {
  const id = textOf(output, 'TemplateId')
  if (id === undefined) throw mpsError('InvalidParameter.NullValue', 'TemplateId')
  if (isSmartPreset(id)) throw mpsError('InvalidParameter.TemplateNotSupported', id)
  const template = lookUp(store, id)
  if (template?.state !== 'Normal') throw mpsError('InvalidParameter.TemplateNotFound', id)
  return template
}

/** Field by field, so that an output can change the width and keep everything else. */
function mergeSections(template: TemplateSettings, own: TemplateSettings): TemplateSettings {
  const merged = SECTIONS.flatMap((name) => {
    const section = own[name] ? { ...template[name], ...own[name] } : template[name]
    return section ? [[name, section] as const] : []
  })
  return Object.fromEntries(merged)
}

function readFormat(container: Json | undefined): Format {
  const wanted = (container && textOf(container, 'Format')?.toLowerCase()) ?? 'mp4'
  const format = FORMATS.find((known) => known === wanted)
  if (!format) throw mpsError('InvalidParameter.NotSupported', 'Container.Format')
  return format
}

function texts(output: Json): { Rotate?: string; AudioStreamMap?: string; UserData?: string } {
  const rotate = numberOf(output, 'Rotate', [0, 359])
  if (rotate !== undefined && rotate % 90 !== 0) throw mpsError('InvalidParameter.NotSupported', 'Rotate')
  const map = textOf(output, 'AudioStreamMap')
  if (map !== undefined && !/^0:a:\d+$/.test(map)) throw mpsError('InvalidParameter.Format', 'AudioStreamMap')
  const data = userData(textOf(output, 'UserData'))
  return {
    ...(rotate ? { Rotate: String(rotate) } : {}),
    ...(map === undefined ? {} : { AudioStreamMap: map }),
    ...(data === undefined ? {} : { UserData: data }),
  }
}

function objects(output: Json): { Clip?: Json; Encryption?: Json } {
  const clip = isGiven(output.Clip) ? asTexts(jsonObject(output.Clip, 'Clip')) : undefined
  const span = clip?.TimeSpan as Json | undefined
  for (const name of ['Seek', 'Duration', 'End'])
    if (span && textOf(span, name)) seconds(textOf(span, name) ?? '', name)
  const encryption = isGiven(output.Encryption) ? asTexts(jsonObject(output.Encryption, 'Encryption')) : undefined
  return { ...(clip ? { Clip: clip } : {}), ...(encryption ? { Encryption: encryption } : {}) }
}

/** `hh:mm:ss.SSS` or seconds. */
export function seconds(text: string, name: string): number {
  const parts = text.split(':').map(Number)
  const total = parts.reduce((sum, part) => sum * 60 + part, 0)
  if (parts.length > 3 || !(total >= 0 && total < 86_400)) throw mpsError('InvalidParameter.Format', name)
  return total
}

/** https://help.aliyun.com/zh/mps/developer-reference/parameter-details */
function checkEncryption(encryption: Json, format: Format): void {
  if (format !== 'm3u8') throw mpsError('DataEncryption.ContainerFormatNotSupported')
  if (textOf(encryption, 'Type') !== 'hls-aes-128') throw mpsError('InvalidParameter.NotSupported', 'Encryption.Type')
  const keyType = textOf(encryption, 'KeyType') ?? 'Base64'
  if (keyType === 'KMS') throw mpsError('DataEncryption.CiphertextNotExist')
  if (keyType !== 'Base64') throw mpsError('InvalidParameter.NotSupported', 'Encryption.KeyType')
  for (const name of ['Key', 'KeyUri']) {
    const text = textOf(encryption, name)
    if (text === undefined) throw mpsError('InvalidParameter.NullValue', `Encryption.${name}`)
    if (!/^[A-Za-z0-9+/_-]+=*$/.test(text)) throw mpsError('InvalidParameter.InvalidBase64Format', `Encryption.${name}`)
  }
  const key = Buffer.from(textOf(encryption, 'Key') ?? '', 'base64')
  if (key.length !== 16) throw mpsError('InvalidParameter.OutOfRange', 'Encryption.Key')
}

const VIDEO_CODECS = ['h.264', 'h.265', 'gif', 'webp', 'copy']
const AUDIO_CODECS = ['aac', 'mp3', 'vorbis', 'flac', 'copy']
const PROFILES = ['baseline', 'main', 'high']
const SPEEDS = ['veryfast', 'fast', 'medium', 'slow', 'slower']

function checkVideo(video: Json | undefined): void {
  if (!video || isTrue(video, 'Remove')) return
  oneOf(video, 'Codec', VIDEO_CODECS)
  oneOf(video, 'Profile', PROFILES)
  oneOf(video, 'Preset', SPEEDS)
  const ranges = { Bitrate: KBPS, Crf: [0, 51], Width: PIXELS, Height: PIXELS, Bufsize: [1000, 128_000], Maxrate: KBPS }
  for (const [name, range] of Object.entries(ranges)) numberOf(video, name, range as [number, number])
  const fps = numberOf(video, 'Fps', [0, 60])
  if (fps === 0) throw mpsError('InvalidParameter.OutOfRange', 'Fps')
  const gop = textOf(video, 'Gop')
  if (gop !== undefined && !/^\d+(?:\.\d+)?s?$/.test(gop)) throw mpsError('InvalidParameter.Format', 'Gop')
  for (const name of ['Crop', 'Pad']) {
    const box = textOf(video, name)
    if (box === 'border') throw mpsError('InvalidParameter.NotSupported', name)
    if (box !== undefined && !/^\d+:\d+:\d+:\d+$/.test(box)) throw mpsError('InvalidParameter.Format', name)
  }
}

const KBPS = [10, 50_000]
const PIXELS = [128, 4096]

function checkAudio(audio: Json | undefined): void {
  if (!audio || isTrue(audio, 'Remove')) return
  oneOf(audio, 'Codec', AUDIO_CODECS)
  numberOf(audio, 'Bitrate', [8, 1000])
  numberOf(audio, 'Channels', [1, 8])
  oneOf(audio, 'Samplerate', ['22050', '32000', '44100', '48000', '96000'])
}

function oneOf(object: Json, name: string, options: readonly string[]): void {
  const value = textOf(object, name)?.toLowerCase()
  if (value !== undefined && !options.includes(value)) throw mpsError('InvalidParameter.NotSupported', name)
}
