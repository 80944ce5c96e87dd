import { spawn } from 'node:child_process'

export interface RunOptions {
  /** Kills the process when it aborts. */
  readonly signal: AbortSignal
  /** More output than this kills it too; 64 MB when missing. */
  readonly maxOutputBytes?: number
  readonly watch?: Watch
}

/** Is told of each process before it is started. */
export type Watch = () => Watched

export interface Watched {
  /** The environment to start it with, which holds what it is found by. */
  readonly env: Readonly<Record<string, string | undefined>>
  started(pid: number): void
  ended(): void
}

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
  const { signal, maxOutputBytes = DEFAULT_OUTPUT_BYTES } = options
  return new Promise((resolve, reject) => {
    const watched = options.watch?.()
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(watched ? { env: watched.env } : {}) })
    const kill = () => void child.kill('SIGKILL')
    if (child.pid !== undefined) watched?.started(child.pid)
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
    child.once('error', (error) => {
      watched?.ended()
      reject(error)
    })
    child.once('close', (code) => {
      watched?.ended()
      signal.removeEventListener('abort', kill)
      resolve({ code: code ?? undefined, output: Buffer.concat(chunks), log })
    })
    signal.addEventListener('abort', kill, { once: true })
    if (signal.aborted) kill()
  })
}
