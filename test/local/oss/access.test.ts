import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { BUCKET, type Client, type OpenOss, openOss } from './open.ts'
import { send } from './raw.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
  await oss.service.createBucket('bucket-two')
})
afterAll(() => oss.close())

const refused = { status: 403, code: 'AccessDenied' }
const PART = 100 * 1024

describe.each(['V1', 'V4'] as const)('credentials of one upload, with %s signatures', (version) => {
  let own: string
  let other: string
  let uploader: Client
  let owner: Client

  beforeEach(async () => {
    own = `uploads/${randomUUID()}/source`
    other = `${own}-other`
    owner = oss.client(version)
    const policy = {
      Version: '1',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['oss:PutObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
          Resource: [`acs:oss:*:*:${BUCKET}/${own}`],
        },
      ],
    }
    const request = { role: 'uploader', sessionName: 'u1', durationSeconds: 900, policy: JSON.stringify(policy) }
    uploader = oss.client(version, oss.credentials.issue(request))
    await owner.put(own, Buffer.from('own'))
    await owner.put(other, Buffer.from('other'))
  })

  test('put, upload, list, complete and abort on their own key', async () => {
    await uploader.put(own, Buffer.from('new'))
    const { uploadId } = await uploader.initMultipartUpload(own)
    const part = await uploader.uploadPart(own, uploadId, 1, Buffer.alloc(PART) as never, 0, PART)
    expect((await uploader.listParts(own, uploadId)).parts).toMatchObject({ PartNumber: '1' })
    await uploader.completeMultipartUpload(own, uploadId, [{ number: 1, etag: part.etag }])
    const second = await uploader.initMultipartUpload(own)
    await uploader.abortMultipartUpload(own, second.uploadId)
    expect((await owner.get(own)).content).toHaveLength(PART)
  })

  test.each<[string, (client: Client) => Promise<unknown>]>([
    ['get', (client) => client.get(own)],
    ['head', (client) => client.head(own)],
    ['object meta', (client) => client.getObjectMeta(own)],
    ['delete', (client) => client.delete(own)],
    ['delete with others', (client) => client.deleteMulti([own])],
    ['get ACL', (client) => client.getACL(own)],
    ['put ACL', (client) => client.putACL(own, 'public-read')],
    ['get symlink', (client) => client.getSymlink(own)],
    ['copy another object to it', (client) => client.copy(own, other)],
    ['copy itself', (client) => client.copy(own, own)],
    ['list', (client) => client.list({ prefix: own } as never, {})],
    ['list version 2', (client) => client.listV2({ prefix: own })],
    ['list uploads', (client) => client.listUploads({ prefix: own } as never, {})],
    ['list buckets', (client) => client.listBuckets({}, {} as never)],
    ['bucket info', (client) => client.getBucketInfo(BUCKET)],
    ['bucket ACL', (client) => client.getBucketACL(BUCKET)],
    ['put bucket ACL', (client) => client.putBucketACL(BUCKET, 'public-read')],
    ['bucket CORS', (client) => client.getBucketCORS(BUCKET)],
    ['delete bucket CORS', (client) => client.deleteBucketCORS(BUCKET)],
    ['create a bucket', (client) => client.putBucket('bucket-three')],
    ['delete a bucket', (client) => client.deleteBucket('bucket-two')],
    ['put another key', (client) => client.put(other, Buffer.from('x'))],
    ['put a longer key', (client) => client.put(`${own}/x`, Buffer.from('x'))],
    ['put a shorter key', (client) => client.put(own.slice(0, -1), Buffer.from('x'))],
    ['link another key', (client) => client.putSymlink(other, own, {} as never)],
    ['begin an upload of another key', (client) => client.initMultipartUpload(other)],
    ['copy its own to another key', (client) => client.copy(other, own)],
  ])('may not: %s', async (_name, operation) => {
    await expect(operation(uploader)).rejects.toMatchObject(refused)
    expect((await owner.get(own)).content.toString()).toBe('own')
    expect((await owner.get(other)).content.toString()).toBe('other')
  })

  test('may not touch another upload, nor the same key in another bucket', async () => {
    const { uploadId } = await owner.initMultipartUpload(other)
    const part = await owner.uploadPart(other, uploadId, 1, Buffer.from('x') as never, 0, 1)
    const put = uploader.uploadPart(other, uploadId, 1, Buffer.from('y') as never, 0, 1)
    await expect(put).rejects.toMatchObject(refused)
    const complete = uploader.completeMultipartUpload(other, uploadId, [{ number: 1, etag: part.etag }])
    await expect(complete).rejects.toMatchObject(refused)
    await expect(uploader.abortMultipartUpload(other, uploadId)).rejects.toMatchObject(refused)
    await expect(uploader.listParts(other, uploadId)).rejects.toMatchObject(refused)
    uploader.useBucket('bucket-two')
    await expect(uploader.put(own, Buffer.from('x'))).rejects.toMatchObject(refused)
  })

  test('may not copy a part from an object that they cannot read', async () => {
    const { uploadId } = await uploader.initMultipartUpload(own)
    const data = { sourceKey: other, sourceBucketName: BUCKET }
    await expect(uploader.uploadPartCopy(own, uploadId, 1, '0-1', data)).rejects.toMatchObject(refused)
  })
})

test('a session may delete several objects where its policy names them all', async () => {
  const Resource = [`acs:oss:*:*:${BUCKET}/mine/*`]
  const policy = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: 'oss:DeleteObject', Resource }] })
  const client = oss.client('V4', oss.credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900, policy }))
  const owner = oss.client('V4')
  for (const key of ['mine/1', 'mine/2', 'yours/1']) await owner.put(key, Buffer.from('x'))
  await expect(client.deleteMulti(['mine/1', 'yours/1'])).rejects.toMatchObject(refused)
  await owner.head('mine/1')
  await client.deleteMulti(['mine/1', 'mine/2'])
  await expect(owner.head('mine/1')).rejects.toMatchObject({ status: 404 })
})

test('a session may list the prefix that its policy names and no other', async () => {
  const policy = JSON.stringify({
    Statement: [
      {
        Effect: 'Allow',
        Action: 'oss:ListObjects',
        Resource: `acs:oss:*:*:${BUCKET}`,
        Condition: { StringLike: { 'oss:Prefix': 'mine/*' } },
      },
    ],
  })
  const client = oss.client('V1', oss.credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900, policy }))
  await client.list({ prefix: 'mine/' } as never, {})
  await expect(client.list({ prefix: 'yours/' } as never, {})).rejects.toMatchObject(refused)
  await expect(client.list({} as never, {})).rejects.toMatchObject(refused)
})

describe('without a signature', () => {
  const client = () => oss.client('V1')
  const anonymous = (method: string, path: string, body?: string) =>
    send(oss.service.port, { method, path, ...(body === undefined ? {} : { body }) })

  test('nothing private is given out or taken in', async () => {
    await client().put('private', Buffer.from('x'))
    for (const [method, path] of [
      ['GET', `/${BUCKET}/private`],
      ['GET', `/${BUCKET}/missing`],
      ['PUT', `/${BUCKET}/private`],
      ['DELETE', `/${BUCKET}/private`],
      ['GET', `/${BUCKET}/`],
      ['GET', '/'],
      ['PUT', '/bucket-four/'],
    ] as const) {
      expect(await anonymous(method, path, method === 'PUT' ? 'x' : undefined)).toMatchObject(refused)
    }
    expect((await anonymous('HEAD', `/${BUCKET}/private`)).status).toBe(403)
  })

  test('a public object is read, but its answer is not changed', async () => {
    await client().put('public', Buffer.from('x'))
    await client().putACL('public', 'public-read')
    expect(await anonymous('GET', `/${BUCKET}/public`)).toMatchObject({ status: 200, text: 'x' })
    const changed = await anonymous('GET', `/${BUCKET}/public?response-content-type=text/html`)
    expect(changed).toMatchObject({ status: 400, code: 'InvalidRequest' })
    expect(await anonymous('PUT', `/${BUCKET}/public`, 'y')).toMatchObject(refused)
    expect(await anonymous('GET', `/${BUCKET}/public?acl`)).toMatchObject(refused)
  })

  test('a public bucket opens its objects, but for those that are private themselves', async () => {
    await client().put('plain', Buffer.from('x'))
    await client().put('closed', Buffer.from('x'))
    await client().putACL('closed', 'private')
    await client().putBucketACL(BUCKET, 'public-read')
    onTestFinished(async () => void (await client().putBucketACL(BUCKET, 'private')))
    expect(await anonymous('GET', `/${BUCKET}/plain`)).toMatchObject({ status: 200 })
    expect(await anonymous('GET', `/${BUCKET}/closed`)).toMatchObject(refused)
    expect(await anonymous('PUT', `/${BUCKET}/plain`, 'y')).toMatchObject(refused)
  })

  test('a public link does not open a private object', async () => {
    await client().put('hidden', Buffer.from('x'))
    await client().putSymlink('link', 'hidden', {} as never)
    await client().putACL('link', 'public-read')
    expect(await anonymous('GET', `/${BUCKET}/link`)).toMatchObject(refused)
  })
})
