import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openBlobs } from '../../../local/oss/blobs.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'

let oss: OpenOss
beforeEach(async () => {
  oss = await openOss()
})
afterEach(() => oss.close())

const PART = 100 * 1024

async function files(): Promise<string[]> {
  const entries = await readdir(join(oss.dir, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

test('a restart loses nothing: objects, settings, uploads under way and their parts', async () => {
  const client = () => oss.client('V4')
  const [bytes, first, second] = [randomBytes(1_000_000), randomBytes(PART), randomBytes(10)]
  await client().put('object', bytes, { mime: 'video/mp4', meta: { uid: '1' } as never })
  await client().putACL('object', 'public-read')
  await client().putBucketCORS(BUCKET, [{ allowedOrigin: '*', allowedMethod: 'GET' }])
  await client().putSymlink('link', 'object', {} as never)
  const { uploadId } = await client().initMultipartUpload('parts')
  const one = await client().uploadPart('parts', uploadId, 1, first as never, 0, PART)
  const session = oss.credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900 })

  await oss.restart()

  const got = await client().get('link')
  expect(got.content.equals(bytes)).toBe(true)
  const { res } = await client().head('object')
  expect(res.headers).toMatchObject({ 'content-type': 'video/mp4', 'x-oss-meta-uid': '1' })
  expect((await client().getACL('object')).acl).toBe('public-read')
  expect((await client().getBucketCORS(BUCKET)).rules).toHaveLength(1)
  const two = await oss.client('V4', session).uploadPart('parts', uploadId, 2, second as never, 0, 10)
  await client().completeMultipartUpload('parts', uploadId, [
    { number: 1, etag: one.etag },
    { number: 2, etag: two.etag },
  ])
  expect((await client().get('parts')).content.equals(Buffer.concat([first, second]))).toBe(true)
})

test('files that nothing names are removed at the start, and no other', async () => {
  const client = () => oss.client('V1')
  await client().put('kept', Buffer.from('kept'))
  const [kept] = await files()
  await writeFile(join(oss.dir, 'blobs', '00', '00ffffffffffffffffffffff'), 'left over')
  await writeFile(join(oss.dir, 'blobs', 'tmp', 'half'), 'left over')
  await oss.restart()
  expect(await files()).toEqual([kept])
  expect((await client().get('kept')).content.toString()).toBe('kept')
})

test('no bytes stay behind when objects are replaced, deleted, joined or aborted', async () => {
  const client = oss.client('V1')
  const part = (uploadId: string, number: number) =>
    client.uploadPart('joined', uploadId, number, Buffer.alloc(PART) as never, 0, PART)
  await client.put('a', Buffer.from('1'))
  await client.put('a', Buffer.from('2'))
  await client.copy('b', 'a')
  await client.delete('a')
  const { uploadId } = await client.initMultipartUpload('joined')
  const one = await part(uploadId, 1)
  await part(uploadId, 2)
  await part(uploadId, 2)
  await client.completeMultipartUpload('joined', uploadId, [{ number: 1, etag: one.etag }])
  const other = await client.initMultipartUpload('joined')
  await part(other.uploadId, 1)
  await client.abortMultipartUpload('joined', other.uploadId)
  await expect(client.put('b', Buffer.from('x'), { headers: { 'Content-MD5': 'bm90IGEgc3Vt' } })).rejects.toThrow()
  await expect(client.put('b', Buffer.from('x'), { headers: { 'x-oss-forbid-overwrite': 'true' } })).rejects.toThrow()
  // What is left: the copy and the one part that is joined.
  await vi.waitFor(async () => expect(await files()).toHaveLength(2))
  expect((await client.get('b')).content.toString()).toBe('2')
})

test('writers of one key at once leave one whole object', async () => {
  const client = oss.client('V4')
  const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(200_000 + n, n))
  await Promise.all(bodies.map((body) => client.put('contested', body)))
  const { content } = await client.get('contested')
  expect(bodies.some((body) => body.equals(content as Buffer))).toBe(true)
  await vi.waitFor(async () => expect(await files()).toHaveLength(1))
})

test('a bucket that is made again keeps its objects and takes new rules', async () => {
  await oss.client('V1').put('kept', Buffer.from('x'))
  await oss.service.createBucket(BUCKET, { cors: [{ allowedOrigins: ['*'], allowedMethods: ['GET'] }] })
  await oss.service.createBucket(BUCKET)
  expect((await oss.client('V1').getBucketCORS(BUCKET)).rules).toHaveLength(1)
  expect((await oss.client('V1').get('kept')).content.toString()).toBe('x')
})

test('a port that is taken is an error that says so', async () => {
  const { startOss } = await import('../../../local/oss/index.ts')
  const { credentials, service, dir } = oss
  const options = { host: '127.0.0.1', region: 'cn-hangzhou', credentials, now: Date.now }
  const second = startOss({ ...options, port: service.port, dataDir: join(dir, 'second') })
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('the file of what was displaced goes only when the index on the disk names it no more', async () => {
  const dir = join(oss.dir, 'apart')
  let flush = () => {}
  const flushed = new Promise<void>((resolve) => {
    flush = resolve
  })
  const blobs = openBlobs(dir, undefined, () => flushed)
  async function* body() {
    yield Buffer.from('content')
  }
  const stored = await blobs.write(body(), () => {}, 100)
  const held = async () => (await readdir(dir, { recursive: true })).filter((name) => /[0-9a-f]{24}$/.test(name))
  blobs.drop(stored.blobs)
  expect(await held()).toHaveLength(1)
  flush()
  await blobs.settled()
  expect(await held()).toEqual([])
})
