import { mpsError } from './errors.ts'
import { decodeKey, type Json, jsonObject, numberOf, type OssFile, ossFile, textOf } from './parameters.ts'
import { asTexts } from './templates.ts'

/** Which pictures of a film are wanted, and where they go. */
export interface SnapshotConfig {
  readonly OutputFile: OssFile
  /** Milliseconds. */
  readonly Time: string
  /** Seconds between pictures; 0: as many as are wanted, evenly. */
  readonly Interval?: string
  readonly Num?: string
  readonly Width?: string
  readonly Height?: string
  readonly FrameType?: string
  readonly TileOutputFile?: OssFile
  readonly TileOut?: Json
}

const MISSING = ['Format', 'BlackLevel', 'SubOut', 'TimeArray']

/** Reads a `SnapshotConfig`. https://help.aliyun.com/zh/mps/developer-reference/parameter-details */
export function readSnapshotConfig(text: string, region: string): SnapshotConfig {
  const config = jsonObject(text, 'SnapshotConfig')
  for (const name of MISSING) if (textOf(config, name)) throw mpsError('InvalidParameter.NotSupported', name)
  const file = ossFile(config.OutputFile, 'OutputFile', region)
  const number = (name: string, range: readonly [number, number]) => {
    const value = numberOf(config, name, range)
    return value === undefined ? {} : { [name]: String(value) }
  }
  const frameType = textOf(config, 'FrameType')
  if (frameType !== undefined && !['normal', 'intra'].includes(frameType)) {
    throw mpsError('InvalidParameter.NotSupported', 'FrameType')
  }
  const read: SnapshotConfig = {
    OutputFile: file,
    Time: String(numberOf(config, 'Time', [0, 86_400_000]) ?? 0),
    ...number('Interval', [0, 86_400]),
    ...number('Num', [1, 10_000]),
    ...number('Width', [8, 4096]),
    ...number('Height', [8, 4096]),
    ...(frameType === undefined ? {} : { FrameType: frameType }),
    ...readTiles(config, region),
  }
  const isSeries = Number(read.Num ?? (read.Interval === undefined ? 1 : 2)) > 1
  if (isSeries && !decodeKey(file.Object).includes('{Count}')) {
    throw mpsError('InvalidParameter.Format', 'OutputFile.Object')
  }
  return read
}

function readTiles(config: Json, region: string): { TileOut?: Json; TileOutputFile?: OssFile } {
  if (config.TileOut === undefined && config.TileOutputFile === undefined) return {}
  const tiles = asTexts(jsonObject(config.TileOut ?? {}, 'TileOut'))
  for (const name of ['Columns', 'Lines']) numberOf(tiles, name, [1, 10_000])
  for (const name of ['CellWidth', 'CellHeight']) numberOf(tiles, name, [8, 4096])
  for (const name of ['Padding', 'Margin']) numberOf(tiles, name, [0, 4096])
  numberOf(tiles, 'CellSelStep', [1, 10_000])
  return { TileOut: tiles, TileOutputFile: ossFile(config.TileOutputFile, 'TileOutputFile', region) }
}

/** Whether the request waits for the pictures: one alone, asked for without a number or a pause. */
export function isSynchronous({ Num, Interval }: SnapshotConfig): boolean {
  return Num === undefined && Interval === undefined
}

/** When the pictures are taken, in seconds; those after the end are left out. */
export function snapshotTimes(config: SnapshotConfig, durationS: number): readonly number[] {
  const start = Number(config.Time) / 1000
  if (isSynchronous(config)) return [start]
  const left = Math.max(0, durationS - start)
  const pause = Number(config.Interval ?? 10)
  const most = Number(config.Num ?? Math.floor(left / Math.max(pause, 1)) + 1)
  const step = pause === 0 ? left / most : pause
  const times = Array.from({ length: most }, (_, index) => start + index * step)
  return times.filter((time) => time < durationS)
}

/** Arguments of ffmpeg for one picture. */
export function snapshotArgs(config: SnapshotConfig, source: string, timeS: number, path: string): readonly string[] {
  const { Width = '-2', Height = '-2', FrameType = 'intra' } = config
  const isSized = config.Width !== undefined || config.Height !== undefined
  const seek = FrameType === 'intra' ? ['-noaccurate_seek', '-ss', String(timeS)] : ['-ss', String(timeS)]
  return [
    ...['-nostdin', '-hide_banner', '-y', ...seek, '-i', source],
    ...['-frames:v', '1', '-an', ...(isSized ? ['-vf', `scale=${Width}:${Height}`] : []), '-q:v', '2', path],
  ]
}

/** Arguments of ffmpeg that lay pictures side by side; `{folder}/%05d.jpg` are the pictures. */
export function tileArgs(tiles: Json, folder: string, pattern: string): readonly string[] {
  const value = (name: string, fallback: string) => textOf(tiles, name) ?? fallback
  const size = [value('CellWidth', '-2'), value('CellHeight', '-2')]
  const step = Number(value('CellSelStep', '1'))
  const layout = `${value('Columns', '10')}x${value('Lines', '10')}`
  const filters = [
    ...(step > 1 ? [`select=not(mod(n\\,${step}))`] : []),
    ...(size.some((side) => side !== '-2') ? [`scale=${size.join(':')}`] : []),
    `tile=${layout}:padding=${value('Padding', '0')}:margin=${value('Margin', '0')}:color=${color(value('Color', 'black'))}`,
  ]
  const input = ['-nostdin', '-hide_banner', '-y', '-framerate', '1', '-start_number', '1', '-i', `${folder}/%05d.jpg`]
  return [...input, '-vf', filters.join(','), '-vsync', '0', '-q:v', '2', pattern]
}

function color(name: string): string {
  return /^#?[A-Za-z0-9]+$/.test(name) ? name : 'black'
}

/** Where the picture of a number goes: five digits, from 1. */
export function numbered(object: string, placeholder: '{Count}' | '{TileCount}', number: number): string {
  return decodeKey(object).replaceAll(placeholder, String(number).padStart(5, '0'))
}
