import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Cloud } from '../local/index.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

/** Makes the programs of the local cloud, if they are not there as they should be. */
export async function buildCloud(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(root, 'build.mjs'), '--only', 'local'])
}

/** A program of the local cloud as processes of its own over one folder: it may be killed, and started again. */
export class CloudProcess {
  readonly dataDir: string
  readonly #args: readonly string[]
  #child: ChildProcessByStdio<null, Readable, null> | undefined
  #cloud: Cloud | undefined

  /** `main` is what `npm start` runs, `cloud` what `npm run cloud` does. */
  constructor(program: 'main' | 'cloud', dataDir: string, options: readonly string[] = []) {
    this.dataDir = dataDir
    this.#args = [join(root, `dist/local/${program}.mjs`), '--port', '0', '--json', '--data', dataDir, ...options]
  }

  /** Starts it; resolves when it is ready. */
  async start(): Promise<Cloud> {
    const child = spawn(process.execPath, this.#args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    this.#child = child
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { event: string } & Cloud
      if (event.event === 'error') throw new Error(`the cloud does not start: ${line}`)
      if (event.event !== 'ready') continue
      this.#cloud = event
      return event
    }
    throw new Error('the cloud does not start')
  }

  /** Where it listens now. */
  get running(): Cloud {
    if (!this.#cloud) throw new Error('the cloud does not run')
    return this.#cloud
  }

  isGone(): boolean {
    return !this.#child?.pid || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Kill -9 of all its processes; resolves when it is gone. */
  kill = () => this.#end((pid) => process.kill(-pid, 'SIGKILL'))

  /** Stops it as Ctrl-C does. */
  stop = () => this.#end((pid) => process.kill(pid, 'SIGTERM'))

  /** Stops it and removes its folder. */
  async close(): Promise<void> {
    await this.stop()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  async #end(signal: (pid: number) => void): Promise<void> {
    const child = this.#child
    if (!child?.pid || this.isGone()) return
    const gone = once(child, 'exit')
    signal(child.pid)
    await gone
  }
}

/** A new folder for one. */
export function newDataDir(what: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `yunbo-${what}-`))
}
