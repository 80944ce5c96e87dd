import { randomUUID } from 'node:crypto'
import type OSS from 'ali-oss'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openCredentials } from '../../../local/wire/credentials.ts'
import { BUCKET, type OpenOss, openOss, type Version } from './open.ts'
import { flip, type RawAnswer, type RawRequest, send, signedV1 } from './raw.ts'

let oss: OpenOss
let key: string
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())
beforeEach(async () => {
  key = `verify/${randomUUID()} a+b.txt`
  await oss.client('V1').put(key, Buffer.from('secret'))
})

const get = (url: string, more: Partial<RawRequest> = {}): Promise<RawAnswer> => {
  const { pathname, search } = new URL(url)
  return send(oss.service.port, { path: pathname + search, ...more })
}

/** A signed URL of either version. */
async function urlOf(version: Version, method: 'GET' | 'PUT', options: UrlOptions = {}): Promise<string> {
  const { session, expires = 60, queries = {}, contentType } = options
  const client = oss.client(version, session)
  if (version === 'V4') {
    const headers = contentType === undefined ? {} : { 'Content-Type': contentType }
    return await client.signatureUrlV4(method, expires, { headers, queries }, key)
  }
  const response = Object.fromEntries(
    Object.entries(queries).map(([name, value]) => [name.replace('response-', ''), value]),
  )
  const type = contentType === undefined ? {} : { 'Content-Type': contentType }
  return client.signatureUrl(key, { method, expires, response, ...type } as OSS.SignatureUrlOptions)
}

interface UrlOptions {
  session?: Parameters<OpenOss['client']>[1]
  expires?: number
  queries?: Record<string, string>
  contentType?: string
}

function issue(policy?: object, durationSeconds = 900) {
  const text = policy === undefined ? {} : { policy: JSON.stringify(policy) }
  return oss.credentials.issue({ role: 'uploader', sessionName: 'test', durationSeconds, ...text })
}

describe.each(['V1', 'V4'] as const)('a signed URL of version %s', (version) => {
  const parameter = version === 'V1' ? 'Signature' : 'x-oss-signature'

  test('reads the object, also in part', async () => {
    const url = await urlOf(version, 'GET')
    expect(await get(url)).toMatchObject({ status: 200, text: 'secret' })
    expect(await get(url, { headers: { range: 'bytes=1-2' } })).toMatchObject({ status: 206, text: 'ec' })
  })

  test('writes the object, with the type that was signed and no other', async () => {
    const url = await urlOf(version, 'PUT', { contentType: 'video/mp4' })
    const put = (type: string) => get(url, { method: 'PUT', headers: { 'content-type': type }, body: 'new' })
    expect(await put('video/mp4')).toMatchObject({ status: 200 })
    expect(await put('text/html')).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    expect((await oss.client('V1').get(key)).content.toString()).toBe('new')
  })

  test('holds for its method only', async () => {
    const url = await urlOf(version, 'GET')
    expect(await get(url, { method: 'PUT', body: 'x' })).toMatchObject({ code: 'SignatureDoesNotMatch' })
    expect(await get(url, { method: 'DELETE' })).toMatchObject({ code: 'SignatureDoesNotMatch' })
  })

  test('fails with one changed letter of its signature', async () => {
    const url = new URL(await urlOf(version, 'GET'))
    url.searchParams.set(parameter, flip(url.searchParams.get(parameter) ?? ''))
    const answer = await get(url.href)
    expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    expect(answer.text).toMatch(/<StringToSign>[\s\S]+<StringToSignBytes>[\s\S]+<EC>0002-00000040<\/EC>/)
  })

  test('fails for another object, with another parameter, with a longer life', async () => {
    const url = await urlOf(version, 'GET')
    const changed = [
      url.replace('.txt', '.mp4'),
      version === 'V1' ? `${url}&acl` : `${url}&any=1`,
      version === 'V1' ? url.replace(/Expires=(\d+)/, 'Expires=9999999999') : url.replace('expires=60', 'expires=600'),
    ]
    for (const one of changed) expect(await get(one)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
  })

  test('ends when it says', async () => {
    const open = await openOss()
    onTestFinished(() => open.close())
    await open.client('V1').put(key, Buffer.from('x'))
    const client = open.client(version)
    const url =
      version === 'V4' ? await client.signatureUrlV4('GET', 60, {}, key) : client.signatureUrl(key, { expires: 60 })
    const { pathname, search } = new URL(url)
    expect(await send(open.service.port, { path: pathname + search })).toMatchObject({ status: 200 })
    open.advance(61_000)
    const answer = await send(open.service.port, { path: pathname + search })
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' })
    expect(answer.text).toContain('Request has expired.')
  })

  test('replaces headers of the answer, but not by lines that end a header', async () => {
    const queries = {
      'response-content-type': 'text/x-own',
      'response-content-disposition': 'attachment; filename=你.txt',
    }
    const answer = await get(await urlOf(version, 'GET', { queries }))
    expect(answer.headers).toMatchObject({ 'content-type': 'text/x-own' })
    const disposition = Buffer.from(String(answer.headers['content-disposition']), 'latin1').toString()
    expect(disposition).toBe('attachment; filename=你.txt')
    const evil = await urlOf(version, 'GET', { queries: { 'response-content-type': 'a\r\nx-evil: 1' } })
    expect(await get(evil)).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  test('works with a session, and not without its token', async () => {
    const url = await urlOf(version, 'GET', { session: issue() })
    expect(await get(url)).toMatchObject({ status: 200, text: 'secret' })
    const without = url.replace(/&[\w-]*security-token=[^&]*/, '')
    expect(await get(without)).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' })
  })
})

/** What a signed request of the SDK looks like on the wire, to be changed and sent by hand. */
async function captured(version: Version, session?: UrlOptions['session']): Promise<Record<string, string>> {
  const client = oss.client(version, session)
  let headers: Record<string, string> = {}
  const real = (client as unknown as { urllib: { request(url: string, params: object): Promise<unknown> } }).urllib
  Object.assign(client, {
    urllib: {
      request: (url: string, params: { headers: Record<string, string> }) => {
        headers = params.headers
        return real.request(url, params)
      },
    },
  })
  await client.get(key)
  return headers
}

describe.each(['V1', 'V4'] as const)('a signed header of version %s', (version) => {
  const path = () => `/${BUCKET}/${encodeURIComponent(key).replaceAll('%2F', '/')}`
  const replay = async (
    change: (headers: Record<string, string>) => Record<string, string>,
    session?: UrlOptions['session'],
  ) => await send(oss.service.port, { path: path(), headers: change(await captured(version, session)) })

  test('holds when nothing is changed', async () => {
    expect(await replay((headers) => headers)).toMatchObject({ status: 200, text: 'secret' })
  })

  test('fails with one changed letter of the signature, the first or the last', async () => {
    const first = (text: string) => text.replace(/(:|Signature=)([^:=]+=?)$/, (_all, mark, rest) => mark + flip(rest))
    const last = (text: string) => text.replace(/(.)(=?)$/, (_all, letter, end) => (letter === 'b' ? 'c' : 'b') + end)
    for (const change of [first, last]) {
      const answer = await replay((headers) => ({ ...headers, authorization: change(headers.authorization ?? '') }))
      expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    }
  })

  test('covers x-oss- headers and the content type', async () => {
    for (const more of [{ 'x-oss-meta-a': '1' }, { 'content-type': 'x/y' }]) {
      expect(await replay((headers) => ({ ...headers, ...more }))).toMatchObject({ code: 'SignatureDoesNotMatch' })
    }
  })

  test('fails with a key that is not known', async () => {
    const change = (headers: Record<string, string>) => ({
      ...headers,
      authorization: headers.authorization?.replace('LTAIaccount', 'LTAInobody') ?? '',
    })
    expect(await replay(change)).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' })
  })

  test('of a session holds with its token only', async () => {
    const session = issue()
    expect(await replay((headers) => headers, session)).toMatchObject({ status: 200 })
    const other = issue().securityToken
    const forged = `${session.securityToken.slice(0, -4)}AAAA`
    for (const token of [other, forged, 'nonsense']) {
      const answer = await replay((headers) => ({ ...headers, 'x-oss-security-token': token }), session)
      expect(answer).toMatchObject({ status: 403, code: 'InvalidSecurityToken' })
    }
  })
})

describe.each(['V1', 'V4'] as const)('time, with %s', (version) => {
  test('a clock that is off by more than a quarter of an hour is refused', async () => {
    const open = await openOss()
    onTestFinished(() => open.close())
    const list = () => open.client(version).listBuckets({}, {} as never)
    open.advance(14 * 60_000)
    await expect(list()).resolves.toBeTruthy()
    open.advance(2 * 60_000)
    await expect(list()).rejects.toMatchObject({ status: 403, code: 'RequestTimeTooSkewed' })
    open.advance(-32 * 60_000)
    await expect(list()).rejects.toMatchObject({ status: 403, code: 'RequestTimeTooSkewed' })
  })

  test('a session that has ended is refused', async () => {
    const open = await openOss()
    onTestFinished(() => open.close())
    const session = open.credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 300 })
    const list = () => open.client(version, session).list({} as never, {})
    await expect(list()).resolves.toBeTruthy()
    open.advance(301_000)
    await expect(list()).rejects.toMatchObject({ status: 403, code: 'SecurityTokenExpired' })
  })
})

test('credentials of one account mean nothing to another', async () => {
  const other = openCredentials({ accountId: '9', accessKeyId: 'LTAIother', accessKeySecret: 'x' }, Date.now)
  const client = oss.client('V1', other.issue({ role: 'r', sessionName: 's', durationSeconds: 900 }))
  await expect(client.list({} as never, {})).rejects.toMatchObject({ status: 403, code: 'InvalidSecurityToken' })
})

test.each([
  ['another scheme', { authorization: 'Bearer x' }, 400, 'InvalidArgument'],
  ['no signature', { authorization: 'OSS LTAIaccount' }, 400, 'InvalidArgument'],
  ['version 2 and no signature', { authorization: 'OSS2 AccessKeyId:x' }, 400, 'InvalidArgument'],
  ['version 2 and no date', { authorization: 'OSS2 AccessKeyId:x,Signature:y' }, 403, 'AccessDenied'],
  ['no date', { authorization: 'OSS LTAIaccount:x' }, 403, 'AccessDenied'],
  ['a date that is none', { authorization: 'OSS LTAIaccount:x', date: 'now' }, 403, 'AccessDenied'],
  ['no scope', { authorization: 'OSS4-HMAC-SHA256 Credential=LTAIaccount,Signature=x' }, 400, 'InvalidArgument'],
  [
    'another region',
    { authorization: 'OSS4-HMAC-SHA256 Credential=LTAIaccount/20260101/cn-x/oss/aliyun_v4_request,Signature=x' },
    400,
    'InvalidArgument',
  ],
  [
    'a date that is none in version 4',
    {
      authorization: 'OSS4-HMAC-SHA256 Credential=LTAIaccount/20269999/cn-hangzhou/oss/aliyun_v4_request,Signature=x',
      'x-oss-date': '20269999T999999Z',
    },
    403,
    'AccessDenied',
  ],
])('an Authorization with %s is refused', async (_name, headers, status, code) => {
  expect(await send(oss.service.port, { path: `/${BUCKET}/`, headers })).toMatchObject({ status, code })
})

test.each([
  ['?OSSAccessKeyId=LTAIaccount', 403, 'AccessDenied'],
  ['?OSSAccessKeyId=LTAIaccount&Signature=x&Expires=soon', 403, 'AccessDenied'],
  ['?x-oss-signature=x', 400, 'InvalidArgument'],
  ['?x-oss-signature-version=OSS2&x-oss-signature=x', 403, 'AccessDenied'],
  ['?x-oss-signature-version=OSS3&x-oss-signature=x', 400, 'InvalidArgument'],
  [
    `?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=x&x-oss-date=20269999T000000Z&x-oss-expires=60&x-oss-credential=LTAIaccount/20269999/cn-hangzhou/oss/aliyun_v4_request`,
    403,
    'AccessDenied',
  ],
  [
    `?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=x&x-oss-date=20260101T000000Z&x-oss-expires=604801&x-oss-credential=LTAIaccount/20260101/cn-hangzhou/oss/aliyun_v4_request`,
    400,
    'InvalidArgument',
  ],
])('the query %s is refused', async (query, status, code) => {
  expect(await send(oss.service.port, { path: `/${BUCKET}/x${query}` })).toMatchObject({ status, code })
})

describe('additional headers of version 4', () => {
  const client = () => oss.client('V4')

  test('are covered by the signature', async () => {
    const options = { headers: { range: 'bytes=0-0' }, additionalHeaders: ['range'] } as object
    expect((await client().get(key, options)).content.toString()).toBe('s')
  })

  test('may not be left out of the request', async () => {
    const url = await client().signatureUrlV4('GET', 60, { headers: { range: 'bytes=0-0' } }, key, ['range'])
    expect(await get(url, { headers: { range: 'bytes=0-0' } })).toMatchObject({ status: 206, text: 's' })
    expect(await get(url, { headers: { range: 'bytes=0-3' } })).toMatchObject({ code: 'SignatureDoesNotMatch' })
    expect(await get(url)).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })
})

test('the key in the signature is the decoded one', async () => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  const path = `/${BUCKET}/${[...Buffer.from(key)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`
  const request = signedV1({ accessKeyId, accessKeySecret }, { path }, `/${BUCKET}/${key}`)
  expect(await send(oss.service.port, request)).toMatchObject({ status: 200, text: 'secret' })
})
