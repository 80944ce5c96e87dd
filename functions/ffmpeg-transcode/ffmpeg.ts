import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PassThrough, type Readable } from 'node:stream'
import type { FfmpegCommand } from 'fluent-ffmpeg'
import { log } from '../../shared/log.ts'
import { type FfmpegJob, jobArgs, shellLine } from './args.ts'
import { type Binaries, type BinaryConfig, type Capture, findBinaries } from './binaries.ts'
import { lostConnection } from './faults.ts'

export interface RunOptions {
  /** Kills the process when it aborts. */
  readonly signal: AbortSignal
}

/** A running ffmpeg. */
export interface Run {
  /** Settles when the process is gone, with the end of what it said; rejects with `ToolError`. */
  readonly done: Promise<string>
  /** Stops it where it is, so that files do not pile up; `resume` lets it go on. */
  pause(): void
  resume(): void
}

export interface MediaTools {
  binaries(): Promise<Binaries>
  /** Starts ffmpeg. */
  transcode(job: FfmpegJob, options: RunOptions): Promise<Run>
  /** Runs ffprobe and hands over its output line by line; gives what it said on standard error. */
  probe(args: readonly string[], onLine: (line: string) => void, options: RunOptions): Promise<string>
}

/** ffmpeg or ffprobe did not end well; `stderr` is the beginning and the end of what it said. */
export class ToolError extends Error {
  readonly stderr: string
  /** Somebody else killed it, for want of memory perhaps: that says nothing about what it was reading. */
  readonly killed: boolean

  constructor(message: string, stderr: string, options: { cause?: unknown; killed?: boolean } = {}) {
    super(message, options)
    this.name = 'ToolError'
    this.stderr = stderr
    this.killed = options.killed ?? false
  }
}

const STDERR_LINES = 60
const STDERR_BYTES = 16_384

/**
 * The one place that runs ffmpeg and ffprobe. ffmpeg inherits the environment of this process (fluent-ffmpeg has no other
 * way), so whoever wires it must first remove credentials from there.
 */
export function mediaTools(config: BinaryConfig): MediaTools {
  let found: Promise<Binaries> | undefined
  const capture: Capture = async (program, args) => {
    const lines: string[] = []
    const options = { signal: AbortSignal.timeout(20_000), env: config.env }
    const { code } = await runLines(program, args, (line) => lines.push(line), options)
    return { output: lines.join('\n'), code }
  }
  const binaries = () => {
    found ??= findBinaries(config, capture)
    return found
  }
  return {
    binaries,
    async transcode(job, { signal }) {
      const { ffmpeg } = await binaries()
      const { default: fluent } = await import('fluent-ffmpeg')
      const command = fluent({ stdoutLines: STDERR_LINES }).setFfmpegPath(ffmpeg)
      const feed = job.feed && startFeed(ffmpeg, job.feed, signal, config.env)
      describe(command, job, feed?.output ?? job.input)
      const first = job.feed ? `${shellLine(ffmpeg, job.feed)} | ` : ''
      log('info', 'ffmpeg started', { command: first + shellLine(ffmpeg, jobArgs(job)) })
      return start(command, signal, feed)
    },
    async probe(args, onLine, { signal }) {
      const { ffprobe } = await binaries()
      log('info', 'ffprobe started', { command: shellLine(ffprobe, args) })
      const { stderr, code, killed } = await runLines(ffprobe, args, onLine, { signal, env: config.env })
      if (code !== 0) throw new ToolError(`ffprobe ended with ${code ?? 'a crash'}`, stderr, { killed })
      return stderr
    },
  }
}

/** Options are given as separate arguments, or fluent-ffmpeg would split those that hold one space. */
function describe(command: FfmpegCommand, job: FfmpegJob, input: string | Readable): void {
  const spread = (options: readonly string[]) => options as readonly [string, ...string[]]
  command.input(input).inputOptions(...spread(job.inputOptions))
  if (job.filter !== undefined) command.complexFilter(job.filter)
  for (const output of job.outputs) command.output(output.path).outputOptions(...spread(output.options))
}

function start(command: FfmpegCommand, signal: AbortSignal, feed: Feed | undefined): Run {
  const kill = () => command.kill('SIGKILL')
  const own = new Promise<string>((resolve, reject) => {
    // Before this event there is no process yet that could be killed.
    command.on('start', () => (signal.aborted ? kill() : signal.addEventListener('abort', kill, { once: true })))
    command.on('end', (_stdout, stderr) => resolve(stderr ?? ''))
    command.on('error', (error: Error, _stdout, stderr) => {
      const reason = signal.aborted ? reasonOf(signal) : error.message
      const killed = !signal.aborted && error.message.includes('SIGKILL')
      reject(new ToolError(reason, stderr ?? '', { cause: error, killed }))
    })
  }).finally(() => signal.removeEventListener('abort', kill))
  command.run()
  const done = feed ? bothEnd(own, feed, kill) : own
  return { done, pause: () => void command.kill('SIGSTOP'), resume: () => void command.kill('SIGCONT') }
}

/** A first ffmpeg, and what it writes. */
interface Feed {
  readonly output: Readable
  /** What it said; rejects when it did not end well. */
  readonly ended: Promise<string>
  stop(): void
}

/** The second program sees the end of its input only when the first one has ended well: an end that is none is kept from it. */
function startFeed(program: string, args: readonly string[], signal: AbortSignal, env: BinaryConfig['env']): Feed {
  const stopped = new AbortController()
  const either = AbortSignal.any([signal, stopped.signal])
  const child = spawnTool(program, args, { signal: either, env })
  const output = child.stdout.pipe(new PassThrough(), { end: false })
  // Whoever reads may stop early; that is for its own exit code to tell.
  output.on('error', () => stopped.abort())
  const ended = outcomeOf(child, signal).then(({ stderr, code, killed }) => {
    if (code !== 0) throw new ToolError(`the first ffmpeg ended with ${code ?? 'a crash'}`, stderr, { killed })
    if (lostConnection(stderr)) throw new ToolError('the connection to the source was lost', stderr)
    output.end()
    return stderr
  })
  return { output, ended, stop: () => stopped.abort() }
}

async function bothEnd(own: Promise<string>, feed: Feed, kill: () => void): Promise<string> {
  const fed = feed.ended.catch((error: unknown) => {
    kill()
    throw error
  })
  const [second, first] = await Promise.allSettled([own.finally(() => feed.stop()), fed])
  // When the second does not want all of it, the first is stopped, which is no failure.
  if (second.status === 'fulfilled') return first.status === 'fulfilled' ? first.value + second.value : second.value
  throw first.status === 'rejected' ? first.reason : second.reason
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : 'it was stopped'
}

/** Static builds load character tables of this machine's libc, which is not theirs, and crash; without them they do not. */
const NO_TABLES = { GCONV_PATH: '/nonexistent' }

/** The first half and the last of what may be kept: the cause is often said first, the outcome last. */
function endsOf(text: string): string {
  if (text.length <= STDERR_BYTES) return text
  return text.slice(0, STDERR_BYTES / 2) + text.slice(-STDERR_BYTES / 2)
}

/** fluent-ffmpeg's own ffprobe holds all output in memory and cannot be killed; a long film has a million packets. */
async function runLines(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
  options: SpawnOptions,
): Promise<{ stderr: string; code: number | null; killed: boolean }> {
  const child = spawnTool(program, args, options)
  createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine)
  return await outcomeOf(child, options.signal)
}

interface SpawnOptions {
  readonly signal: AbortSignal
  readonly env: BinaryConfig['env']
}

function spawnTool(program: string, args: readonly string[], { signal, env }: SpawnOptions) {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  return spawn(program, args, { stdio, env: { ...env, ...NO_TABLES }, signal, killSignal: 'SIGKILL' })
}

async function outcomeOf(child: ReturnType<typeof spawnTool>, signal: AbortSignal) {
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = endsOf(stderr + text)
  })
  const ended = new Promise<{ code: number | null; killed: boolean }>((resolve, reject) => {
    // A crash ends by another signal than the one that is sent by whoever is short of memory.
    const close = (code: number | null, by: string | null) => resolve({ code, killed: by === 'SIGKILL' })
    child.once('error', reject).once('close', close)
  })
  const { code, killed } = await ended.catch((error: unknown) => {
    throw new ToolError(signal.aborted ? reasonOf(signal) : String(error), stderr, { cause: error })
  })
  return { stderr, code, killed }
}
