import { createHash, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'

interface Called {
  readonly message: IncomingMessage
  readonly body: string
}

let oss: OpenOss
let calls: Called[] = []
let reply: (response: ServerResponse, message: IncomingMessage) => void = ok
let port = 0
const receiver = createServer((message, response) => {
  const chunks: Buffer[] = []
  message.on('data', (chunk: Buffer) => chunks.push(chunk))
  message.on('end', () => {
    calls.push({ message, body: Buffer.concat(chunks).toString() })
    reply(response, message)
  })
})

function ok(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json').end('{"Status":"OK"}')
}

beforeAll(async () => {
  oss = await openOss()
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const address = receiver.address()
  port = typeof address === 'object' && address ? address.port : 0
})
afterAll(async () => {
  receiver.close()
  receiver.closeAllConnections()
  await oss.close()
})
beforeEach(() => {
  calls = []
  reply = ok
})

let uploads = 0
const newKey = () => `told/${++uploads}.txt`
const receiverUrl = (path = '/') => `http://127.0.0.1:${port}${path}`
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
const EVERY_STRING = [
  'bucket',
  'object',
  'etag',
  'mimeType',
  'crc64',
  'contentMd5',
  'vpcId',
  'clientIp',
  'reqId',
  'operation',
]
const asJson = (names: readonly string[]) => `{${names.map((name) => `"${name}":\${${name}}`).join(',')}}`

/** Puts with a callback that is given as it is, and answers status, error code and message. */
async function put(key: string, callback: unknown, variables?: unknown) {
  const raw = (value: unknown) => (typeof value === 'string' ? value : encode(value))
  const headers = {
    'x-oss-callback': raw(callback),
    ...(variables === undefined ? {} : { 'x-oss-callback-var': raw(variables) }),
  }
  try {
    const { res } = await oss.client('V4').put(key, Buffer.from('hello'), { headers })
    return { status: res.status }
  } catch (error) {
    const { status, code, message } = error as { status: number; code: string; message: string }
    return { status, code, message }
  }
}

const exists = (key: string) =>
  oss
    .client('V1')
    .head(key)
    .then(
      () => true,
      () => false,
    )

describe.each(['V1', 'V4'] as const)('with ali-oss %s, a callback', (version) => {
  const callback = (path = '/') => ({
    url: receiverUrl(path),
    body: 'bucket=${bucket}&object=${object}&etag=${etag}&size=${size}&mimeType=${mimeType}&who=${x:who}',
    contentType: 'application/x-www-form-urlencoded',
    customValue: { who: 'Jürgen & co' },
  })

  test('follows a put, and its answer is the answer', async () => {
    const key = 'told/ä&b.txt'
    const result = await oss
      .client(version)
      .put(key, Buffer.from('hello'), { callback: callback(), mime: 'text/plain' })
    expect((result as unknown as { data: unknown }).data).toEqual({ Status: 'OK' })
    expect(result.res.headers).toMatchObject({ etag: '"5D41402ABC4B2A76B9719D911017C592"' })
    expect(calls.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
      {
        bucket: BUCKET,
        object: key,
        etag: '5D41402ABC4B2A76B9719D911017C592',
        size: '5',
        mimeType: 'text/plain',
        who: 'Jürgen & co',
      },
    ])
    expect(calls[0]?.body).toContain('mimeType=text%2Fplain')
  })

  test('follows the completion of a multipart upload and not its parts', async () => {
    const result = await oss.client(version).multipartUpload(newKey(), Buffer.alloc(250_000), {
      partSize: 102_400,
      callback: callback('/multipart'),
    })
    expect((result as unknown as { data: unknown }).data).toEqual({ Status: 'OK' })
    expect(calls.map(({ message }) => message.url)).toEqual(['/multipart'])
    expect(new URLSearchParams(calls[0]?.body).get('size')).toBe('250000')
  })

  test('can be in a presigned URL', async () => {
    const key = newKey()
    const queries = {
      callback: encode({ callbackUrl: receiverUrl(), callbackBody: 'key=${object}&v=${x:v}' }),
      'callback-var': encode({ 'x:v': '1' }),
    }
    const client = oss.client(version)
    const url =
      version === 'V4'
        ? await client.signatureUrlV4('PUT', 60, { queries }, key)
        : client.signatureUrl(key, {
            method: 'PUT',
            callback: { url: receiverUrl(), body: 'key=${object}&v=${x:v}', customValue: { v: '1' } },
          } as never)
    const answer = await fetch(url, { method: 'PUT', body: Buffer.from('hello') })
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'application/json',
      '{"Status":"OK"}',
    ])
    expect(calls[0]?.body).toBe(`key=${encodeURIComponent(key)}&v=1`)
  })
})

test('a form has its callback and each variable in fields of its own', async () => {
  const key = newKey()
  const callback = encode({ callbackUrl: receiverUrl(), callbackBody: 'op=${operation}&v=${x:v}&w=${x:w}' })
  const policy = { expiration: new Date(Date.now() + 60_000).toISOString(), conditions: [{ callback }] }
  const form = new FormData()
  const signed = oss.client('V1').calculatePostSignature(JSON.stringify(policy))
  for (const [name, value] of Object.entries({
    key,
    ...signed,
    callback,
    'x:v': 'ö',
    'x:w': '2',
    success_action_status: '201',
  })) {
    form.append(name, value)
  }
  form.append('file', new Blob(['hello']))
  const answer = await fetch(`${oss.service.url}/${BUCKET}`, { method: 'POST', body: form })
  expect([answer.status, await answer.json()]).toEqual([200, { Status: 'OK' }])
  expect(calls[0]?.body).toBe('op=PostObject&v=%C3%B6&w=2')
})

test('variables of JSON are quoted, numbers are not', async () => {
  const key = 'told/"quoted" \\ é.txt'
  await put(
    key,
    {
      callbackUrl: receiverUrl(),
      callbackBodyType: 'application/json',
      callbackBody: asJson([...EVERY_STRING, 'size', 'x:a', 'x:none', 'imageInfo.width']),
    },
    { 'x:a': 'b"c' },
  )
  expect(calls[0]?.message.headers['content-type']).toBe('application/json')
  expect(JSON.parse(calls[0]?.body ?? '')).toEqual({
    bucket: BUCKET,
    object: key,
    etag: '5D41402ABC4B2A76B9719D911017C592',
    size: 5,
    mimeType: 'text/plain',
    crc64: (await oss.client('V1').head(key)).res.headers['x-oss-hash-crc64ecma' as never],
    contentMd5: 'XUFAKrxLKna5cZ2REBfFkg==',
    vpcId: '',
    clientIp: expect.stringMatching(/127\.0\.0\.1|::1/),
    reqId: expect.stringMatching(/^[0-9A-F]{24}$/),
    operation: 'PutObject',
    'x:a': 'b"c',
    'x:none': '',
    'imageInfo.width': '',
  })
})

test('the size and format of an image are told', async () => {
  const { default: sharp } = await import('sharp')
  const image = await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
  const callbackBody = 'h=${imageInfo.height}&w=${imageInfo.width}&f=${imageInfo.format}'
  await oss.client('V4').put('told/image.png', image, { callback: { url: receiverUrl(), body: callbackBody } })
  expect(calls[0]?.body).toBe('h=20&w=30&f=png')
})

describe('the request of a callback', () => {
  async function verified({ message, body }: Called): Promise<boolean> {
    const { authorization = '', 'x-oss-pub-key-url': keyUrl } = message.headers
    const pem = await (await fetch(Buffer.from(String(keyUrl), 'base64').toString())).text()
    const [path = '', query] = (message.url ?? '').split('?')
    const text = `${decodeURIComponent(path)}${query === undefined ? '' : `?${query}`}\n${body}`
    return verify('RSA-MD5', Buffer.from(text), pem, Buffer.from(authorization, 'base64'))
  }

  test('is signed with a key that can be fetched, over the decoded path and the query as it is', async () => {
    await put(newKey(), { callbackUrl: receiverUrl('/a%20b/%E5%BD%B1?x=%20y'), callbackBody: 'a=${object}' })
    const [call] = calls
    expect(call?.message.url).toBe('/a%20b/%E5%BD%B1?x=%20y')
    expect(call && (await verified(call))).toBe(true)
    expect(call && (await verified({ ...call, body: 'a=other' }))).toBe(false)
  })

  test('is signed with the same key after a restart', async () => {
    const other = await openOss()
    const keyOf = async () => await (await fetch(`${other.service.url}/callback_pub_key_v1.pem`)).text()
    const before = await keyOf()
    await other.restart()
    expect(await keyOf()).toBe(before)
    expect(before).toContain('BEGIN PUBLIC KEY')
    await other.close()
  })

  test('says whose bucket it is about', async () => {
    await put(newKey(), {
      callbackUrl: receiverUrl(),
      callbackHost: 'app.example.com',
      callbackBody: 'a=b',
      additionalHeaders: { key1: 'val1' },
    })
    expect(calls[0]?.message.method).toBe('POST')
    expect(calls[0]?.message.headers).toMatchObject({
      host: 'app.example.com',
      key1: 'val1',
      'user-agent': 'aliyun-oss-callback',
      'content-type': 'application/x-www-form-urlencoded',
      'content-md5': createHash('md5').update('a=b').digest('base64'),
      'x-oss-bucket': BUCKET,
      'x-oss-owner': '1234567890',
      'x-oss-requester': '1234567890',
      'x-oss-signature-version': '1.0',
      'x-oss-tag': 'CALLBACK',
      'x-oss-request-id': expect.stringMatching(/^[0-9A-F]{24}$/),
    })
  })

  test('goes to the next URL when one fails', async () => {
    reply = (response, { url }) => (url === '/third' ? ok(response) : response.writeHead(500).end())
    const callbackUrl = ['/first', '/second', '/third', '/fourth'].map(receiverUrl).join(';')
    expect(await put(newKey(), { callbackUrl, callbackBody: 'a' })).toEqual({ status: 200 })
    expect(calls.map(({ message }) => message.url)).toEqual(['/first', '/second', '/third'])
  })

  test('may go to a URL without a scheme', async () => {
    expect(await put(newKey(), { callbackUrl: `127.0.0.1:${port}/plain`, callbackBody: 'a' })).toEqual({ status: 200 })
    expect(calls[0]?.message.url).toBe('/plain')
  })
})

describe('a callback that fails is answered with 203 although the object is stored:', () => {
  test.each<[string, (response: ServerResponse) => void, string]>([
    ['another status', (response) => response.writeHead(502).end(), 'Error status : 502.'],
    ['a redirect', (response) => response.writeHead(301, { location: '/' }).end(), 'Error status : 301.'],
    ['no JSON', (response) => response.end('OK'), 'Response body is not valid json format.'],
    ['nothing', (response) => response.end(), 'Response body is not valid json format.'],
    [
      'no length',
      (response) => {
        response.write('{"a":')
        response.end('1}')
      },
      'Error status : 400.User server return too long content-length value.',
    ],
    [
      'too much',
      (response) => response.end(JSON.stringify('x'.repeat(4 * 1024 * 1024))),
      'Error status : 400.User server return too long content-length value.',
    ],
    [
      'a connection that breaks',
      (response) => response.destroy(),
      'Error status : -1.OSS can not connect to your callbackUrl, please check it.',
    ],
  ])('%s', async (_name, answer, message) => {
    reply = answer
    const key = newKey()
    const result = await put(key, { callbackUrl: receiverUrl(), callbackBody: 'a' })
    expect(result).toMatchObject({ status: 203, code: 'CallbackFailed' })
    expect(result.message).toBe(message)
    expect(await exists(key)).toBe(true)
  })

  test('nobody there', async () => {
    const key = newKey()
    const result = await put(key, { callbackUrl: 'http://127.0.0.1:9', callbackBody: 'a' })
    expect(result).toMatchObject({ status: 203, code: 'CallbackFailed' })
    expect(await exists(key)).toBe(true)
  })

  test('no answer for five seconds', { timeout: 15_000 }, async () => {
    reply = () => {}
    const started = performance.now()
    const result = await put(newKey(), { callbackUrl: receiverUrl(), callbackBody: 'a' })
    expect(result).toMatchObject({ status: 203, code: 'CallbackFailed', message: 'Cost too long time.' })
    expect(performance.now() - started).toBeGreaterThan(4900)
  })
})

describe('a callback that cannot be understood is refused before anything is stored:', () => {
  const callbackBody = 'a=${object}'
  test.each<[string, unknown, unknown, string?]>([
    ['no base64', 'error argument', undefined, 'The callback configuration is not base64 encoded.'],
    [
      'no JSON',
      Buffer.from('error argument').toString('base64'),
      undefined,
      'The callback configuration is not json format.',
    ],
    ['a list', [], undefined, 'The callback configuration is not json format.'],
    ['no URL', { callbackBody }, undefined],
    ['a host without a dot', { callbackUrl: 'my', callbackBody }, undefined],
    ['a port that is none', { callbackUrl: 'my.com:test', callbackBody }, undefined],
    ['six URLs', { callbackUrl: 'a.com;b.com;c.com;d.com;e.com;f.com;', callbackBody }, undefined],
    ['another protocol', { callbackUrl: 'ftp://a.com', callbackBody }, undefined],
    [
      'a private address',
      { callbackUrl: 'http://192.168.251.77', callbackBody },
      undefined,
      'Private address is forbidden to callback.',
    ],
    ['no body', { callbackUrl: 'http://a.com' }, undefined],
    ['an empty body', { callbackUrl: 'http://a.com', callbackBody: '' }, undefined],
    ['a body that is no text', { callbackUrl: 'http://a.com', callbackBody: 1 }, undefined],
    ['round brackets', { callbackUrl: 'http://a.com', callbackBody: 'object=$(object)' }, undefined],
    ['a type that is no text', { callbackUrl: 'http://a.com', callbackBody, callbackBodyType: 123 }, undefined],
    ['an unknown type', { callbackUrl: 'http://a.com', callbackBody, callbackBodyType: 'text/plain' }, undefined],
    [
      'headers of OSS',
      { callbackUrl: 'http://a.com', callbackBody, additionalHeaders: { 'x-oss-test': '1' } },
      undefined,
    ],
    [
      'header injection',
      { callbackUrl: 'http://a.com', callbackBody, additionalHeaders: { a: '1\r\nb: 2' } },
      undefined,
    ],
    ['another signature', { callbackUrl: 'http://a.com', callbackBody, signatureVersion: '2.0' }, undefined],
    ['too much of it', { callbackUrl: 'http://a.com', callbackBody: 'x'.repeat(6000) }, undefined],
    ['variables in no base64', { callbackUrl: 'http://a.com', callbackBody }, '***'],
    [
      'variables in no JSON',
      { callbackUrl: 'http://a.com', callbackBody },
      Buffer.from('{"x:a":"b"').toString('base64'),
    ],
    ['variables by other names', { callbackUrl: 'http://a.com', callbackBody }, { a: 'b' }],
    ['too many variables', { callbackUrl: 'http://a.com', callbackBody }, { 'x:a': 'A'.repeat(6000) }],
  ])('%s', async (_name, callback, variables, message) => {
    const key = newKey()
    const result = await put(key, callback, variables)
    expect(result).toMatchObject({ status: 400, code: 'InvalidArgument', ...(message ? { message } : {}) })
    expect(await exists(key)).toBe(false)
  })

  test('one in the header and another one in the URL', async () => {
    const callback = encode({ callbackUrl: receiverUrl(), callbackBody: 'a' })
    const url = await oss
      .client('V4')
      .signatureUrlV4('PUT', 60, { queries: { callback }, headers: { 'x-oss-callback': callback } }, newKey())
    const answer = await fetch(url, { method: 'PUT', body: Buffer.from('x'), headers: { 'x-oss-callback': callback } })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('<Code>InvalidArgument</Code>')])
  })
})
