import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Objects, openObjects } from '../../../shared/cloud/oss.ts'
import { BUCKET, type OpenOss, openOss } from '../oss/open.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

let oss: OpenOss
let proxy: FaultProxy
beforeAll(async () => {
  oss = await openOss()
  proxy = await faultProxy(oss.service.url)
})
afterAll(async () => {
  await proxy.close()
  await oss.close()
})

function objects(
  keys: { accessKeyId: string; accessKeySecret: string; securityToken?: string } = oss.credentials,
  endpoint = oss.service.url,
): Objects {
  const config = {
    endpoint,
    publicEndpoint: endpoint,
    bucket: BUCKET,
    addressing: 'path',
    region: 'cn-hangzhou',
  } as const
  return openObjects(config, keys, { tries: 3, baseDelayMs: 1, timeoutMs: 5000 })
}

const stored = { contentType: 'video/mp2t', forbidOverwrite: true }

test('an object is stored, looked at and removed', async () => {
  const bucket = objects()
  expect(await bucket.put('a/1.ts', Buffer.from('hello'), { ...stored, cacheControl: 'max-age=1' })).toBe('stored')
  expect(await bucket.head('a/1.ts')).toEqual({
    size: 5,
    etag: '5D41402ABC4B2A76B9719D911017C592',
    crc64: expect.stringMatching(/^\d+$/),
    type: 'Normal',
    storageClass: 'Standard',
    contentType: 'video/mp2t',
  })
  await bucket.remove('a/1.ts')
  expect(await bucket.head('a/1.ts')).toBeUndefined()
  await expect(bucket.remove('a/1.ts')).resolves.toBeUndefined()
})

test('an object that must not be replaced is left as it is', async () => {
  const bucket = objects()
  await bucket.put('b/1.ts', Buffer.from('first'), stored)
  expect(await bucket.put('b/1.ts', Buffer.from('second!'), stored)).toBe('exists')
  expect((await bucket.head('b/1.ts'))?.size).toBe(5)
  expect(await bucket.put('b/1.ts', Buffer.from('second!'), { ...stored, forbidOverwrite: false })).toBe('stored')
  expect((await bucket.head('b/1.ts'))?.size).toBe(7)
})

test('a part of a larger buffer is stored alone', async () => {
  const bucket = objects()
  await bucket.put('b/2.ts', Buffer.from('0123456789').subarray(2, 5), stored)
  expect(await (await fetch(bucket.presignGet('b/2.ts', { expiresSeconds: 60 }))).text()).toBe('234')
})

test('an object that has changed is a conflict, and one that has not is found', async () => {
  const bucket = objects()
  await bucket.put('c/1', Buffer.from('one'), { contentType: 'text/plain', forbidOverwrite: false })
  const etag = (await bucket.head('c/1'))?.etag ?? ''
  expect(await bucket.head('c/1', { ifMatch: etag })).toMatchObject({ etag })
  await bucket.put('c/1', Buffer.from('two'), { contentType: 'text/plain', forbidOverwrite: false })
  await expect(bucket.head('c/1', { ifMatch: etag })).rejects.toMatchObject({ code: 'conflict' })
})

test('objects are listed by prefix, beyond one page', async () => {
  const bucket = objects()
  const names = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(4, '0')}`)
  for (let start = 0; start < names.length; start += 50) {
    await Promise.all(names.slice(start, start + 50).map((name) => bucket.put(name, Buffer.from('x'), stored)))
  }
  const found: string[] = []
  for await (const { key, size } of bucket.list('many/')) {
    expect(size).toBe(1)
    found.push(key)
  }
  expect(found).toEqual(names)
})

test('an empty prefix lists nothing', async () => {
  for await (const object of objects().list('nothing-here/')) throw new Error(`unexpected ${object.key}`)
})

test('a symlink is told from what it points to', async () => {
  const bucket = objects()
  await bucket.put('d/target', Buffer.from('x'), stored)
  await oss.client('V4').putSymlink('d/link', 'd/target', {})
  expect(await bucket.isSymlink('d/link')).toBe(true)
  expect(await bucket.isSymlink('d/target')).toBe(false)
  expect(await bucket.isSymlink('d/none')).toBe(false)
})

test('a multipart object says so', async () => {
  await oss.client('V4').multipartUpload('e/source', Buffer.alloc(250_000), { partSize: 102_400 })
  expect(await objects().head('e/source')).toMatchObject({ type: 'Multipart', size: 250_000 })
})

test('a public ACL is taken back', async () => {
  const client = oss.client('V4')
  await client.put('f/source', Buffer.from('x'), { headers: { 'x-oss-object-acl': 'public-read' } })
  const anonymous = `${oss.service.url}/${BUCKET}/f/source`
  expect((await fetch(anonymous)).status).toBe(200)
  await objects().resetAcl('f/source')
  expect((await fetch(anonymous)).status).toBe(403)
})

test('the ACL of an object that is gone is no matter', async () => {
  await expect(objects().resetAcl('f/gone')).resolves.toBeUndefined()
})

test('the ACL of a symbolic link is taken back whatever it points to', async () => {
  await oss.client('V4').putSymlink('f/link', 'f/nowhere', { headers: { 'x-oss-object-acl': 'public-read' } })
  await objects().resetAcl('f/link')
  expect(await oss.client('V4').getACL('f/link')).toMatchObject({ acl: 'default' })
})

test('unfinished uploads under a prefix are ended, others are left', async () => {
  const client = oss.client('V4')
  await client.initMultipartUpload('g/1/source')
  await client.initMultipartUpload('g/1/source')
  await client.initMultipartUpload('g/2/source')
  await objects().abortUploads('g/1/')
  const { uploads } = await client.listUploads({ prefix: 'g/', 'max-uploads': 10 }, {})
  expect(uploads.map((upload) => upload.name)).toEqual(['g/2/source'])
})

describe('presigned URLs', () => {
  test('are accepted with the account and with a session, with overrides of the answer', async () => {
    await objects().put('h/视频 (1).ts', Buffer.from('bytes'), stored)
    const session = oss.credentials.issue({ role: 'worker', sessionName: 's', durationSeconds: 900 })
    for (const bucket of [objects(), objects(session)]) {
      const url = bucket.presignPublicGet('h/视频 (1).ts', {
        expiresSeconds: 60,
        response: { 'content-type': 'text/x-test', 'content-disposition': 'attachment; filename="a b.ts"' },
      })
      const answer = await fetch(url)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/x-test'])
      expect(await answer.text()).toBe('bytes')
    }
  })

  test('serve ranges on condition that the object is still the same', async () => {
    await objects().put('h/range', Buffer.from('0123456789'), stored)
    const etag = (await objects().head('h/range'))?.etag
    const url = objects().presignGet('h/range', { expiresSeconds: 60 })
    const part = await fetch(url, { headers: { range: 'bytes=2-4', 'if-match': `"${etag}"` } })
    expect([part.status, await part.text()]).toEqual([206, '234'])
    expect((await fetch(url, { headers: { 'if-match': '"other"' } })).status).toBe(412)
  })

  test.each([
    ['another key', (url: string) => url.replace('/h/range?', '/h/other?')],
    ['a later expiry', (url: string) => url.replace('x-oss-expires=60', 'x-oss-expires=61')],
    ['a flipped signature', (url: string) => url.replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
    ['an added override', (url: string) => url.replace('?', '?response-content-type=text%2Fhtml&')],
  ])('are refused with %s', async (_name, change) => {
    const url = objects().presignGet('h/range', { expiresSeconds: 60 })
    expect((await fetch(url)).status).toBe(200)
    expect((await fetch(change(url))).status).toBe(403)
  })
})

describe('failures', () => {
  test('of the service and of the network are tried again', async () => {
    const bucket = objects(oss.credentials, proxy.url)
    proxy.next({ status: 503, body: '' }, 'cut before')
    expect(await bucket.put('i/1', Buffer.from('x'), stored)).toBe('stored')
  })

  test('in the reply to a put that arrived show as an object that exists', async () => {
    const bucket = objects(oss.credentials, proxy.url)
    proxy.next('cut after')
    expect(await bucket.put('i/2', Buffer.from('x'), stored)).toBe('exists')
  })

  test('that last are said to be busy', async () => {
    const bucket = objects(oss.credentials, proxy.url)
    proxy.next('cut before', { status: 500, body: '' }, { status: 503, body: '' })
    await expect(bucket.head('i/1')).rejects.toMatchObject({ code: 'upstream_busy' })
  })

  test('by refusal are not tried again and name the code', async () => {
    const bucket = objects({ accessKeyId: 'LTAIaccount', accessKeySecret: 'wrong' }, proxy.url)
    const before = proxy.seen.length
    await expect(bucket.put('i/3', Buffer.from('x'), stored)).rejects.toMatchObject({
      code: 'upstream_failed',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    })
    expect(proxy.seen.length - before).toBe(1)
  })
})

test('many objects are removed at once, whether they are there or not', async () => {
  const bucket = objects()
  const keys = Array.from({ length: 1005 }, (_, n) => `lots/${n}`)
  for (const key of keys.slice(0, 3)) await bucket.put(key, Buffer.from('x'), stored)
  await bucket.put('lots-of-others', Buffer.from('x'), stored)
  await bucket.removeAll(keys)
  await bucket.removeAll([])
  const left: string[] = []
  for await (const { key } of bucket.list('lots')) left.push(key)
  expect(left).toEqual(['lots-of-others'])
})

test('folders are told one page after the other, each once', async () => {
  const bucket = objects()
  const names = ['Aa', 'a', 'aa', 'a0', 'b', 'z9']
  for (const name of names) for (const n of [1, 2]) await bucket.put(`f/${name}/x/${n}.ts`, Buffer.from('x'), stored)
  for (const key of ['f/no-folder', 'f/zz']) await bucket.put(key, Buffer.from('x'), stored)
  const found: string[] = []
  let from: string | undefined = ''
  while (from !== undefined) {
    const page: Awaited<ReturnType<Objects['folders']>> = await bucket.folders('f/', from, 2)
    expect(page.names.length).toBeLessThanOrEqual(2)
    found.push(...page.names)
    from = page.next
  }
  expect(found.sort()).toEqual([...names].sort())
  expect(await bucket.folders('nothing/', '', 10)).toEqual({ names: [], next: undefined })
})
