import { readFile } from 'node:fs/promises'
import type { Fault } from '../../local/controls/fault.ts'
import type { Cloud } from '../../local/index.ts'
import { CloudProcess, newDataDir } from '../cloud-process.ts'
import { ossOf, type Ticket, type VideoView } from './cloud.ts'

/** The built product, driven over HTTP alone. */
export class KilledCloud extends CloudProcess {
  /** How often it has been started again. */
  restarts = -1
  #token = ''

  static async open(): Promise<KilledCloud> {
    const cloud = new KilledCloud('main', await newDataDir('kills'), ['--no-web', '--controls'])
    await cloud.start()
    return cloud
  }

  override async start(): Promise<Cloud> {
    const running = await super.start()
    this.restarts += 1
    const { data } = (await this.#json('POST', '/v1/sessions', running.user)) as { data: { token: string } }
    this.#token = data.token
    return running
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
    const response = await fetch(`${this.running.gateway}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
}
