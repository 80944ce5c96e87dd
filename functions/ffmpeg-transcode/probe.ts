import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { errorFields, log } from '../../shared/log.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import { describeArgs, listFramesJob, packetArgs, type SourceInput } from './args.ts'
import { assertUnchanged, endedEarly, lostConnection, type SourceHead, unreadable } from './faults.ts'
import { type MediaTools, ToolError } from './ffmpeg.ts'
import { describeSource, packetsTellFrames } from './frames.ts'
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

type Ask = (args: readonly string[], onLine: (line: string) => void) => Promise<string>

/** Reads container, streams and every packet; throws `TaskFailure` with what is wrong with the source. */
export async function probeSource(
  source: SourceAccess,
  tools: MediaTools,
  signal: AbortSignal,
  limits: SourceLimits = SOURCE_LIMITS,
): Promise<SourceProbe> {
  const ask = asker(source, tools, signal)
  const chosen = chooseStreams(await describe(source, ask), limits)
  const packets = await readPackets(source, chosen, ask)
  const decoded = packetsTellFrames(chosen, packets) ? undefined : await decodedTicks(source, tools, signal)
  return describeSource(chosen, packets, decoded, limits)
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
  return packets
}

/** Ticks of 90 kHz of every frame, as ffmpeg decodes them. */
async function decodedTicks(source: SourceAccess, tools: MediaTools, signal: AbortSignal): Promise<number[]> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-'))
  const list = join(dir, 'frames')
  try {
    const { features } = await tools.binaries()
    const run = await tools.transcode(listFramesJob(source, list, features), { signal })
    await assertRead(source, await explained(run.done, source, signal))
    return await readTicks(list)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Lines are `stream, dts, pts, duration, size, checksum`; those that begin with # are about the file. */
async function readTicks(path: string): Promise<number[]> {
  const ticks: number[] = []
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!line.startsWith('#')) ticks.push(Number(line.split(',')[2]))
  }
  return ticks.filter(Number.isFinite)
}

/** A connection that broke ends ffprobe as if the file had ended, and with success. */
async function assertRead(source: SourceAccess, stderr: string): Promise<void> {
  if (!lostConnection(stderr)) return
  assertUnchanged(await source.head(), source.etag)
  throw new TaskFailure('transcode_failed', 'The connection to the source was lost while it was examined.')
}
