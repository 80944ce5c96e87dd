import type { TemplateSettings } from './templates.ts'

/**
 * Templates that everybody has.
 * https://help.aliyun.com/zh/mps/developer-reference/preset-template-details
 */
const CONTAINERS = { 0: ['flv', 'FLV'], 1: ['m3u8', 'M3U8'], 2: ['mp4', 'MP4'] } as const

/** Number, name, video and sound in kbit/s, width. */
const SIZES = [
  ['000070', '4K', 6000, 160, 3840],
  ['000060', '2K', 3500, 160, 2048],
  ['000040', 'FHD', 3000, 160, 1920],
  ['000030', 'HD', 1800, 128, 1280],
  ['000020', 'SD', 800, 80, 848],
  ['000010', 'LD', 400, 64, 640],
] as const

const NARROW = [
  ['70', '4K', 8000, 3840],
  ['60', '2K', 4000, 2048],
  ['50', 'FHD', 3000, 1920],
  ['40', 'HD', 1500, 1280],
  ['30', 'SD', 800, 848],
  ['20', 'LD', 400, 640],
] as const

const SOUND = [
  ['300050', 320],
  ['300040', 192],
  ['300030', 160],
  ['300020', 128],
  ['300010', 64],
] as const

/** A template that cannot be changed. */
export interface Preset {
  readonly id: string
  readonly name: string
  readonly settings: TemplateSettings
}

/** All of them, by id. */
export const PRESETS: ReadonlyMap<string, Preset> = new Map(allPresets().map((preset) => [preset.id, preset]))

/** Templates that want the source to be analysed before, which is not done here. */
export function isSmartPreset(id: string): boolean {
  return /^S00000000-\d{6}$/.test(id)
}

function allPresets(): Preset[] {
  const perContainer = Object.entries(CONTAINERS).flatMap(([digit, [format, label]]) => [
    { id: `S00000001-${digit}00000`, name: `${label}-COPY`, settings: copy(format) },
    ...SIZES.map(([number, name, video, audio, width]) => ({
      id: `S00000001-${digit}${number.slice(1)}`,
      name: `${label}-${name}`,
      settings: encoded(format, video, audio, width),
    })),
    ...NARROW.map(([number, name, video, width]) => ({
      id: `S00000002-${digit}000${number}`,
      name: `${label}-${name}-NarrowBandHDV1`,
      settings: encoded(format, video, 128, width),
    })),
  ])
  const second = NARROW.slice(2).map(([number, name, video, width]) => ({
    id: `S00000003-2000${number}`,
    name: `MP4-${name}-NarrowBandHDV2`,
    settings: encoded('mp4', video, 128, width),
  }))
  const sound = SOUND.map(([number, kbps]) => ({
    id: `S00000001-${number}`,
    name: `MP3-${kbps}`,
    settings: { Container: { Format: 'mp3' }, Audio: { Codec: 'MP3', Bitrate: String(kbps) } },
  }))
  return [...perContainer, ...second, ...sound]
}

function copy(format: string): TemplateSettings {
  return { Container: { Format: format }, Video: { Codec: 'copy' }, Audio: { Codec: 'copy' }, ...segments(format) }
}

function encoded(format: string, videoKbps: number, audioKbps: number, width: number): TemplateSettings {
  return {
    Container: { Format: format },
    Video: { Codec: 'H.264', Profile: 'high', Bitrate: String(videoKbps), Width: String(width) },
    Audio: { Codec: 'AAC', Samplerate: '44100', Bitrate: String(audioKbps), Channels: '2' },
    ...segments(format),
  }
}

function segments(format: string): TemplateSettings {
  return format === 'm3u8' ? { MuxConfig: { Segment: { Duration: '10' } } } : {}
}
