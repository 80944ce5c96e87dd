import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { crc64 } from '../../../local/oss/crc64.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { send, signedV1 } from './raw.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const PART = 100 * 1024
const newKey = () => `multipart/${randomUUID()}`

function checksum(bytes: Buffer): string {
  const sum = crc64()
  sum.update(bytes)
  return sum.value().toString()
}

describe.each(['V1', 'V4'] as const)('a multipart upload with %s signatures', (version) => {
  const client = () => oss.client(version)

  async function fileOf(bytes: Buffer): Promise<string> {
    const path = join(tmpdir(), randomUUID())
    onTestFinished(() => rm(path, { force: true }))
    await writeFile(path, bytes)
    return path
  }

  async function start(key: string, parts: readonly Buffer[]) {
    const { uploadId } = await client().initMultipartUpload(key)
    const done = []
    for (const [index, bytes] of parts.entries()) {
      const answer = await client().uploadPart(key, uploadId, index + 1, bytes as never, 0, bytes.length)
      done.push({ number: index + 1, etag: answer.etag })
    }
    return { uploadId, done }
  }

  test('joins its parts, with an ETag and a checksum of the whole', async () => {
    const key = newKey()
    const bytes = randomBytes(5 * PART + 17)
    const options = { partSize: PART, parallel: 3, mime: 'video/mp4', meta: { uid: '1' } as never }
    const { etag } = (await client().multipartUpload(key, await fileOf(bytes), options)) as { etag: string }
    expect(etag).toMatch(/^"[0-9A-F]{32}-6"$/)
    const got = await client().get(key)
    expect(got.content.equals(bytes)).toBe(true)
    expect(got.res.headers).toMatchObject({
      etag,
      'content-type': 'video/mp4',
      'x-oss-meta-uid': '1',
      'x-oss-object-type': 'Multipart',
      'x-oss-hash-crc64ecma': checksum(bytes),
    })
    const range = await client().get(key, { headers: { Range: `bytes=${PART - 5}-${3 * PART + 4}` } })
    expect(range.content.equals(bytes.subarray(PART - 5, 3 * PART + 5))).toBe(true)
  })

  test('goes on from a checkpoint after it was cut off', async () => {
    const key = newKey()
    const bytes = randomBytes(6 * PART)
    const file = await fileOf(bytes)
    let checkpoint: unknown
    const first = client()
    const interrupted = first.multipartUpload(key, file, {
      partSize: PART,
      parallel: 1,
      progress: (fraction: number, state: unknown) => {
        checkpoint = state
        if (fraction >= 0.5) (first as unknown as { cancel(): void }).cancel()
      },
    })
    await expect(interrupted).rejects.toMatchObject({ name: 'cancel' })
    await expect(client().head(key)).rejects.toMatchObject({ status: 404 })
    const { uploadId } = checkpoint as { uploadId: string }
    const stored = await client().listParts(key, uploadId)
    // The SDK may have had one more part under way when it was told to stop.
    expect([3, 4]).toContain(stored.parts.length)
    await client().multipartUpload(key, file, { checkpoint: checkpoint as never })
    expect((await client().get(key)).content.equals(bytes)).toBe(true)
  })

  test('lists its parts, a page at a time', async () => {
    const key = newKey()
    const { uploadId, done } = await start(key, [randomBytes(PART), randomBytes(PART), Buffer.from('end')])
    const first = await client().listParts(key, uploadId, { 'max-parts': 2 })
    expect(first).toMatchObject({ uploadId, bucket: BUCKET, name: key, isTruncated: 'true', nextPartNumberMarker: '2' })
    expect((first.parts as unknown as { ETag: string }[]).map(({ ETag }) => ETag)).toEqual(
      done.slice(0, 2).map((one) => one.etag),
    )
    const rest = await client().listParts(key, uploadId, { 'part-number-marker': 2 })
    expect(rest).toMatchObject({ isTruncated: 'false', parts: { PartNumber: '3', Size: '3' } })
  })

  test('takes the last version of a part and only the parts that are named', async () => {
    const key = newKey()
    const [one, two] = [randomBytes(PART), randomBytes(PART)]
    const { uploadId } = await start(key, [randomBytes(PART), randomBytes(PART), Buffer.from('unused')])
    const first = await client().uploadPart(key, uploadId, 1, one as never, 0, PART)
    const last = await client().uploadPart(key, uploadId, 7, two as never, 0, PART)
    const parts = [
      { number: 1, etag: first.etag },
      { number: 7, etag: last.etag.replaceAll('"', '').toLowerCase() },
    ]
    await client().completeMultipartUpload(key, uploadId, parts)
    expect((await client().get(key)).content.equals(Buffer.concat([one, two]))).toBe(true)
  })

  test('is refused when a part is missing or is another one', async () => {
    const key = newKey()
    const { uploadId, done } = await start(key, [randomBytes(PART)])
    const complete = (parts: { number: number; etag: string }[]) =>
      client().completeMultipartUpload(key, uploadId, parts)
    const refused = { status: 400, code: 'InvalidPart' }
    await expect(complete([...done, { number: 2, etag: '"X"' }])).rejects.toMatchObject(refused)
    await expect(complete([{ number: 1, etag: `"${'0'.repeat(32)}"` }])).rejects.toMatchObject(refused)
    await expect(client().head(key)).rejects.toMatchObject({ status: 404 })
  })

  test('is refused when a part before the last is smaller than 100 KB', async () => {
    const key = newKey()
    const { uploadId, done } = await start(key, [randomBytes(PART - 1), randomBytes(PART)])
    const complete = client().completeMultipartUpload(key, uploadId, done)
    await expect(complete).rejects.toMatchObject({ status: 400, code: 'EntityTooSmall' })
  })

  test('is over once it is completed or aborted', async () => {
    const key = newKey()
    const noUpload = { status: 404, code: 'NoSuchUpload' }
    const completed = await start(key, [Buffer.from('x')])
    await client().completeMultipartUpload(key, completed.uploadId, completed.done)
    const aborted = await start(key, [Buffer.from('y')])
    expect((await client().abortMultipartUpload(key, aborted.uploadId)).res.status).toBe(204)
    for (const { uploadId, done } of [completed, aborted]) {
      await expect(client().completeMultipartUpload(key, uploadId, done)).rejects.toMatchObject(noUpload)
      await expect(client().abortMultipartUpload(key, uploadId)).rejects.toMatchObject(noUpload)
      await expect(client().listParts(key, uploadId)).rejects.toMatchObject(noUpload)
      const part = client().uploadPart(key, uploadId, 1, Buffer.from('z') as never, 0, 1)
      await expect(part).rejects.toMatchObject(noUpload)
    }
    expect((await client().get(key)).content.toString()).toBe('x')
  })

  test('belongs to its key', async () => {
    const { uploadId, done } = await start(newKey(), [Buffer.from('x')])
    const other = client().completeMultipartUpload(newKey(), uploadId, done)
    await expect(other).rejects.toMatchObject({ code: 'NoSuchUpload' })
  })

  test('is listed until it is over', async () => {
    const prefix = `${newKey()}/`
    const first = await start(`${prefix}a`, [])
    const second = await start(`${prefix}a`, [])
    const third = await start(`${prefix}deep/b`, [])
    const list = async (query: object) => await client().listUploads({ prefix, ...query } as never, {})
    const ids = ({ uploads }: { uploads: { uploadId: string }[] }) => uploads.map(({ uploadId }) => uploadId)
    expect(ids((await list({})) as never)).toEqual(
      [first, second]
        .map((one) => one.uploadId)
        .sort()
        .concat(third.uploadId),
    )
    const page = (await list({ 'max-uploads': 1 })) as unknown as Record<string, string> & { uploads: [] }
    expect(page).toMatchObject({ isTruncated: true, nextKeyMarker: `${prefix}a` })
    const next = { 'key-marker': page.nextKeyMarker, 'upload-id-marker': page.nextUploadIdMarker }
    expect(ids((await list(next)) as never)).toHaveLength(2)
    expect(ids((await list({ delimiter: '/' })) as never)).toHaveLength(2)
    await client().abortMultipartUpload(`${prefix}a`, first.uploadId)
    expect(ids((await list({})) as never)).toHaveLength(2)
  })

  test('can take its parts from other objects', async () => {
    const [source, key] = [newKey(), newKey()]
    const bytes = randomBytes(4 * PART + 3)
    await client().put(source, bytes)
    const data = { sourceKey: source, sourceBucketName: BUCKET }
    await client().multipartUploadCopy(key, data, { partSize: PART })
    expect((await client().get(key)).content.equals(bytes)).toBe(true)
    const { uploadId } = await client().initMultipartUpload(newKey())
    const outside = client().uploadPartCopy(key, uploadId, 1, '0-999999999', data)
    await expect(outside).rejects.toMatchObject({ code: 'NoSuchUpload' })
  })

  test('does not replace an object that appeared meanwhile, if that is forbidden', async () => {
    const key = newKey()
    const { uploadId, done } = await start(key, [Buffer.from('new')])
    await client().put(key, Buffer.from('old'))
    const headers = { 'x-oss-forbid-overwrite': 'true' }
    const complete = client().completeMultipartUpload(key, uploadId, done, { headers })
    await expect(complete).rejects.toMatchObject({ status: 409, code: 'FileAlreadyExists' })
    expect((await client().get(key)).content.toString()).toBe('old')
  })
})

describe('what the SDK cannot send', () => {
  const keys = () => ({ accessKeyId: oss.credentials.accessKeyId, accessKeySecret: oss.credentials.accessKeySecret })

  async function complete(key: string, uploadId: string, request: { body?: string; headers?: Record<string, string> }) {
    const path = `/${BUCKET}/${key}?uploadId=${uploadId}`
    return await send(oss.service.port, signedV1(keys(), { method: 'POST', path, ...request }, path))
  }

  async function uploadOf(key: string): Promise<string> {
    const client = oss.client('V1')
    const { uploadId } = await client.initMultipartUpload(key)
    for (const number of [1, 2])
      await client.uploadPart(key, uploadId, number, Buffer.alloc(PART, number) as never, 0, PART)
    return uploadId
  }

  const eTag = (number: number) => createHash('md5').update(Buffer.alloc(PART, number)).digest('hex').toUpperCase()
  const part = (number: number) => `<Part><PartNumber>${number}</PartNumber><ETag>"${eTag(number)}"</ETag></Part>`

  test.each([
    ['parts out of order', () => part(2) + part(1), 'InvalidPartOrder'],
    ['a part twice', () => part(1) + part(1), 'InvalidPartOrder'],
    ['no part', () => '', 'MalformedXML'],
    ['a part without ETag', () => '<Part><PartNumber>1</PartNumber></Part>', 'MalformedXML'],
    ['a number that is none', () => '<Part><PartNumber>x</PartNumber><ETag>x</ETag></Part>', 'MalformedXML'],
    ['broken XML', () => '<Part>', 'MalformedXML'],
  ])('%s are refused', async (_name, parts, code) => {
    const key = newKey()
    const uploadId = await uploadOf(key)
    const body = `<CompleteMultipartUpload>${parts()}</CompleteMultipartUpload>`
    expect(await complete(key, uploadId, { body })).toMatchObject({ status: 400, code })
  })

  test('complete-all takes every part that is there', async () => {
    const key = newKey()
    const headers = { 'x-oss-complete-all': 'yes' }
    const uploadId = await uploadOf(key)
    expect(await complete(key, uploadId, { headers, body: 'x' })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
    })
    expect(await complete(key, uploadId, { headers, body: '' })).toMatchObject({ status: 200 })
    expect((await oss.client('V1').head(key)).res.headers).toMatchObject({ 'content-length': String(2 * PART) })
  })

  test.each(['0', '10001', 'x', ''])('the part number %j is refused', async (number) => {
    const key = newKey()
    const { uploadId } = await oss.client('V1').initMultipartUpload(key)
    const path = `/${BUCKET}/${key}?partNumber=${number}&uploadId=${uploadId}`
    const resource = number === '' ? path.replace('partNumber=', 'partNumber') : path
    const answer = await send(oss.service.port, signedV1(keys(), { method: 'PUT', path, body: 'x' }, resource))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })
})

test('beginning, parts and end of an upload are announced by their own names', async () => {
  const client = oss.client('V4')
  const key = newKey()
  oss.events.length = 0
  const bytes = randomBytes(2 * PART)
  const path = join(tmpdir(), randomUUID())
  onTestFinished(() => rm(path, { force: true }))
  await writeFile(path, bytes)
  await client.multipartUpload(key, path, { partSize: PART, parallel: 1, mime: 'video/mp4' })
  expect(oss.events.map(({ eventName }) => eventName.replace('ObjectCreated:', ''))).toEqual([
    'InitiateMultipartUpload',
    'UploadPart',
    'UploadPart',
    'CompleteMultipartUpload',
  ])
  expect(oss.events.at(-1)).toMatchObject({
    key,
    size: 2 * PART,
    contentType: 'video/mp4',
    eTag: expect.stringMatching(/-2$/),
  })
})
