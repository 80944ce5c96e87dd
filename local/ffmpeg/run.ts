import { spawn } from 'node:child_process'

export interface RunOptions {
  /** Kills the process when it aborts. */
  readonly signal: AbortSignal
  /** More output than this kills it too; 64 MB when missing. */
  readonly maxOutputBytes?: number
  readonly watch?: Watch
}

/** Is told of a process that runs, and, by what it gives back, of its end. */
export type Watch = (pid: number) => () => void

/** How a program ended. */
export interface Ended {
  /** `undefined` when it was killed. */
  readonly code: number | undefined
  readonly output: Buffer
  /** The end of what it said on standard error. */
  readonly log: string
}

const DEFAULT_OUTPUT_BYTES = 64 * 1024 * 1024
const LOG_CHARACTERS = 16_384

/** Runs ffmpeg or ffprobe to its end; rejects only when it cannot be started. */
export function runTool(path: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const { signal, maxOutputBytes = DEFAULT_OUTPUT_BYTES, watch = () => () => {} } = options
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const kill = () => void child.kill('SIGKILL')
    const ended = child.pid === undefined ? () => {} : watch(child.pid)
    const chunks: Buffer[] = []
    let bytes = 0
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxOutputBytes) chunks.push(chunk)
      else kill()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_CHARACTERS)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      ended()
      signal.removeEventListener('abort', kill)
      resolve({ code: code ?? undefined, output: Buffer.concat(chunks), log })
    })
    signal.addEventListener('abort', kill, { once: true })
    if (signal.aborted) kill()
  })
}
