import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { send } from './raw.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const newName = () => `b-${randomUUID()}`
const rule = {
  allowedOrigin: ['https://app.example.com', 'http://*.local.test'],
  allowedMethod: ['PUT', 'POST', 'GET'],
  allowedHeader: ['content-type', 'x-oss-*'],
  exposeHeader: ['ETag', 'x-oss-request-id'],
  maxAgeSeconds: '600',
}

describe.each(['V1', 'V4'] as const)('a bucket with %s signatures', (version) => {
  const client = () => oss.client(version)

  test('is made, described, listed and removed', async () => {
    const name = newName()
    await client().putBucket(name)
    await client().putBucket(name)
    expect((await client().getBucketInfo(name)).bucket).toMatchObject({
      Name: name,
      Location: 'oss-cn-hangzhou',
      AccessControlList: { Grant: 'private' },
    })
    expect((await client().getBucketLocation(name)).location).toBe('oss-cn-hangzhou')
    const { buckets } = (await client().listBuckets({ prefix: name }, {} as never)) as unknown as { buckets: object[] }
    expect(buckets).toMatchObject([{ name, region: 'oss-cn-hangzhou' }])
    await client().deleteBucket(name)
    await expect(client().getBucketInfo(name)).rejects.toMatchObject({ status: 404, code: 'NoSuchBucket' })
    await expect(client().deleteBucket(name)).rejects.toMatchObject({ status: 404, code: 'NoSuchBucket' })
  })

  test('is not removed while it holds an object or an upload', async () => {
    const name = newName()
    await client().putBucket(name)
    const inside = client()
    inside.useBucket(name)
    await inside.put('x', Buffer.from('x'))
    const notEmpty = { status: 409, code: 'BucketNotEmpty' }
    await expect(client().deleteBucket(name)).rejects.toMatchObject(notEmpty)
    await inside.delete('x')
    const { uploadId } = await inside.initMultipartUpload('x')
    await expect(client().deleteBucket(name)).rejects.toMatchObject(notEmpty)
    await inside.abortMultipartUpload('x', uploadId)
    await client().deleteBucket(name)
  })

  test('has an ACL', async () => {
    const name = newName()
    await client().putBucket(name, { acl: 'public-read' } as never)
    expect((await client().getBucketACL(name)).acl).toBe('public-read')
    await client().putBucketACL(name, 'private')
    expect((await client().getBucketACL(name)).acl).toBe('private')
    await expect(client().putBucketACL(name, 'open' as never)).rejects.toMatchObject({ code: 'InvalidArgument' })
  })

  test('has CORS rules, until they are removed', async () => {
    const name = newName()
    await client().putBucket(name)
    await expect(client().getBucketCORS(name)).rejects.toMatchObject({ code: 'NoSuchCORSConfiguration' })
    await client().putBucketCORS(name, [rule])
    expect((await client().getBucketCORS(name)).rules).toMatchObject([rule])
    await client().deleteBucketCORS(name)
    await expect(client().getBucketCORS(name)).rejects.toMatchObject({ code: 'NoSuchCORSConfiguration' })
  })

  test.each([
    { ...rule, allowedMethod: ['PATCH'] },
    { ...rule, allowedOrigin: ['http://*.*.test'] },
    { ...rule, allowedHeader: ['*-*'] },
    { ...rule, exposeHeader: ['*'] },
    { ...rule, maxAgeSeconds: 'long' },
  ])('refuses the CORS rule %j', async (bad) => {
    await expect(client().putBucketCORS(BUCKET, [bad as never])).rejects.toMatchObject({ status: 400 })
  })

  test('that does not exist holds nothing', async () => {
    const nowhere = client()
    nowhere.useBucket(newName())
    const missing = { status: 404, code: 'NoSuchBucket' }
    await expect(nowhere.put('x', Buffer.from('x'))).rejects.toMatchObject(missing)
    await expect(nowhere.get('x')).rejects.toMatchObject(missing)
    await expect(nowhere.list({} as never, {})).rejects.toMatchObject(missing)
    await expect(nowhere.initMultipartUpload('x')).rejects.toMatchObject(missing)
    await expect(nowhere.delete('x')).rejects.toMatchObject(missing)
  })
})

describe('a page of another origin', () => {
  const bucket = newName()
  const preflight = (headers: Record<string, string>, path = `/${bucket}/key`) =>
    send(oss.service.port, { method: 'OPTIONS', path, headers })

  beforeAll(async () => {
    const allowed = { allowedOrigins: ['*'], allowedMethods: ['GET'], exposeHeaders: ['ETag'] }
    const { allowedOrigin: allowedOrigins, allowedMethod: allowedMethods, allowedHeader, exposeHeader } = rule
    const own = { allowedOrigins, allowedMethods, allowedHeaders: allowedHeader, exposeHeaders: exposeHeader }
    await oss.service.createBucket(bucket, { cors: [{ ...own, maxAgeSeconds: 600 }, allowed] })
    const client = oss.client('V1')
    client.useBucket(bucket)
    await client.put('key', Buffer.from('x'))
    await client.putACL('key', 'public-read')
  })

  test('is told what it may do', async () => {
    const answer = await preflight({
      origin: 'https://app.example.com',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'content-type, X-OSS-Date',
    })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-methods': 'PUT, POST, GET',
      'access-control-allow-headers': 'content-type, X-OSS-Date',
      'access-control-expose-headers': 'ETag, x-oss-request-id',
      'access-control-max-age': '600',
      vary: 'Origin',
    })
  })

  test.each([
    ['another origin', { origin: 'https://evil.example.com', 'access-control-request-method': 'PUT' }],
    ['a longer origin', { origin: 'https://app.example.com.evil', 'access-control-request-method': 'PUT' }],
    ['another method', { origin: 'https://app.example.com', 'access-control-request-method': 'DELETE' }],
    [
      'another header',
      {
        origin: 'https://app.example.com',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'x-other',
      },
    ],
  ])('is refused with %s', async (_name, headers) => {
    const answer = await preflight(headers)
    expect(answer).toMatchObject({ status: 403, code: 'AccessForbidden' })
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
  })

  test('is refused where there are no rules, or no question', async () => {
    const question = { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' }
    expect(await preflight(question, `/${BUCKET}/key`)).toMatchObject({ status: 403, code: 'AccessForbidden' })
    expect(await preflight({})).toMatchObject({ status: 400 })
  })

  test('reads answers and errors alike, even from nowhere', async () => {
    for (const [path, status] of [
      ['key', 200],
      ['missing', 403],
    ] as const) {
      const answer = await send(oss.service.port, { path: `/${bucket}/${path}`, headers: { origin: 'null' } })
      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'ETag',
      })
    }
    const wild = await send(oss.service.port, { path: `/${bucket}/key`, headers: { origin: 'http://a.local.test' } })
    expect(wild.headers['access-control-allow-origin']).toBe('http://a.local.test')
  })

  test('gets no such header when it does not ask or may not', async () => {
    const silent = await send(oss.service.port, { path: `/${bucket}/key` })
    expect(silent.headers).not.toHaveProperty('access-control-allow-origin')
    const put = await send(oss.service.port, { method: 'PUT', path: `/${bucket}/key`, headers: { origin: 'null' } })
    expect(put.headers).not.toHaveProperty('access-control-allow-origin')
  })
})
