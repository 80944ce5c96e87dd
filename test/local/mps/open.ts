import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import OSS from 'ali-oss'
import { openClock } from '../../../local/controls/clock.ts'
import { findTool } from '../../../local/ffmpeg/find.ts'
import { type MnsService, startMns } from '../../../local/mns/index.ts'
import { type MpsOptions, type MpsService, startMps } from '../../../local/mps/index.ts'
import { startOss } from '../../../local/oss/index.ts'
import { type Credentials, openCredentials, type SessionCredentials } from '../../../local/wire/credentials.ts'
import { localConfig } from '../fc/sdk.ts'
import { ACCOUNT } from '../mns/open.ts'

/** The MPS SDK; CommonJS with a `default` of its own. */
export const mtsSdk = createRequire(import.meta.url)('@alicloud/mts20140618') as typeof import('@alicloud/mts20140618')

export const BUCKET = 'media'
export const REGION = 'cn-hangzhou'

/** A client of the vendor's, signed by the account or by a session. */
export function mtsClient(port: number, session?: SessionCredentials) {
  type Config = ConstructorParameters<typeof mtsSdk.default>[0]
  return new mtsSdk.default(localConfig(port, session ?? ACCOUNT) as Config)
}

/** The same with an error that a test can look at. */
export type MtsClient = ReturnType<typeof mtsClient>

/** MPS with the services around it, in a folder of their own. */
export interface OpenMps {
  readonly service: MpsService
  readonly mns: MnsService
  readonly oss: OSS
  readonly client: MtsClient
  readonly credentials: Credentials
  readonly dir: string
  advance(ms: number): Promise<void>
  idle(): Promise<void>
  restart(): Promise<void>
  text(key: string): Promise<string>
  keys(prefix: string): Promise<readonly string[]>
  close(): Promise<void>
}

/** Starts one; close it in `afterAll` or `onTestFinished`. */
export async function openMps(extra: Partial<MpsOptions> = {}): Promise<OpenMps> {
  const dir = await mkdtemp(join(tmpdir(), 'mps-test-'))
  const clock = openClock(join(dir, 'clock'))
  const { now, nearest } = clock
  const credentials = openCredentials(ACCOUNT, now)
  const at = { host: '127.0.0.1', port: 0, credentials, region: REGION, clock }
  const ossService = await startOss({ ...at, dataDir: join(dir, 'oss'), now, nearest })
  await ossService.createBucket(BUCKET)
  const mns = await startMns({ ...at, dataDir: join(dir, 'mns') })
  const start = async () => {
    const dataDir = join(dir, 'mps')
    const logFile = join(dir, 'logs', 'mps.log')
    const started = await startMps({
      ...at,
      dataDir,
      ossEndpoint: ossService.url,
      notifier: mns,
      tools,
      logFile,
      ...extra,
    })
    started.resume()
    return started
  }
  let service = await start()
  const { accessKeyId, accessKeySecret } = ACCOUNT
  // Known to the client, not to its published types.
  const options = { endpoint: ossService.url, bucket: BUCKET, sldEnable: true, region: 'oss-cn-hangzhou' }
  const oss = new OSS({ ...options, accessKeyId, accessKeySecret } as OSS.Options)
  const idle = async () => {
    while (service.isBusy() || mns.isBusy()) await Promise.all([service.idle(), mns.idle()])
  }
  return {
    get service() {
      return service
    },
    get client() {
      return mtsClient(service.port)
    },
    mns,
    oss,
    credentials,
    dir,
    idle,
    async advance(ms) {
      await clock.advance(ms)
      await idle()
    },
    async restart() {
      await service.close()
      service = await start()
    },
    text: async (key) => ((await oss.get(key)).content as Buffer).toString(),
    async keys(prefix) {
      const { objects } = await oss.listV2({ prefix, 'max-keys': '100' }, {})
      return (objects ?? []).map(({ name }) => name)
    },
    async close() {
      await service.close()
      await mns.close()
      await ossService.close()
      clock.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The programs of this machine. */
export async function tools() {
  const [ffmpeg, ffprobe] = await Promise.all([
    findTool('ffmpeg', process.cwd(), process.env),
    findTool('ffprobe', process.cwd(), process.env),
  ])
  if (!ffmpeg || !ffprobe) throw new Error('the tests of MPS need ffmpeg')
  return { ffmpeg: ffmpeg.path, ffprobe: ffprobe.path }
}

/** A film of so many seconds, 160 by 120, with sound. */
export async function clip(seconds: number): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'clip-'))
  const path = join(dir, 'clip.mp4')
  const { ffmpeg } = await tools()
  const video = ['-f', 'lavfi', '-i', `testsrc=size=160x120:rate=10:duration=${seconds}`]
  const audio = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`]
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '32k']
  await promisify(execFile)(ffmpeg, ['-y', ...video, ...audio, ...codecs, path])
  const bytes = await readFile(path)
  await rm(dir, { recursive: true })
  return bytes
}

/** What ffprobe says of some bytes. */
export async function probe(bytes: Buffer, name: string): Promise<{ streams: Record<string, string>[] }> {
  const dir = await mkdtemp(join(tmpdir(), 'probe-'))
  const path = join(dir, name)
  await writeFile(path, bytes)
  const { ffprobe } = await tools()
  const { stdout } = await promisify(execFile)(ffprobe, ['-v', 'error', '-show_streams', '-of', 'json', path])
  await rm(dir, { recursive: true })
  return JSON.parse(stdout) as { streams: Record<string, string>[] }
}
