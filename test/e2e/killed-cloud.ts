import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Fault } from '../../local/controls/fault.ts'
import type { Cloud } from '../../local/index.ts'
import { ossOf, type Ticket, type VideoView } from './cloud.ts'

const MAIN = fileURLToPath(new URL('../../dist/local/main.mjs', import.meta.url))

/** The built product as a process tree of its own, driven over HTTP alone: it may be killed, and is started again. */
export class KilledCloud {
  readonly dataDir: string
  cloud!: Cloud
  /** How often it has been started again. */
  restarts = -1
  #child!: ChildProcessByStdio<null, Readable, null>
  #token = ''

  private constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  static async open(): Promise<KilledCloud> {
    const cloud = new KilledCloud(await mkdtemp(join(tmpdir(), 'yunbo-kills-')))
    await cloud.start()
    return cloud
  }

  async start(): Promise<void> {
    const args = [MAIN, '--port', '0', '--no-web', '--json', '--controls', '--data', this.dataDir]
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const event = JSON.parse(line) as { event: string } & Cloud
      if (event.event !== 'ready') continue
      this.cloud = event
      break
    }
    if (this.isGone()) throw new Error('the cloud does not start')
    this.restarts += 1
    const { data } = (await this.#json('POST', '/v1/sessions', this.cloud.user)) as { data: { token: string } }
    this.#token = data.token
  }

  isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (!this.isGone()) {
      this.#child.kill('SIGTERM')
      await ended
    }
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** Does something until it works, as a client would; starts the cloud again when it has died. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (let left = 10; ; left -= 1) {
      try {
        return await work()
      } catch (error) {
        if (left === 0) throw error
        // The answer breaks off a moment before the end of the process is noticed.
        await new Promise((resolve) => setTimeout(resolve, 200))
        if (this.isGone()) await this.start()
      }
    }
  }

  async setFaults(faults: readonly Fault[]): Promise<void> {
    for (const fault of faults) await this.#json('POST', '/__local/faults', fault)
  }

  /** How often faults have struck since the last start. */
  struck = async (): Promise<number> => {
    const { faults } = (await this.#json('GET', '/__local/faults')) as { faults: { struck: number }[] }
    return faults.reduce((sum, fault) => sum + fault.struck, 0)
  }

  async clearFaults(): Promise<void> {
    await this.#json('DELETE', '/__local/faults', {})
  }

  idle = () => this.#json('POST', '/__local/idle', {})
  advance = (ms: number) => this.#json('POST', '/__local/advance', { ms })

  async upload(file: string): Promise<Ticket> {
    const body = { fileName: 'clip.mp4', sizeBytes: (await readFile(file)).length, contentType: 'video/mp4' }
    const { data } = (await this.#json('POST', '/v1/uploads', body)) as { data: Ticket }
    await ossOf(data, true).multipartUpload(data.key, file, { partSize: 1024 * 1024 })
    return data
  }

  complete = (ticket: Ticket) => this.#json('POST', `/v1/uploads/${ticket.uploadId}/complete`, {})

  async video(videoId: string): Promise<VideoView> {
    return ((await this.#json('GET', `/v1/videos/${videoId}`)) as { data: VideoView }).data
  }

  async #json(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.cloud.gateway}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
}
