import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openTables } from '../../../local/oss/tables.ts'
import { heldIn, SMALL_BYTES } from './held.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'

let oss: OpenOss
beforeEach(async () => {
  oss = await openOss()
})
afterEach(() => oss.close())

const PART = 100 * 1024

const held = async () => (await heldIn(oss.dir)).map(({ name }) => name)

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

test('bytes that nothing names are removed at the start, and no others', async () => {
  const bodies = { small: Buffer.from('kept'), large: Buffer.alloc(SMALL_BYTES + 1, 'kept') }
  for (const [key, body] of Object.entries(bodies)) await oss.client('V1').put(key, body)
  const kept = await held()
  await writeFile(join(oss.dir, 'blobs', '00', '00ffffffffffffffffffffff'), 'left over')
  await writeFile(join(oss.dir, 'blobs', 'tmp', 'half'), 'left over')
  const tables = openTables(oss.dir)
  await tables.small.put('sffffffffffffffffffffffff', Buffer.from('left over'))
  await tables.close()
  expect(await held()).toHaveLength(kept.length + 3)
  await oss.restart()
  expect(await held()).toEqual(kept)
  for (const [key, body] of Object.entries(bodies)) {
    expect((await oss.client('V1').get(key)).content.equals(body)).toBe(true)
  }
})

test.each([
  ['small', 1],
  ['as large as small ones may be', SMALL_BYTES],
  ['larger', SMALL_BYTES + 1],
])('no bytes stay behind when objects that are %s are replaced, deleted, joined or aborted', async (_, size) => {
  const client = oss.client('V1')
  const bytes = (text: string) => Buffer.alloc(size, text)
  const part = (uploadId: string, number: number, length = PART) =>
    client.uploadPart('joined', uploadId, number, Buffer.alloc(length, number) as never, 0, length)
  await client.put('a', bytes('1'))
  await client.put('a', bytes('2'))
  await client.copy('b', 'a')
  await client.copy('b', 'b', { headers: { 'x-oss-storage-class': 'IA' } })
  await client.delete('a')
  const { uploadId } = await client.initMultipartUpload('joined')
  const one = await part(uploadId, 1)
  await part(uploadId, 2)
  const two = await part(uploadId, 2, size)
  await part(uploadId, 3, size)
  const parts = [one, two].map(({ etag }, i) => ({ number: i + 1, etag }))
  await client.completeMultipartUpload('joined', uploadId, parts)
  const other = await client.initMultipartUpload('joined')
  await part(other.uploadId, 1, size)
  await client.abortMultipartUpload('joined', other.uploadId)
  await expect(client.put('b', bytes('x'), { headers: { 'Content-MD5': 'bm90IGEgc3Vt' } })).rejects.toThrow()
  await expect(client.put('b', bytes('x'), { headers: { 'x-oss-forbid-overwrite': 'true' } })).rejects.toThrow()
  // What is left: the copy and the two parts that are joined.
  await vi.waitFor(async () => expect(await held()).toHaveLength(3))
  expect((await client.get('b')).content.equals(bytes('2'))).toBe(true)
  const joined = await client.get('joined')
  expect(joined.content.equals(Buffer.concat([Buffer.alloc(PART, 1), Buffer.alloc(size, 2)]))).toBe(true)
})

test('a download of small bytes is whole although the object is replaced meanwhile', async () => {
  const client = oss.client('V1')
  const bodies = ['1', '2'].map((text) => Buffer.alloc(SMALL_BYTES, text))
  const contents = Array.from({ length: 40 }, async (_, n) => {
    await client.put('contested', bodies[n % 2] ?? '')
    return (await client.get('contested')).content as Buffer
  })
  for (const content of await Promise.all(contents)) expect(bodies.some((body) => body.equals(content))).toBe(true)
  await vi.waitFor(async () => expect(await held()).toHaveLength(1))
})

test('writers of one key at once leave one whole object', async () => {
  const client = oss.client('V4')
  const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(200_000 + n, n))
  await Promise.all(bodies.map((body) => client.put('contested', body)))
  const { content } = await client.get('contested')
  expect(bodies.some((body) => body.equals(content as Buffer))).toBe(true)
  await vi.waitFor(async () => expect(await held()).toHaveLength(1))
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
