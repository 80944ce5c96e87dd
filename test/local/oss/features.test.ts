import { createHash, randomUUID } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type Client, type OpenOss, openOss } from './open.ts'
import { type RawRequest, sendSigned } from './raw.ts'

let oss: OpenOss
let client: Client
beforeAll(async () => {
  oss = await openOss('by the nearer clock')
  client = oss.client('V4')
})
afterAll(() => oss.close())

const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}
const append = (key: string, position: number | string, body: string, headers: Record<string, string> = {}) =>
  signed({ method: 'POST', path: `/${BUCKET}/${key}?append&position=${position}`, body, headers })

describe('an appendable object', () => {
  test('grows at its end and tells where that is, with the checksum of the whole', async () => {
    const key = randomUUID()
    const first = await append(key, 0, 'hello ', { 'content-type': 'text/x-log', 'x-oss-meta-a': 'b' })
    expect(first).toMatchObject({ status: 200 })
    expect(first.headers).toMatchObject({ 'x-oss-next-append-position': '6' })
    const second = await append(key, 6, 'world')
    expect(second.headers).toMatchObject({ 'x-oss-next-append-position': '11' })
    await client.put(`${key}-whole`, Buffer.from('hello world'))
    const whole = (await client.head(`${key}-whole`)).res.headers as Record<string, string>
    const head = (await client.head(key)).res.headers as Record<string, string>
    expect(head).toMatchObject({
      'x-oss-object-type': 'Appendable',
      'x-oss-next-append-position': '11',
      'content-length': '11',
      'content-type': 'text/x-log',
      'x-oss-meta-a': 'b',
      'x-oss-hash-crc64ecma': whole['x-oss-hash-crc64ecma'],
    })
    expect(head).not.toHaveProperty('content-md5')
    expect(head.etag).not.toBe(first.headers.etag)
    expect((await client.get(key)).content.toString()).toBe('hello world')
    expect((await client.get(key, undefined, { headers: { Range: 'bytes=4-7' } } as never)).content.toString()).toBe(
      'o wo',
    )
    expect((await client.listV2({ prefix: key })).objects[0]).toMatchObject({ type: 'Appendable' })
  })

  test('is not appended to anywhere else', async () => {
    const key = randomUUID()
    expect(await append(key, 1, 'x')).toMatchObject({ status: 409, code: 'PositionNotEqualToLength' })
    await append(key, 0, 'abc')
    for (const position of [0, 2, 4]) {
      const refused = await append(key, position, 'x')
      expect(refused).toMatchObject({ status: 409, code: 'PositionNotEqualToLength' })
      expect(refused.headers).toMatchObject({ 'x-oss-next-append-position': '3' })
    }
    for (const position of ['-1', 'x']) {
      expect(await append(key, position, 'x')).toMatchObject({ status: 400, code: 'InvalidArgument' })
    }
    expect((await client.get(key)).content.toString()).toBe('abc')
  })

  test('is never a normal one, until it is copied', async () => {
    const key = randomUUID()
    await client.put(key, Buffer.from('abc'))
    expect(await append(key, 3, 'x')).toMatchObject({ status: 409, code: 'ObjectNotAppendable' })
    await append(`${key}-log`, 0, 'a')
    await append(`${key}-log`, 1, 'b')
    await client.copy(`${key}-copy`, `${key}-log`)
    const copy = (await client.head(`${key}-copy`)).res.headers as Record<string, string>
    const md5 = createHash('md5').update('ab').digest('hex').toUpperCase()
    expect(copy).toMatchObject({ 'x-oss-object-type': 'Normal', etag: `"${md5}"` })
    await client.put(`${key}-log`, Buffer.from('new'))
    expect((await client.get(`${key}-log`)).content.toString()).toBe('new')
  })

  test('takes one of two bodies for the same place', async () => {
    const key = randomUUID()
    const answers = await Promise.all(['aaa', 'bbb', 'ccc'].map((body) => append(key, 0, body)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409])
    const text = (await client.get(key)).content.toString()
    expect(['aaa', 'bbb', 'ccc']).toContain(text)
  })

  test('is still whole after a restart', async () => {
    const key = randomUUID()
    await append(key, 0, 'one ')
    await append(key, 4, 'two')
    await oss.restart()
    client = oss.client('V4')
    expect((await client.get(key)).content.toString()).toBe('one two')
    expect(await append(key, 7, '!')).toMatchObject({ status: 200 })
  })

  test('is refused where its Content-MD5 is another', async () => {
    const key = randomUUID()
    const headers = { 'content-md5': createHash('md5').update('y').digest('base64') }
    expect(await append(key, 0, 'x', headers)).toMatchObject({ status: 400, code: 'InvalidDigest' })
    await expect(client.head(key)).rejects.toMatchObject({ status: 404 })
  })
})

describe('tags', () => {
  test('are given with a put, counted, read, replaced and removed', async () => {
    const key = randomUUID()
    await client.put(key, Buffer.from('x'), { headers: { 'x-oss-tagging': 'k%2B1=v%3A1&k2=' } })
    expect((await client.head(key)).res.headers).toMatchObject({ 'x-oss-tagging-count': '2' })
    expect((await client.getObjectTagging(key)).tag).toEqual({ 'k+1': 'v:1', k2: '' })
    await client.putObjectTagging(key, { other: '1' })
    expect((await client.getObjectTagging(key)).tag).toEqual({ other: '1' })
    expect(await client.deleteObjectTagging(key)).toMatchObject({ status: 204 })
    expect((await client.getObjectTagging(key)).tag).toEqual({})
    expect((await client.head(key)).res.headers).not.toHaveProperty('x-oss-tagging-count')
  })

  test('go with a copy, unless others are asked for', async () => {
    const key = randomUUID()
    await client.put(key, Buffer.from('x'), { headers: { 'x-oss-tagging': 'a=1' } })
    const tagsOf = async (headers: Record<string, string>) => {
      await client.copy(`${key}-copy`, key, { headers } as never)
      return (await client.getObjectTagging(`${key}-copy`)).tag
    }
    expect(await tagsOf({ 'x-oss-tagging': 'b=2' })).toEqual({ a: '1' })
    expect(await tagsOf({ 'x-oss-tagging': 'b=2', 'x-oss-tagging-directive': 'Replace' })).toEqual({ b: '2' })
    expect(await tagsOf({ 'x-oss-tagging-directive': 'Replace' })).toEqual({})
    await expect(tagsOf({ 'x-oss-tagging-directive': 'Some' })).rejects.toMatchObject({ code: 'InvalidArgument' })
  })

  test('are given with uploads, appends and symbolic links', async () => {
    const key = randomUUID()
    const headers = { 'x-oss-tagging': 'a=1' }
    const { uploadId } = await client.initMultipartUpload(`${key}-parts`, { headers } as never)
    const part = await client.uploadPart(`${key}-parts`, uploadId, 1, Buffer.from('x') as never, 0, 1)
    await client.completeMultipartUpload(`${key}-parts`, uploadId, [{ number: 1, etag: part.etag }])
    await append(`${key}-log`, 0, 'x', headers)
    await client.putSymlink(`${key}-link`, key, { headers } as never)
    for (const kind of ['parts', 'log', 'link']) {
      expect((await client.getObjectTagging(`${key}-${kind}`)).tag).toEqual({ a: '1' })
    }
  })

  test('of a later append are not even looked at', async () => {
    const key = randomUUID()
    const wrong = { 'x-oss-tagging': 'a=1&a=2' }
    expect(await append(key, 0, 'x', wrong)).toMatchObject({ status: 400, code: 'InvalidTag' })
    await append(key, 0, 'x')
    expect(await append(key, 1, 'y', wrong)).toMatchObject({ status: 200 })
    expect((await client.getObjectTagging(key)).tag).toEqual({})
  })

  test.each([
    'a=1&a=2',
    Array.from({ length: 11 }, (_, n) => `k${n}=v`).join('&'),
    `${'k'.repeat(129)}=v`,
    `k=${'v'.repeat(257)}`,
    '=v',
    'a=%21',
    'a=1=2',
  ])('%s are refused', async (tagging) => {
    const put = client.put(randomUUID(), Buffer.from('x'), { headers: { 'x-oss-tagging': tagging } })
    await expect(put).rejects.toMatchObject({ status: 400, code: 'InvalidTag' })
  })
})

describe('encryption', () => {
  const sse = 'x-oss-server-side-encryption'

  test('is told by everything that writes or reads', async () => {
    const key = randomUUID()
    const put = await client.put(key, Buffer.from('x'), { headers: { [sse]: 'KMS', [`${sse}-key-id`]: 'key-1' } })
    expect(put.res.headers).toMatchObject({ [sse]: 'KMS', [`${sse}-key-id`]: 'key-1' })
    expect((await client.head(key)).res.headers).toMatchObject({ [sse]: 'KMS', [`${sse}-key-id`]: 'key-1' })
    expect((await client.get(key)).res.headers).toMatchObject({ [sse]: 'KMS' })
    await client.copy(`${key}-copy`, key)
    expect((await client.head(`${key}-copy`)).res.headers).not.toHaveProperty(sse)
  })

  test('comes from the bucket where the request is silent', async () => {
    const bucket = `sse-${randomUUID()}`
    await client.putBucket(bucket)
    const full = client as never as { putBucketEncryption(bucket: string, rule: object): Promise<object> }
    await full.putBucketEncryption(bucket, { SSEAlgorithm: 'AES256' })
    expect((await client.getBucketInfo(bucket)).bucket).toMatchObject({
      ServerSideEncryptionRule: { SSEAlgorithm: 'AES256' },
    })
    const inside = oss.client('V4')
    inside.useBucket(bucket)
    expect((await inside.put('key', Buffer.from('x'))).res.headers).toMatchObject({ [sse]: 'AES256' })
  })

  test.each([
    [{ [sse]: 'aes' }, 'InvalidEncryptionAlgorithmError'],
    [{ [sse]: 'AES256', [`${sse}-key-id`]: 'key-1' }, 'InvalidArgument'],
    [{ [`${sse}-key-id`]: 'key-1' }, 'InvalidArgument'],
  ])('%j is refused', async (headers, code) => {
    await expect(client.put(randomUUID(), Buffer.from('x'), { headers })).rejects.toMatchObject({ status: 400, code })
  })
})

describe('an archived object', () => {
  const HOUR_MS = 3_600_000
  const restoreHeader = async (key: string) => (await client.head(key)).res.headers as Record<string, string>
  const restore = (key: string, body?: string) =>
    signed({ method: 'POST', path: `/${BUCKET}/${key}?restore`, ...(body === undefined ? {} : { body }) })

  test('is read only while it is restored', async () => {
    const key = randomUUID()
    await client.put(key, Buffer.from('cold'), { headers: { 'x-oss-storage-class': 'Archive' } })
    expect(await restoreHeader(key)).toMatchObject({ 'x-oss-storage-class': 'Archive' })
    const invalid = { status: 403, code: 'InvalidObjectState' }
    await expect(client.get(key)).rejects.toMatchObject(invalid)
    await expect(client.copy(`${key}-copy`, key)).rejects.toMatchObject(invalid)
    expect(await restore(key)).toMatchObject({ status: 202 })
    expect(await restoreHeader(key)).toMatchObject({ 'x-oss-restore': 'ongoing-request="true"' })
    expect(await restore(key)).toMatchObject({ status: 409, code: 'RestoreAlreadyInProgress' })
    await expect(client.get(key)).rejects.toMatchObject(invalid)
    oss.advance(60_000)
    expect((await restoreHeader(key))['x-oss-restore']).toMatch(
      /^ongoing-request="false", expiry-date="\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"$/,
    )
    expect((await client.get(key)).content.toString()).toBe('cold')
    expect(await restore(key)).toMatchObject({ status: 200 })
    oss.advance(25 * HOUR_MS)
    await expect(client.get(key)).rejects.toMatchObject(invalid)
    expect(await restoreHeader(key)).not.toHaveProperty('x-oss-restore')
  })

  test('takes as long as its tier says', async () => {
    const key = randomUUID()
    await client.put(key, Buffer.from('x'), { headers: { 'x-oss-storage-class': 'ColdArchive' } })
    const body = '<RestoreRequest><Days>2</Days><JobParameters><Tier>Expedited</Tier></JobParameters></RestoreRequest>'
    expect(await restore(key, body)).toMatchObject({ status: 202 })
    oss.advance(HOUR_MS - 60_000)
    await expect(client.get(key)).rejects.toMatchObject({ status: 403 })
    oss.advance(60_000)
    expect((await client.get(key)).content.toString()).toBe('x')
    oss.advance(47 * HOUR_MS)
    expect((await client.get(key)).content.toString()).toBe('x')
    oss.advance(HOUR_MS)
    await expect(client.get(key)).rejects.toMatchObject({ status: 403 })
  })

  test.each([
    ['Archive', '<RestoreRequest><Days>0</Days></RestoreRequest>', 'MalformedXML'],
    ['Archive', '<RestoreRequest><Days>8</Days></RestoreRequest>', 'MalformedXML'],
    [
      'ColdArchive',
      '<RestoreRequest><Days>1</Days><JobParameters><Tier>Now</Tier></JobParameters></RestoreRequest>',
      'MalformedXML',
    ],
    ['Standard', '', 'OperationNotSupported'],
    ['IA', '', 'OperationNotSupported'],
  ])('of class %s is not restored by %j', async (storageClass, body, code) => {
    const key = randomUUID()
    await client.put(key, Buffer.from('x'), { headers: { 'x-oss-storage-class': storageClass } })
    expect(await restore(key, body)).toMatchObject({ status: 400, code })
  })

  test('that is not there is not restored', async () => {
    expect(await restore(randomUUID())).toMatchObject({ status: 404, code: 'NoSuchKey' })
  })
})

describe('a text', () => {
  const get = (key: string, headers: Record<string, string>) => signed({ path: `/${BUCKET}/${key}`, headers })

  test('is compressed for who can read that', async () => {
    const text = 'many lines of text\n'.repeat(10_000)
    await client.put('text', Buffer.from(text), { mime: 'text/plain' })
    const answer = await get('text', { 'accept-encoding': 'deflate, gzip' })
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' })
    expect(answer.headers).not.toHaveProperty('content-length')
    expect(answer.headers).not.toHaveProperty('etag')
    expect(answer.body.length).toBeLessThan(text.length / 10)
    expect(gunzipSync(answer.body).toString()).toBe(text)
    const plain = await get('text', {})
    expect(plain.headers).not.toHaveProperty('content-encoding')
    expect(plain.text).toBe(text)
  })

  test.each([
    ['a short text', 'text/plain', 'x'.repeat(1023), {}],
    ['a picture', 'image/png', 'x'.repeat(2048), {}],
    ['a range', 'text/plain', 'x'.repeat(2048), { range: 'bytes=0-2000' }],
  ])('is not: %s', async (_name, mime, body, headers) => {
    await client.put('not-compressed', Buffer.from(body), { mime })
    const answer = await get('not-compressed', { 'accept-encoding': 'gzip', ...headers })
    expect(answer.headers).not.toHaveProperty('content-encoding')
    expect(answer.headers).toHaveProperty('content-length')
  })
})
