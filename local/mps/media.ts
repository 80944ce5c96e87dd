import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runTool, type Watch } from '../ffmpeg/run.ts'
import { encodeArgs, mainFile, type Source } from './encode-args.ts'
import { mpsError } from './errors.ts'
import type { OssClient } from './oss.ts'
import { decodeKey, encodeKey, isTrue, type OssFile, textOf } from './parameters.ts'
import { type Properties, probeArgs, readProperties } from './properties.ts'
import { numbered, snapshotArgs, snapshotTimes, tileArgs } from './snapshots.ts'
import type { MediaInfoJob, SnapshotJob, TranscodeJob } from './store.ts'

/** The programs that do the work. */
export interface Tools {
  readonly ffmpeg: string
  readonly ffprobe: string
}

/** What works on media need. */
export interface Workshop {
  readonly oss: OssClient
  /** Finds the programs; throws when there are none. */
  tools(): Promise<Tools>
  /** Where folders for single jobs are made. */
  readonly tmpDir: string
  /** One line about what is run. */
  log(line: string): void
  readonly watch?: Watch
}

/** Makes the output of a job; throws the code that it ends with. */
export function transcode(job: TranscodeJob, shop: Workshop, signal: AbortSignal): Promise<Partial<TranscodeJob>> {
  return inFolder(shop, async (folder) => {
    const { tools, source, properties } = await fetchSource(job.input, folder, shop, signal)
    const { output } = job
    const measured = measure(source, properties)
    if (isTooFine(job, measured)) throw mpsError('InvalidParameter.OutOfRange', 'Resolution')
    const keyInfoPath = await writeKey(job, folder)
    const target = { folder, ...(keyInfoPath === undefined ? {} : { keyInfoPath }) }
    await run(tools.ffmpeg, encodeArgs(output, measured, target), shop, signal, job.id)
    const main = join(folder, mainFile(output))
    const made = await probe(tools.ffprobe, await readable(main, job, folder), signal)
    const key = await finalKey(job, main, made)
    const names = (await readdir(folder)).filter((name) => /^out-\d+\.ts$/.test(name)).sort()
    for (const name of names) {
      await shop.oss.upload(join(folder, name), job.outputFile.Bucket, segmentKey(key, name), signal)
    }
    if (names.length > 0) await renameSegments(main, key)
    // The playlist last: whoever sees it finds everything that it names.
    await shop.oss.upload(main, job.outputFile.Bucket, key, signal)
    const bytes = await totalBytes(folder, names.length > 0 ? names : [mainFile(output)])
    const outputFile = { ...job.outputFile, Object: encodeKey(key) }
    return { outputFile, properties: { ...made, FileSize: String(bytes) } }
  })
}

/** Takes the pictures of a job. */
export function snapshot(job: SnapshotJob, shop: Workshop, signal: AbortSignal): Promise<Partial<SnapshotJob>> {
  return inFolder(shop, async (folder) => {
    const { tools, source, properties } = await fetchSource(job.input, folder, shop, signal)
    const { config } = job
    const times = snapshotTimes(config, Number(properties.Duration))
    const count = await takePictures(times, async (number, time) => {
      const path = picturePath(folder, number)
      await run(tools.ffmpeg, snapshotArgs(config, source, time, path), shop, signal, job.id)
      return (await stat(path).catch(() => undefined)) !== undefined
    })
    if (count === 0) throw mpsError('InvalidParameter.OutOfRange', 'Time')
    const isKept = !config.TileOut || !isFalse(config.TileOut.IsKeepCellPic)
    for (let number = 1; isKept && number <= count; number++) {
      const key = numbered(config.OutputFile.Object, '{Count}', number)
      await shop.oss.upload(picturePath(folder, number), config.OutputFile.Bucket, key, signal)
    }
    return { count, ...(await layTiles(job, folder, tools, shop, signal)) }
  })
}

/** How many could be taken: after the last frame there is nothing. */
async function takePictures(
  times: readonly number[],
  take: (number: number, time: number) => Promise<boolean>,
): Promise<number> {
  let count = 0
  for (const time of times) {
    if (!(await take(count + 1, time))) break
    count++
  }
  return count
}

function picturePath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(5, '0')}.jpg`)
}

/** Looks at a file. */
export function inspect(job: MediaInfoJob, shop: Workshop, signal: AbortSignal): Promise<Partial<MediaInfoJob>> {
  return inFolder(shop, async (folder) => {
    const { properties } = await fetchSource(job.input, folder, shop, signal)
    return { properties }
  })
}

async function inFolder<T>({ tmpDir }: Workshop, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpDir, 'job-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function fetchSource(input: OssFile, folder: string, shop: Workshop, signal: AbortSignal) {
  const tools = await shop.tools()
  const source = join(folder, 'source')
  await shop.oss.download(input, source, signal)
  const properties = await probe(tools.ffprobe, source, signal)
  return { tools, source, properties }
}

async function probe(ffprobe: string, path: string, signal: AbortSignal): Promise<Properties> {
  const [{ code, output }, { size }] = await Promise.all([runTool(ffprobe, probeArgs(path), { signal }), stat(path)])
  const properties = code === 0 ? readProperties(output.toString(), size) : undefined
  if (!properties) throw mpsError('InvalidParameter.ResourceContentBad', 'InputFile')
  return properties
}

async function run(
  ffmpeg: string,
  args: readonly string[],
  shop: Workshop,
  signal: AbortSignal,
  id: string,
): Promise<void> {
  shop.log(`${id} ${ffmpeg} ${args.map((arg) => (/^[\w./:=+-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ')}`)
  const { code, log } = await runTool(ffmpeg, args, { signal, ...(shop.watch ? { watch: shop.watch } : {}) })
  if (code === 0) return
  shop.log(`${id} ended with ${code}: ${log.trim().split('\n').slice(-3).join(' | ')}`)
  throw mpsError('InvalidParameter.ResourceContentBad', 'InputFile')
}

function measure(path: string, properties: Properties): Source {
  const { VideoStreamList, AudioStreamList } = properties.Streams as {
    VideoStreamList: { VideoStream: readonly { Bitrate: string }[] }
    AudioStreamList: { AudioStream: readonly { Bitrate: string }[] }
  }
  return {
    path,
    durationS: Number(properties.Duration) || 0,
    width: Number(properties.Width) || 0,
    height: Number(properties.Height) || 0,
    videoKbps: Number(VideoStreamList.VideoStream[0]?.Bitrate) || Number(properties.Bitrate) || 0,
    audioKbps: Number(AudioStreamList.AudioStream[0]?.Bitrate) || 0,
  }
}

/** A job can ask to fail rather than to blow a small picture up. */
function isTooFine({ output }: TranscodeJob, { width, height }: Source): boolean {
  const { Video = {}, TransConfig = {} } = output
  const wanted = (name: string) => Number(textOf(Video, name) ?? 0)
  return isTrue(TransConfig, 'IsCheckResoFail') && (wanted('Width') > width || wanted('Height') > height)
}

/** Files that tell ffmpeg the key and what the playlist says of it. */
async function writeKey({ output }: TranscodeJob, folder: string): Promise<string | undefined> {
  const { Encryption } = output
  if (!Encryption) return undefined
  const bytes = (name: string) => Buffer.from(textOf(Encryption, name) ?? '', 'base64')
  const keyPath = join(folder, 'key')
  await writeFile(keyPath, bytes('Key'))
  const path = join(folder, 'key-info')
  await writeFile(path, `${bytes('KeyUri').toString()}\n${keyPath}\n`)
  return path
}

/** A copy of an encrypted playlist that names its key where it is now; any other file as it is. */
async function readable(main: string, { output }: TranscodeJob, folder: string): Promise<string> {
  if (!output.Encryption) return main
  const path = join(folder, 'readable.m3u8')
  await writeFile(path, (await readFile(main, 'utf8')).replace(/URI="[^"]*"/, `URI="${join(folder, 'key')}"`))
  return path
}

/** What could not be known before the file was there. */
async function finalKey({ outputFile }: TranscodeJob, main: string, { Bitrate }: Properties): Promise<string> {
  const key = decodeKey(outputFile.Object)
  if (!/\{Dest(?:Md5|AvgBitrate)\}/.test(key)) return key
  const md5 = createHash('md5')
    .update(await readFile(main))
    .digest('hex')
  return key.replaceAll('{DestMd5}', md5).replaceAll('{DestAvgBitrate}', String(Math.round(Number(Bitrate))))
}

/** `name.m3u8` has segments `name-00001.ts` and so on. */
function segmentKey(playlistKey: string, name: string): string {
  return playlistKey.replace(/\.m3u8$/, '') + name.slice('out'.length)
}

/** The playlist names its segments relative to itself. */
async function renameSegments(path: string, key: string): Promise<void> {
  const base = key.slice(key.lastIndexOf('/') + 1).replace(/\.m3u8$/, '')
  const text = await readFile(path, 'utf8')
  await writeFile(
    path,
    text.replace(/^out(-\d+\.ts)$/gm, (_line, rest: string) => encodeURIComponent(base) + rest),
  )
}

async function totalBytes(folder: string, names: readonly string[]): Promise<number> {
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function layTiles(
  { id, config }: SnapshotJob,
  folder: string,
  tools: Tools,
  shop: Workshop,
  signal: AbortSignal,
): Promise<{ tileCount?: number }> {
  const { TileOut, TileOutputFile } = config
  if (!TileOut || !TileOutputFile) return {}
  await run(tools.ffmpeg, tileArgs(TileOut, folder, join(folder, 'tile-%05d.jpg')), shop, signal, id)
  const names = (await readdir(folder)).filter((name) => name.startsWith('tile-')).sort()
  for (const [index, name] of names.entries()) {
    const key = numbered(TileOutputFile.Object, '{TileCount}', index + 1)
    await shop.oss.upload(join(folder, name), TileOutputFile.Bucket, key, signal)
  }
  return { tileCount: names.length }
}

function isFalse(value: unknown): boolean {
  return String(value).toLowerCase() === 'false'
}
