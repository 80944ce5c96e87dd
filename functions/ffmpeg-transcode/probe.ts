import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { errorFields, log } from '../../shared/log.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import {
  describeArgs,
  type Features,
  type FfmpegJob,
  listFramesJob,
  listKeyPicturesJob,
  packetArgs,
  type SourceInput,
} from './args.ts'
import { chooseEngine } from './engine.ts'
import { assertUnchanged, endedEarly, lostConnection, type SourceHead, sawDamage, unreadable } from './faults.ts'
import { type MediaTools, ToolError } from './ffmpeg.ts'
import { describeSource, type KeyPictures, keyPictureObstacle, packetsTellFrames } from './frames.ts'
import { addPacketLine, emptyPackets, PACKET_ENTRIES, type Packets } from './packets.ts'
import {
  type ChosenStreams,
  chooseStreams,
  type FfprobeReport,
  SOURCE_LIMITS,
  type SourceLimits,
  type SourceProbe,
} from './source.ts'

/** A source, and a way to ask the store whether it is still the same. */
export interface SourceAccess extends SourceInput {
  head(): Promise<SourceHead | undefined>
}

export interface ProbeOptions {
  /** Threads that decode. */
  readonly threads: number
  readonly limits?: SourceLimits | undefined
}

type Ask = (args: readonly string[], onLine: (line: string) => void) => Promise<string>

/** Reads container, streams and every packet; throws `TaskFailure` with what is wrong with the source. */
export async function probeSource(
  source: SourceAccess,
  tools: MediaTools,
  signal: AbortSignal,
  options: ProbeOptions,
): Promise<SourceProbe> {
  const { limits = SOURCE_LIMITS, threads } = options
  const ask = asker(source, tools, signal)
  const chosen = chooseStreams(await describe(source, ask), limits)
  const packets = await readPackets(source, chosen, ask)
  const list = lister(source, tools, signal)
  const told = packetsTellFrames(chosen, packets)
  const found = describeSource(chosen, packets, told ? undefined : await decodedTicks(source, list, threads), limits)
  if (chooseEngine(found).engine !== 'copy') return found
  return { ...found, copyObstacle: keyPictureObstacle(packets.track, await keyPictures(source, list)) }
}

function asker(source: SourceAccess, tools: MediaTools, signal: AbortSignal): Ask {
  return (args, onLine) => explained(tools.probe(args, onLine, { signal }), source, signal)
}

/** What a tool said; if it failed, what that means for the source. */
async function explained(said: Promise<string>, source: SourceAccess, signal: AbortSignal): Promise<string> {
  try {
    return await said
  } catch (error) {
    if (!(error instanceof ToolError) || signal.aborted) throw error
    log('warn', 'source not readable', { ...errorFields(error), stderr: error.stderr })
    assertUnchanged(await source.head(), source.etag)
    if (error.killed) throw new TaskFailure('transcode_failed', 'Reading the source was cut off.', { cause: error })
    throw unreadable(error.stderr, error)
  }
}

async function describe(source: SourceInput, ask: Ask): Promise<FfprobeReport> {
  const lines: string[] = []
  await ask(describeArgs(source), (line) => lines.push(line))
  return JSON.parse(lines.join('\n')) as FfprobeReport
}

async function readPackets(source: SourceAccess, chosen: ChosenStreams, ask: Ask): Promise<Packets> {
  const packets = emptyPackets()
  const { video, audio } = chosen
  const stderr = await ask(packetArgs(source, PACKET_ENTRIES), (line) =>
    addPacketLine(packets, line, video.index, audio?.index ?? -1),
  )
  await assertRead(source, stderr)
  packets.endsEarly = endedEarly(stderr)
  if (sawDamage(stderr)) packets.corrupt += 1
  return packets
}

/** Runs ffmpeg to write lists into files, and gives what is wanted of every line. */
type List = (
  count: number,
  job: (paths: readonly string[], features: Features) => FfmpegJob,
  pick: (fields: readonly string[]) => string,
) => Promise<{ said: string; lists: string[][] }>

function lister(source: SourceAccess, tools: MediaTools, signal: AbortSignal): List {
  return async (count, job, pick) => {
    const dir = await mkdtemp(join(tmpdir(), 'yunbo-'))
    const paths = Array.from({ length: count }, (_, at) => join(dir, `list${at}`))
    try {
      const { features } = await tools.binaries()
      const run = await tools.transcode(job(paths, features), { signal })
      const said = await explained(run.done, source, signal)
      await assertRead(source, said)
      return { said, lists: await Promise.all(paths.map((path) => readList(path, pick))) }
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }
}

/** Lines are `stream, dts, pts, duration, size, checksum`; those that begin with # are about the file. */
async function readList(path: string, pick: (fields: readonly string[]) => string): Promise<string[]> {
  const picked: string[] = []
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!line.startsWith('#')) picked.push(pick(line.split(',')))
  }
  return picked
}

/** Ticks of 90 kHz of every frame, as ffmpeg decodes them. */
async function decodedTicks(source: SourceAccess, list: List, threads: number): Promise<number[]> {
  const job = ([path = '']: readonly string[], features: Features) => listFramesJob(source, path, threads, features)
  const { lists } = await list(1, job, (fields) => fields[2] ?? '')
  return (lists[0] ?? []).map(Number).filter(Number.isFinite)
}

async function keyPictures(source: SourceAccess, list: List): Promise<KeyPictures> {
  const job = ([pictures = '', parameters = '']: readonly string[]) => listKeyPicturesJob(source, pictures, parameters)
  const { said, lists } = await list(2, job, (fields) => `${fields[4]},${fields[5]}`)
  const [pictures = [], parameters = []] = lists
  return { count: pictures.length, damaged: sawDamage(said), parameters }
}

/** A connection that broke ends ffprobe as if the file had ended, and with success. */
async function assertRead(source: SourceAccess, stderr: string): Promise<void> {
  if (!lostConnection(stderr)) return
  assertUnchanged(await source.head(), source.etag)
  throw new TaskFailure('transcode_failed', 'The connection to the source was lost while it was examined.')
}
