import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import OSS from 'ali-oss'
import TableStore from 'tablestore'
import type { Cloud } from '../../../local/index.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Makes the program that `npm run cloud` runs, if it is not there as it should be. */
export async function buildCloud(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(root, 'build.mjs'), '--only', 'local'])
}

/** `npm run cloud` as processes of its own over one folder: it is killed, and started again. */
export class KilledCloud {
  readonly dataDir: string
  #child: ChildProcessByStdio<null, Readable, null> | undefined
  #cloud: Cloud | undefined

  private constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  static async open(): Promise<KilledCloud> {
    const cloud = new KilledCloud(await mkdtemp(join(tmpdir(), 'yunbo-durability-')))
    await cloud.start()
    return cloud
  }

  async start(): Promise<void> {
    const args = [join(root, 'dist/local/cloud.mjs'), '--port', '0', '--json', '--data', this.dataDir]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    this.#child = child
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { event: string } & Cloud
      if (event.event === 'error') throw new Error(`the cloud does not start: ${line}`)
      if (event.event !== 'ready') continue
      this.#cloud = event
      return
    }
    throw new Error('the cloud does not start')
  }

  /** Kill -9 of the whole group; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    process.kill(-child.pid, 'SIGKILL')
    await gone
  }

  async close(): Promise<void> {
    await this.kill()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** Where it listens now. */
  get running(): Cloud {
    if (!this.#cloud) throw new Error('the cloud does not run')
    return this.#cloud
  }

  /** Clients of where it listens now. */
  clients() {
    const { oss, tablestore, accessKeyId, accessKeySecret } = this.running
    const keys = { accessKeyId, accessKeySecret }
    const place = { endpoint: oss.endpoint, bucket: oss.bucket, region: 'oss-cn-hangzhou', authorizationV4: true }
    return {
      oss: new OSS({ ...keys, ...place, sldEnable: true, retryMax: 0 } as OSS.Options),
      tables: new TableStore.Client({
        ...keys,
        endpoint: tablestore.endpoint,
        instancename: tablestore.instance,
        maxRetries: 0,
      }),
    }
  }
}

export type Clients = ReturnType<KilledCloud['clients']>
