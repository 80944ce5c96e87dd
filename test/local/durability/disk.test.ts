import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Local, startLocal } from '../../../local/index.ts'
import { heldIn } from '../oss/held.ts'
import { crc64Of } from './crc64.ts'

let dir: string
let local: Local
let oss: OSS

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'yunbo-disk-'))
  local = await startLocal({ port: 0, dataDir: dir, bare: { buckets: ['films'], instance: 'films' } })
  const { accessKeyId, accessKeySecret, oss: place } = local.cloud
  const options = { accessKeyId, accessKeySecret, endpoint: place.endpoint, bucket: 'films', sldEnable: true }
  oss = new OSS({ ...options, region: 'oss-cn-hangzhou', authorizationV4: true, retryMax: 0 } as OSS.Options)
})
beforeEach(() => local.faults.clear())
afterAll(async () => {
  await local.close()
  await rm(dir, { recursive: true, force: true })
})

const PART = 100 * 1024
/** Large enough to be written in several pieces. */
const LARGE = 3 * 1024 * 1024

interface Case {
  readonly what: string
  /** What is there before. */
  prepare(key: string): Promise<void>
  /** The request whose bytes the disk does not take. */
  write(key: string): Promise<unknown>
  /** What is there when it has succeeded. */
  readonly after: Buffer | undefined
}

const old = Buffer.from('old')
const part = Buffer.alloc(PART, 'p')
/** Small enough to stand in the index. */
const small = Buffer.alloc(4000, 's')
const large = Buffer.alloc(LARGE, 'l')
const uploads = new Map<string, string>()

const CASES: readonly Case[] = [
  { what: 'a new object', prepare: async () => {}, write: (key) => oss.put(key, large), after: large },
  { what: 'an object in place of another', prepare: stored, write: (key) => oss.put(key, large), after: large },
  { what: 'a small object', prepare: stored, write: (key) => oss.put(key, small), after: small },
  {
    what: 'a few bytes more of an appendable object',
    prepare: async (key) => void (await oss.append(key, old, { position: '0' })),
    write: (key) => oss.append(key, small, { position: '3' }),
    after: Buffer.concat([old, small]),
  },
  {
    what: 'the first bytes of an appendable object',
    prepare: async () => {},
    write: (key) => oss.append(key, large, { position: '0' }),
    after: large,
  },
  {
    what: 'more bytes of an appendable object',
    prepare: async (key) => void (await oss.append(key, old, { position: '0' })),
    write: (key) => oss.append(key, large, { position: '3' }),
    after: Buffer.concat([old, large]),
  },
  {
    what: 'a part',
    async prepare(key) {
      await stored(key)
      uploads.set(key, (await oss.initMultipartUpload(key)).uploadId)
    },
    write: (key) => oss.uploadPart(key, uploads.get(key) ?? '', 1, part as never, 0, PART),
    after: old,
  },
  { what: 'a form', prepare: stored, write: (key) => postForm(key, large), after: large },
]

const MOMENTS = [
  ['write', 1],
  ['write', 2],
  ['fsync', 1],
  ['rename', 1],
] as const

describe.each(CASES)('$what', ({ prepare, write, after }) => {
  test.each(MOMENTS)(
    'is not acknowledged when the disk fails at %s number %i, and leaves no trace',
    async (step, nth) => {
      const key = `disk/${randomUUID()}`
      await prepare(key)
      const before = await seen(key)
      const id = local.faults.add({ fault: 'disk', step, nth })
      const outcome = await write(key).then(
        () => 'acknowledged',
        (error: { status?: number }) => error.status,
      )
      const struck = local.faults.list().find((fault) => fault.id === id)?.struck
      // A small body is written in one piece, so a second never comes.
      expect(outcome).toBe(struck === 0 ? 'acknowledged' : 500)
      if (struck === 0) return
      expect(await seen(key)).toEqual(before)

      await write(key)
      expect((await seen(key)).md5).toBe(md5Of(after))
    },
  )
})

async function stored(key: string): Promise<void> {
  await oss.put(key, old)
}

/** All that a client, or whoever looks at the disk, can see of a key. */
async function seen(key: string) {
  const { objects = [] } = await oss.list({ prefix: key, 'max-keys': 10 }, {})
  const { uploads: open = [] } = (await oss.listUploads({ prefix: key, 'max-uploads': 10 }, {})) as {
    uploads?: object[]
  }
  const uploadId = uploads.get(key)
  const parts =
    uploadId === undefined ? undefined : await oss.listParts(key, uploadId, { 'max-parts': 10 } as never, {})
  const got = await oss.get(key).catch(() => undefined)
  const content = got && Buffer.from(got.content as Buffer)
  if (content) expect((got.res.headers as Record<string, string>)['x-oss-hash-crc64ecma']).toBe(crc64Of(content))
  return {
    listed: (objects ?? []).map(({ name, size, etag }) => ({ name, size, etag })),
    uploads: open.length,
    parts: (parts as { parts?: unknown } | undefined)?.parts,
    md5: md5Of(content),
    held: await heldIn(join(dir, 'oss')),
  }
}

function md5Of(content: Buffer | undefined): string {
  return content === undefined ? 'nothing' : createHash('md5').update(content).digest('hex')
}

/** As a page uploads: https://help.aliyun.com/zh/oss/developer-reference/postobject */
async function postForm(key: string, bytes: Buffer): Promise<void> {
  const policy = { expiration: new Date(Date.now() + 60_000).toISOString(), conditions: [{ bucket: 'films' }] }
  const { OSSAccessKeyId, policy: encoded, Signature } = oss.calculatePostSignature(policy)
  const form = new FormData()
  const fields = { key, OSSAccessKeyId, policy: encoded, Signature }
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', new Blob([bytes as Uint8Array<ArrayBuffer>]))
  const answer = await fetch(`${local.cloud.oss.endpoint}/films`, { method: 'POST', body: form })
  const text = await answer.text()
  if (!answer.ok) throw Object.assign(new Error(text), { status: answer.status })
}
