import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { policiesByRole } from '../../deploy/roles.ts'
import { type LocalOptions, startLocal } from '../../local/index.ts'
import { openSchema } from '../../shared/cloud/tablestore.ts'
import { createTables } from '../../shared/tables/schema.ts'
import { CLIP_DIR, clipNamed } from '../media/clips.ts'

type Local = Awaited<ReturnType<typeof startLocal>>

/** What `POST /v1/uploads` hands to an uploader, as far as tests use it. */
export interface Ticket {
  readonly uploadId: string
  readonly videoId: string
  readonly playbackId: string
  readonly uploadToken: string
  readonly bucket: string
  readonly region: string
  readonly endpoint: string
  readonly key: string
  readonly credentials: { accessKeyId: string; accessKeySecret: string; securityToken: string; expiration: string }
}

export interface VideoView {
  readonly videoId: string
  readonly title: string
  readonly status: 'processing' | 'ready' | 'errored'
  readonly playable: boolean
  readonly progress: number
  readonly durationMs: number
  readonly width: number
  readonly height: number
  readonly engine: { name: string; reason: string } | null
  readonly renditions: { name: string; width: number; height: number; state: string }[]
  readonly error: { code: string; message: string; retryable: boolean } | null
}

/** The built product on a local cloud of its own, in a folder of its own. */
export interface Stage {
  readonly local: Local
  readonly dataDir: string
  /** Calls the HTTP API as the demo user unless `headers` say otherwise. */
  call(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>
  newUpload(fileName: string, sizeBytes: number): Promise<Ticket>
  /** Straight to OSS with the upload's own rights. */
  send(ticket: Ticket, file: string): Promise<void>
  complete(ticket: Ticket): Promise<Answer>
  /** The whole path of one file: upload, complete, wait until nothing runs any more. */
  upload(file: string): Promise<{ ticket: Ticket; video: VideoView }>
  video(videoId: string): Promise<VideoView>
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly body: { data?: unknown; code?: string; detail?: string; requestId?: string; nextCursor?: string | null }
  readonly headers: Headers
}

/** Starts the local cloud over the bundles in `dist/`; reuses a data folder when one is given. */
export async function openStage(options: { dataDir?: string } = {}): Promise<Stage> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'yunbo-e2e-')))
  const local = await startLocal({ port: 0, dataDir, createTables: tablesAt, rolePolicies })
  const stage = await stageOn(local, dataDir)
  const close = async () => {
    await local.close()
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
  }
  return { ...stage, close }
}

/** The services with the tables and the rights of a deployment, on which nothing has been deployed yet. */
export async function openBareCloud(dataDir: string): Promise<Local> {
  const bare = { buckets: ['yunbo'], instance: 'yunbo' }
  return startLocal({ port: 0, dataDir, bare, createTables: tablesAt, rolePolicies })
}

/** The product as it runs on a local cloud, for its demo user. */
export async function stageOn(local: Local, dataDir: string): Promise<Omit<Stage, 'close'>> {
  const { gateway, user } = local.cloud
  const token = await signIn(gateway, user)

  const call: Stage['call'] = async (method, path, { body, headers } = {}) => {
    const response = await fetch(`${gateway}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers }
  }
  const stage: Omit<Stage, 'close'> = {
    local,
    dataDir,
    call,
    async newUpload(fileName, sizeBytes) {
      const answer = await call('POST', '/v1/uploads', { body: { fileName, sizeBytes, contentType: 'video/mp4' } })
      if (answer.status !== 201) throw new Error(`no upload: ${JSON.stringify(answer.body)}`)
      return answer.body.data as Ticket
    },
    async send(ticket, file) {
      await ossOf(ticket, true).multipartUpload(ticket.key, file, { partSize: 1024 * 1024 })
    },
    complete: (ticket) => call('POST', `/v1/uploads/${ticket.uploadId}/complete`),
    async upload(file) {
      const ticket = await stage.newUpload(file.split('/').at(-1) ?? 'clip.mp4', (await readFile(file)).length)
      await stage.send(ticket, file)
      const answer = await stage.complete(ticket)
      if (answer.status !== 200) throw new Error(`not completed: ${JSON.stringify(answer.body)}`)
      await local.idle()
      return { ticket, video: await stage.video(ticket.videoId) }
    },
    async video(videoId) {
      const answer = await call('GET', `/v1/videos/${videoId}`)
      return answer.body.data as VideoView
    },
  }
  return stage
}

async function signIn(gateway: string, user: { username: string; password: string }): Promise<string> {
  const response = await fetch(`${gateway}/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  if (response.status !== 201) throw new Error(`no session: ${response.status} ${await response.text()}`)
  const { data } = (await response.json()) as { data: { token: string } }
  return data.token
}

const tablesAt: NonNullable<LocalOptions['createTables']> = ({ endpoint, instance, ...keys }) =>
  createTables(openSchema({ endpoint, instance }, keys))

/** Every function has the rights that a deployment gives it, and no others. */
const rolePolicies: NonNullable<LocalOptions['rolePolicies']> = (place) =>
  policiesByRole({ ...place, prefix: 'yunbo-' })

/** Path of a test clip; made on first use. */
export async function clipFile(name: string): Promise<string> {
  await mkdir(CLIP_DIR, { recursive: true })
  return clipNamed(name).make(CLIP_DIR)
}

/** Whether an ffmpeg reads this source. */
export async function isEncoding(key: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.some((line) => /^[^\0]*ffmpeg\0/.test(line) && line.includes(key))
}

/** A moment between two looks at what goes on in other processes. */
export function nextLook(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

/** The vendor's client with the rights of one upload. */
export function ossOf(ticket: Ticket, v4: boolean): OSS {
  return new OSS({
    endpoint: ticket.endpoint,
    sldEnable: true,
    region: `oss-${ticket.region}`,
    bucket: ticket.bucket,
    accessKeyId: ticket.credentials.accessKeyId,
    accessKeySecret: ticket.credentials.accessKeySecret,
    stsToken: ticket.credentials.securityToken,
    authorizationV4: v4,
    refreshSTSTokenInterval: 3_600_000,
    refreshSTSToken: async () => ({
      accessKeyId: ticket.credentials.accessKeyId,
      accessKeySecret: ticket.credentials.accessKeySecret,
      stsToken: ticket.credentials.securityToken,
    }),
  } as OSS.Options)
}
