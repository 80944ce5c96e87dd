import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { type RawRequest, send, signedV1 } from './raw.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
  await oss.client('V1').put('key', Buffer.from('content'))
})
afterAll(() => oss.close())

function signed(request: RawRequest, resource = request.path) {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return send(oss.service.port, signedV1({ accessKeyId, accessKeySecret }, request, resource))
}

test('an error is a document with all that the service tells', async () => {
  const answer = await signed({ path: `/${BUCKET}/missing`, headers: { host: 'localhost:1' } })
  expect(answer.status).toBe(404)
  const id = answer.headers['x-oss-request-id']
  expect(id).toMatch(/^[0-9A-F]{24}$/)
  expect(answer.headers).toMatchObject({ server: 'AliyunOSS', 'content-type': 'application/xml' })
  expect(answer.headers['x-oss-server-time']).toMatch(/^\d+$/)
  expect(answer.text.replace(/\s*\n\s*/g, '')).toBe(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>${id}</RequestId><HostId>localhost:1</HostId><Key>missing</Key><EC>0026-00000001</EC><RecommendDoc>https://api.aliyun.com/troubleshoot?q=0026-00000001</RecommendDoc></Error>`,
  )
})

test('an error to HEAD is the same document in a header', async () => {
  const answer = await signed({ method: 'HEAD', path: `/${BUCKET}/missing` })
  expect(answer).toMatchObject({ status: 404, text: '' })
  expect(Buffer.from(String(answer.headers['x-oss-err']), 'base64').toString()).toContain('<Code>NoSuchKey</Code>')
})

test('times of lists have a fraction of zero', async () => {
  const answer = await signed({ path: `/${BUCKET}/` })
  expect(answer.text).toMatch(/<LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z<\/LastModified>/)
})

describe('what is not there is never answered with success', () => {
  test.each([
    ['PUT', '/key?append&position=0'],
    ['PUT', '/?versionId=null'],
    ['GET', '/?replication'],
    ['PUT', '/?replication'],
    ['GET', '/?metaQuery'],
    ['POST', '/?comp=add&metaQuery'],
    ['POST', '/key?x-oss-process=csv/select'],
    ['POST', '/key?live'],
    ['POST', '/key?asyncFetch'],
    ['PUT', '/key?acl&tagging'],
  ])('%s %s', async (method, path) => {
    const answer = await signed({ method, path: `/${BUCKET}${path}`, body: 'changed' })
    expect(answer).toMatchObject({ status: 501, code: 'NotImplemented' })
    expect((await oss.client('V1').get('key')).content.toString()).toBe('content')
  })
})

describe('bad input', () => {
  test.each<[string, RawRequest, number, string]>([
    ['an upper-case bucket', { path: '/Bucket/key' }, 400, 'InvalidBucketName'],
    ['a short bucket', { path: '/ab/key' }, 400, 'InvalidBucketName'],
    ['a bucket that climbs', { path: '/../key' }, 400, 'InvalidBucketName'],
    ['a key that begins with a slash', { path: `/${BUCKET}//key` }, 400, 'InvalidObjectName'],
    ['a key that begins with a backslash', { path: `/${BUCKET}/%5Ckey` }, 400, 'InvalidObjectName'],
    ['a key with NUL', { path: `/${BUCKET}/a%00b` }, 400, 'InvalidObjectName'],
    ['a key of 1024 bytes', { path: `/${BUCKET}/${'x'.repeat(1024)}` }, 400, 'InvalidObjectName'],
    ['a key that is no UTF-8', { path: `/${BUCKET}/%FF` }, 400, 'InvalidArgument'],
    ['an escape that is none', { path: `/${BUCKET}/%zz` }, 400, 'InvalidArgument'],
    ['a query that is no UTF-8', { path: `/${BUCKET}/?prefix=%FF` }, 400, 'InvalidArgument'],
    ['another method', { method: 'PATCH', path: `/${BUCKET}/key` }, 405, 'MethodNotAllowed'],
    ['an upload id that is none', { path: `/${BUCKET}/key?uploadId=../x` }, 404, 'NoSuchUpload'],
  ])('%s is refused', async (_name, request, status, code) => {
    expect(await signed(request, decodeURIComponent(request.path.replaceAll(/%(FF|zz)/g, '')))).toMatchObject({
      status,
      code,
    })
  })

  test.each([
    ['no bucket', 'key', 'InvalidArgument'],
    ['a key that is no UTF-8', `/${BUCKET}/%FF`, 'InvalidArgument'],
    ['nothing there', `/${BUCKET}/nothing`, 'NoSuchKey'],
    ['no such bucket', '/bucket-none/key', 'NoSuchBucket'],
  ])('a copy source with %s is refused', async (_name, source, code) => {
    const headers = { 'x-oss-copy-source': source }
    expect(await signed({ method: 'PUT', path: `/${BUCKET}/copy`, headers, body: '' })).toMatchObject({ code })
  })

  test.each(['<Delete>', '<Other/>', '<Delete></Delete>', 'x', '<Delete><Object><Key></Key></Object></Delete>'])(
    'the list of deletions %s is refused',
    async (body) => {
      const { createHash } = await import('node:crypto')
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      const answer = await signed({ method: 'POST', path: `/${BUCKET}/?delete`, headers, body })
      expect(answer.status).toBe(400)
    },
  )

  test('a list of deletions without Content-MD5 is refused', async () => {
    const body = '<Delete><Object><Key>key</Key></Object></Delete>'
    const answer = await signed({ method: 'POST', path: `/${BUCKET}/?delete`, body })
    expect(answer).toMatchObject({ status: 400, code: 'MissingArgument' })
  })

  test('more metadata than 8 KB is refused', async () => {
    const headers = { 'x-oss-meta-long': 'x'.repeat(8192) }
    const answer = await signed({ method: 'PUT', path: `/${BUCKET}/long`, headers, body: 'x' })
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  test('a body without a length is refused', async () => {
    const { accessKeyId, accessKeySecret } = oss.credentials
    const path = `/${BUCKET}/key`
    const { headers } = signedV1({ accessKeyId, accessKeySecret }, { method: 'PUT', path }, path)
    const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
    const text = await talk(`PUT ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines.join('')}\r\n`)
    expect(text).toMatch(/^HTTP\/1.1 411 [\s\S]*<Code>MissingContentLength<\/Code>/)
  })
})

async function talk(bytes: string): Promise<string> {
  const socket = connect(oss.service.port, '127.0.0.1')
  socket.write(bytes)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test.each(['PUT', 'UploadPart'])('a body that breaks off (%s) leaves no object and no file behind', async (kind) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  const key = `broken/${randomUUID()}`
  const { uploadId } = await oss.client('V1').initMultipartUpload(key)
  const path = `/${BUCKET}/${key}${kind === 'PUT' ? '' : `?partNumber=1&uploadId=${uploadId}`}`
  const { headers } = signedV1({ accessKeyId, accessKeySecret }, { method: 'PUT', path }, path)
  const lines = Object.entries({ ...headers, 'content-length': '1000000' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  const temporary = join(oss.dir, 'blobs', 'tmp')
  const socket = connect(oss.service.port, '127.0.0.1')
  socket.write(`PUT ${path} HTTP/1.1\r\nhost: localhost\r\n${lines.join('')}\r\n${'x'.repeat(500_000)}`)
  await vi.waitFor(async () => expect(await readdir(temporary)).toHaveLength(1))
  socket.destroy()
  await once(socket, 'close')
  await vi.waitFor(async () => expect(await readdir(temporary)).toEqual([]))
  await expect(oss.client('V1').head(key)).rejects.toMatchObject({ status: 404 })
  expect((await oss.client('V1').listParts(key, uploadId)).parts).toEqual([])
})

test('a client that leaves in the middle of a download harms no one', async () => {
  const bytes = Buffer.alloc(20_000_000, 1)
  await oss.client('V1').put('big', bytes)
  const { stream } = await oss.client('V1').getStream('big')
  await once(stream, 'readable')
  stream.destroy()
  expect((await oss.client('V1').get('big', { headers: { Range: 'bytes=0-9' } })).content).toHaveLength(10)
})

describe('a bucket is found', () => {
  const resource = `/${BUCKET}/key`

  test.each([
    ['in the path', `/${BUCKET}/key`, 'localhost:9001'],
    ['in the path of an address', `/${BUCKET}/key`, '127.0.0.1:9001'],
    ['in the path of any other name', `/${BUCKET}/key`, 'media.example.com'],
    ['before localhost', '/key', `${BUCKET}.localhost:9001`],
    ['before an address', '/key', `${BUCKET}.127.0.0.1:9001`],
    ['before localhost and in the path', `/${BUCKET}/key`, `${BUCKET}.localhost:9001`],
    ['before the name of the service and in the path', `/${BUCKET}/key`, `${BUCKET}.oss-cn-hangzhou.aliyuncs.com`],
    ['before the name of the service', '/key', `${BUCKET}.oss-cn-hangzhou.aliyuncs.com`],
    ['before the internal name', '/key', `${BUCKET}.oss-cn-hangzhou-internal.aliyuncs.com`],
  ])('%s', async (_name, path, host) => {
    expect(await signed({ path, headers: { host } }, resource)).toMatchObject({ status: 200, text: 'content' })
  })

  test('behind a domain that is bound to it, until that ends', async () => {
    const body =
      '<BucketCnameConfiguration><Cname><Domain>media.example.com</Domain></Cname></BucketCnameConfiguration>'
    const change = (comp: string) => signed({ method: 'POST', path: `/${BUCKET}/?cname&comp=${comp}`, body })
    const ask = () => signed({ path: '/key', headers: { host: 'media.example.com' } }, resource)
    expect(await change('add')).toMatchObject({ status: 200 })
    expect(await ask()).toMatchObject({ status: 200, text: 'content' })
    expect((await signed({ path: `/${BUCKET}/?cname` })).text).toContain('<Domain>media.example.com</Domain>')
    expect(await change('delete')).toMatchObject({ status: 200 })
    expect(await ask()).not.toMatchObject({ status: 200 })
    expect(await change('delete')).toMatchObject({ status: 404, code: 'NoSuchCname' })
  })

  test('where ali-oss puts it for an endpoint that is an address', async () => {
    const { accessKeyId, accessKeySecret } = oss.credentials
    const endpoint = `http://127.0.0.1:${oss.service.port}`
    for (const authorizationV4 of [false, true]) {
      const options = {
        endpoint,
        accessKeyId,
        accessKeySecret,
        bucket: BUCKET,
        region: 'oss-cn-hangzhou',
        authorizationV4,
      }
      expect((await new OSS(options).get('key')).content.toString()).toBe('content')
    }
  })
})
