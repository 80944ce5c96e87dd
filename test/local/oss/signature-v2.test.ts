import { createHmac, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { flip, type RawAnswer, type RawRequest, send } from './raw.ts'

// https://help.aliyun.com/document_detail/120525.html, written anew from that page.

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const encode = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)

interface Claim {
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly additional?: readonly string[]
}

function sign(
  method: string,
  date: string,
  headers: Record<string, string>,
  { key, query = {}, additional = [] }: Claim,
) {
  const signed = Object.keys(headers).filter((name) => name.startsWith('x-oss-') || additional.includes(name))
  const pairs = Object.entries(query).map(([name, value]) =>
    value === '' ? encode(name) : `${encode(name)}=${encode(value)}`,
  )
  const resource = encode(`/${BUCKET}/${key}`) + (pairs.length === 0 ? '' : `?${pairs.sort().join('&')}`)
  const text = [
    method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    ...signed.sort().map((name) => `${name}:${headers[name]}`),
    additional.join(';'),
    resource,
  ].join('\n')
  return createHmac('sha256', oss.credentials.accessKeySecret).update(text).digest('base64')
}

const pathOf = ({ key, query = {} }: Claim) => {
  const pairs = Object.entries(query).map(([name, value]) =>
    value === '' ? encode(name) : `${encode(name)}=${encode(value)}`,
  )
  return `/${BUCKET}/${key.split('/').map(encode).join('/')}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}

function withHeader(
  request: Partial<RawRequest>,
  claim: Claim,
  spoil = (signature: string) => signature,
): Promise<RawAnswer> {
  const { method = 'GET' } = request
  const headers: Record<string, string> = { date: new Date().toUTCString(), ...request.headers }
  const signature = spoil(sign(method, headers.date ?? '', headers, claim))
  const additional = claim.additional ? `,AdditionalHeaders:${claim.additional.join(';')}` : ''
  const authorization = `OSS2 AccessKeyId:${oss.credentials.accessKeyId}${additional},Signature:${signature}`
  return send(oss.service.port, { ...request, path: pathOf(claim), headers: { ...headers, authorization } })
}

function withUrl(claim: Claim, expires: number, headers: Record<string, string> = {}): Promise<RawAnswer> {
  const query: Record<string, string> = {
    ...claim.query,
    'x-oss-signature-version': 'OSS2',
    'x-oss-expires': String(expires),
    'x-oss-access-key-id': oss.credentials.accessKeyId,
    ...(claim.additional ? { 'x-oss-additional-headers': claim.additional.join(';') } : {}),
  }
  const signature = sign('GET', String(expires), headers, { ...claim, query })
  const path = pathOf({ ...claim, query: { ...query, 'x-oss-signature': signature } })
  return send(oss.service.port, { path, headers })
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

describe('a signature of version 2', () => {
  const key = `v2/${randomUUID()} a+b 中文(1).txt`

  test('in a header puts and reads an object', async () => {
    const headers = { 'content-type': 'text/plain', 'x-oss-meta-a': 'b' }
    expect(await withHeader({ method: 'PUT', headers, body: 'content' }, { key })).toMatchObject({ status: 200 })
    expect(await withHeader({}, { key })).toMatchObject({ status: 200, text: 'content' })
    expect(await withHeader({}, { key, query: { acl: '' } })).toMatchObject({ status: 200 })
    expect(await withHeader({}, { key, query: { 'response-content-type': 'text/x' } })).toMatchObject({ status: 200 })
  })

  test('covers the headers that it names', async () => {
    const claim = { key, additional: ['host', 'range'] }
    const headers = { host: `localhost:${oss.service.port}`, range: 'bytes=0-3' }
    expect(await withHeader({ headers }, claim)).toMatchObject({ status: 206, text: 'cont' })
  })

  test('in a URL reads an object until it expires', async () => {
    expect(await withUrl({ key }, inSeconds(60))).toMatchObject({ status: 200, text: 'content' })
    expect(await withUrl({ key, additional: ['range'] }, inSeconds(60), { range: 'bytes=0-0' })).toMatchObject({
      text: 'c',
    })
    expect(await withUrl({ key }, inSeconds(-1))).toMatchObject({ status: 403, code: 'AccessDenied' })
  })

  test('is refused where anything in it is another', async () => {
    const mismatch = { status: 403, code: 'SignatureDoesNotMatch' }
    expect(await withHeader({}, { key }, flip)).toMatchObject(mismatch)
    expect(await withHeader({ headers: { 'content-type': 'a/b' } }, { key }, () => 'x')).toMatchObject(mismatch)
    const stale = new Date(Date.now() - 20 * 60_000).toUTCString()
    expect(await withHeader({ headers: { date: stale } }, { key })).toMatchObject({
      status: 403,
      code: 'RequestTimeTooSkewed',
    })
  })
})
