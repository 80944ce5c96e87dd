import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { FfmpegCommand } from 'fluent-ffmpeg'
import { log } from '../../shared/log.ts'
import { type FfmpegJob, jobArgs, shellLine } from './args.ts'
import { type Binaries, type BinaryConfig, type Capture, findBinaries } from './binaries.ts'

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

  constructor(message: string, stderr: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ToolError'
    this.stderr = stderr
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
      describe(command, job)
      log('info', 'ffmpeg started', { command: shellLine(ffmpeg, jobArgs(job)) })
      return start(command, signal)
    },
    async probe(args, onLine, { signal }) {
      const { ffprobe } = await binaries()
      log('info', 'ffprobe started', { command: shellLine(ffprobe, args) })
      const { stderr, code } = await runLines(ffprobe, args, onLine, { signal, env: config.env })
      if (code !== 0) throw new ToolError(`ffprobe ended with ${code ?? 'a crash'}`, stderr)
      return stderr
    },
  }
}

/** Options are given as separate arguments, or fluent-ffmpeg would split those that hold one space. */
function describe(command: FfmpegCommand, job: FfmpegJob): void {
  const spread = (options: readonly string[]) => options as readonly [string, ...string[]]
  command.input(job.input).inputOptions(...spread(job.inputOptions))
  if (job.filter !== undefined) command.complexFilter(job.filter)
  for (const output of job.outputs) command.output(output.path).outputOptions(...spread(output.options))
}

function start(command: FfmpegCommand, signal: AbortSignal): Run {
  const kill = () => command.kill('SIGKILL')
  const done = new Promise<string>((resolve, reject) => {
    // Before this event there is no process yet that could be killed.
    command.on('start', () => (signal.aborted ? kill() : signal.addEventListener('abort', kill, { once: true })))
    command.on('end', (_stdout, stderr) => resolve(stderr ?? ''))
    command.on('error', (error: Error, _stdout, stderr) => {
      const reason = signal.aborted ? reasonOf(signal) : error.message
      reject(new ToolError(reason, stderr ?? '', { cause: error }))
    })
  }).finally(() => signal.removeEventListener('abort', kill))
  command.run()
  return { done, pause: () => void command.kill('SIGSTOP'), resume: () => void command.kill('SIGCONT') }
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
  options: { readonly signal: AbortSignal; readonly env: BinaryConfig['env'] },
): Promise<{ stderr: string; code: number | null }> {
  const { signal } = options
  const env = { ...options.env, ...NO_TABLES }
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env, signal, killSignal: 'SIGKILL' })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = endsOf(stderr + text)
  })
  createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  const code = await ended.catch((error: unknown) => {
    throw new ToolError(signal.aborted ? reasonOf(signal) : String(error), stderr, { cause: error })
  })
  return { stderr, code }
}
