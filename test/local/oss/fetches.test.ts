import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type OpenOss, openOss } from './open.ts'
import { sendSigned } from './raw.ts'

/*
 * Objects that the service fetches itself, as the suites of the SDKs for Java, Python, Go and Node ask for them.
 */

let oss: OpenOss
let bucket: string
const asked: IncomingMessage[] = []
/** Tells its headers to whoever asks, but for some paths. */
const source = createServer((message, response) => {
  asked.push(message)
  if (message.url === '/slow') return
  if (message.url === '/cut') {
    response.writeHead(200, { 'content-length': '10' })
    return void response.write('12345', () => response.destroy())
  }
  response.writeHead(message.url === '/moved' ? 302 : 200, { 'content-type': 'text/x-source', location: '/text' })
  response.end('fetched')
})
let base: string
beforeAll(async () => {
  oss = await openOss()
  await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(source.address() as AddressInfo).port}`
})
afterAll(async () => {
  await oss.close()
  source.closeAllConnections()
  source.close()
})
beforeEach(async () => {
  bucket = `fetches-${randomUUID()}`
  await oss.client('V4').putBucket(bucket)
})

const signed = (method: string, path: string, body = '', headers: Record<string, string> = {}) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  const content = body === '' ? {} : { body }
  const request = { method, path: `/${bucket}/${path}`, headers, ...content }
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}
const escaped = (text: string) => text.replaceAll('&', '&amp;')
const post = (fields: Readonly<Record<string, string>>) => {
  const elements = Object.entries(fields).map(([name, value]) => `<${name}>${escaped(value)}</${name}>`)
  const body = `<AsyncFetchTaskConfiguration>${elements.join('')}</AsyncFetchTaskConfiguration>`
  return signed('POST', '?asyncFetch', body)
}
const idOf = (text: string) => /<AsyncFetchTaskResult>\s*<TaskId>(\w+)<\/TaskId>/.exec(text)?.[1] ?? ''
const look = (id: string) => signed('GET', '?asyncFetch', '', { 'x-oss-task-id': id })
const ended = async (id: string) =>
  await vi.waitFor(async () => {
    const { text } = await look(id)
    expect(text).not.toContain('<State>Running</State>')
    return text.replaceAll(/>\s+</g, '><')
  })
const fetched = async (fields: Readonly<Record<string, string>>) => {
  const answer = await post(fields)
  expect(answer.status, answer.text).toBe(200)
  return await ended(idOf(answer.text))
}

describe('a fetch', () => {
  test('stores what a signed URL of this service has', async () => {
    const client = oss.client('V1')
    client.useBucket(bucket)
    await signed('PUT', 'there', 'content')
    const url = client.signatureUrl('there')
    const md5 = createHash('md5').update('content').digest('base64')
    const text = await fetched({ Url: url, Object: 'a/here', ContentMD5: md5, IgnoreSameKey: 'false' })
    expect(text).toContain('<State>Success</State><ErrorMsg></ErrorMsg>')
    expect(text).toContain(`<TaskInfo><Url>${escaped(url)}</Url><Object>a/here</Object><Host></Host>`)
    expect(text).toContain(`<ContentMD5>${md5}</ContentMD5><Callback></Callback><IgnoreSameKey>false</IgnoreSameKey>`)
    expect(await signed('GET', 'a/here')).toMatchObject({ status: 200, text: 'content' })
  })

  test('asks with the host that it is given, and keeps the type and the class', async () => {
    asked.length = 0
    await fetched({ Url: `${base}/text?a=1`, Object: 'key', Host: 'files.example', StorageClass: 'IA' })
    // Names under localhost are this machine, whatever its resolver knows.
    const own = base.replace('127.0.0.1', 'bucket.localhost')
    expect(await fetched({ Url: `${own}/text`, Object: 'other' })).toContain('<State>Success</State>')
    expect(asked.map(({ url, headers }) => [url, headers.host])).toEqual([
      ['/text?a=1', 'files.example'],
      ['/text', own.replace('http://', '')],
    ])
    expect((await signed('HEAD', 'key')).headers).toMatchObject({
      'content-type': 'text/x-source',
      'x-oss-storage-class': 'IA',
    })
    expect(oss.events).toContainEqual(expect.objectContaining({ bucket, key: 'key', size: 7 }))
  })

  test('leaves what is there, unless it is told to replace it', async () => {
    await signed('PUT', 'key', 'old')
    for (const same of [{}, { IgnoreSameKey: 'true' }]) {
      const answer = await post({ Url: `${base}/text`, Object: 'key', ...same })
      expect(answer).toMatchObject({ status: 409, code: 'ObjectAlreadyExists' })
    }
    await fetched({ Url: `${base}/text`, Object: 'key', IgnoreSameKey: 'false' })
    expect(await signed('GET', 'key')).toMatchObject({ text: 'fetched' })
  })

  test('that cannot call back has stored its object', async () => {
    const callback = { callbackUrl: `${base}/no-json`, callbackBody: `\${etag}` }
    const encoded = Buffer.from(JSON.stringify(callback)).toString('base64')
    const text = await fetched({ Url: `${base}/text`, Object: 'key', Callback: encoded })
    expect(text).toContain('<State>FetchSuccessCallbackFailed</State>')
    expect(text).toMatch(/<ErrorMsg>.+<\/ErrorMsg>/)
    expect(text).toContain(`<Callback>${encoded}</Callback>`)
    expect(await signed('GET', 'key')).toMatchObject({ text: 'fetched' })
  })

  test.each([
    ['an answer that is cut off', '/cut', {}],
    ['a redirection', '/moved', {}],
    ['other bytes', '/text', { ContentMD5: createHash('md5').update('other').digest('base64') }],
  ])('fails for %s, and stores nothing', async (_name, path, more) => {
    const text = await fetched({ Url: `${base}${path}`, Object: 'key', ...more })
    expect(text).toContain('<State>Failed</State>')
    expect(text).toMatch(/<ErrorMsg>.+<\/ErrorMsg>/)
    expect(await signed('GET', 'key')).toMatchObject({ status: 404, code: 'NoSuchKey' })
  })

  test.each([
    ['no URL', { Object: 'key' }],
    ['a URL of another kind', { Url: 'file:///etc/passwd', Object: 'key' }],
    ['a private address', { Url: 'http://10.255.255.1/', Object: 'key' }],
    ['no object', { Url: 'http://files.example/' }],
    ['a callback that is none', { Url: 'http://files.example/', Object: 'key', Callback: '!' }],
  ])('is refused with %s', async (_name, fields) => {
    expect(await post(fields)).toMatchObject({ status: 400 })
  })

  test('that nobody began is not there', async () => {
    expect(await look('unknown')).toMatchObject({ status: 404, code: 'NoSuchAsyncFetchTask' })
    expect(await signed('GET', '?asyncFetch')).toMatchObject({ status: 400, code: 'MissingArgument' })
  })

  test('ends with its bucket', async () => {
    const { text } = await post({ Url: `${base}/moved`, Object: 'key' })
    await ended(idOf(text))
    expect(await signed('DELETE', '')).toMatchObject({ status: 204 })
    await signed('PUT', '')
    expect(await look(idOf(text))).toMatchObject({ status: 404 })
  })

  test('is known after a restart, which it does not survive', async () => {
    const done = idOf((await post({ Url: `${base}/text`, Object: 'done' })).text)
    await ended(done)
    const slow = idOf((await post({ Url: `${base}/slow`, Object: 'slow' })).text)
    await vi.waitFor(() => expect(asked.at(-1)?.url).toBe('/slow'))
    expect((await look(slow)).text).toContain('<State>Running</State>')
    await oss.restart()
    expect((await look(done)).text).toContain('<State>Success</State>')
    expect((await look(slow)).text).toContain('<State>Failed</State>')
  })
})
