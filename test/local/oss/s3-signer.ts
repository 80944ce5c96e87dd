import { createHash, createHmac } from 'node:crypto'
import { type Keys, type RawAnswer, type RawRequest, send } from './raw.ts'

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, written anew from that page.

/** How a request is signed; what is left out is as a client would have it. */
export interface Signing {
  readonly region?: string
  readonly service?: string
  /** `YYYYMMDDThhmmssZ`. */
  readonly time?: string
  /** x-amz-content-sha256; the hash of the body when missing. */
  readonly content?: string
  /** Headers that are sent and not signed. */
  readonly unsigned?: Readonly<Record<string, string>>
  /** What is done to the finished signature. */
  readonly spoil?: (signature: string) => string
}

const HOST = 'localhost'
export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const strict = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

export const timeNow = (at = Date.now()) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')

function queryOf(path: string): string {
  const names = [...new URLSearchParams(path.split('?')[1] ?? '')].map(([name, value]) => [strict(name), strict(value)])
  // By name first: `select` comes before `select-type`, although `=` comes after `-`.
  const sorted = names.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
  return sorted.map((pair) => pair.join('=')).join('&')
}

function signatureOf(keys: Keys, text: string, [date = '', region = '', service = '']: readonly string[]): string {
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${keys.accessKeySecret}`)
  return hmac(key, text).toString('hex')
}

/** A request with its Authorization header of version 4, and what chunks are signed by. */
export function signed4(keys: Keys, request: RawRequest, signing: Signing = {}) {
  const { region = 'cn-hangzhou', service = 's3', time = timeNow(), content = sha256(request.body ?? '') } = signing
  const scope = [time.slice(0, 8), region, service]
  const headers: Record<string, string> = {
    host: HOST,
    'x-amz-date': time,
    'x-amz-content-sha256': content,
    ...(keys.securityToken === undefined ? {} : { 'x-amz-security-token': keys.securityToken }),
    ...request.headers,
  }
  const names = Object.keys(headers).sort()
  const canonical = [
    request.method ?? 'GET',
    request.path.split('?')[0],
    queryOf(request.path),
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    content,
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, `${scope.join('/')}/aws4_request`, sha256(canonical)].join('\n')
  const seed = signatureOf(keys, text, scope)
  const { spoil = (one: string) => one, unsigned } = signing
  const credential = `${keys.accessKeyId}/${scope.join('/')}/aws4_request`
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names.join(';')},Signature=${spoil(seed)}`
  const whole: RawRequest = { ...request, headers: { ...headers, ...unsigned, authorization } }
  const chunk = (previous: string, bytes: Buffer) =>
    signatureOf(
      keys,
      ['AWS4-HMAC-SHA256-PAYLOAD', time, `${scope.join('/')}/aws4_request`, previous, sha256(''), sha256(bytes)].join(
        '\n',
      ),
      scope,
    )
  return { request: whole, seed, chunk }
}

/** Signs and sends. */
export function send4(port: number, keys: Keys, request: RawRequest, signing: Signing = {}): Promise<RawAnswer> {
  return send(port, signed4(keys, request, signing).request)
}

/** A body in signed chunks of these. */
export function inChunks(
  keys: Keys,
  request: RawRequest,
  chunks: readonly Buffer[],
  change: (body: string) => string = (body) => body,
): RawRequest {
  const bytes = chunks.reduce((sum, one) => sum + one.length, 0)
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(bytes),
    ...request.headers,
  }
  const content = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
  const { request: whole, seed, chunk } = signed4(keys, { ...request, headers }, { content })
  let previous = seed
  const parts = [...chunks, Buffer.alloc(0)].map((one) => {
    previous = chunk(previous, one)
    return `${one.length.toString(16)};chunk-signature=${previous}\r\n${one.toString('latin1')}\r\n`
  })
  return { ...whole, body: Buffer.from(change(parts.join('')), 'latin1') }
}

/** A signed URL of version 4 as a path; `change` is done to its parameters before they are signed. */
export function url4(
  keys: Keys,
  { method = 'GET', path }: RawRequest,
  change: (parameters: Record<string, string>) => Record<string, string> = (parameters) => parameters,
): string {
  const time = timeNow()
  const scope = [time.slice(0, 8), 'cn-hangzhou', 's3']
  const parameters = change({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${keys.accessKeyId}/${scope.join('/')}/aws4_request`,
    'X-Amz-Date': time,
    'X-Amz-Expires': '600',
    'X-Amz-SignedHeaders': 'host',
    ...(keys.securityToken === undefined ? {} : { 'X-Amz-Security-Token': keys.securityToken }),
  })
  const query = new URLSearchParams(parameters).toString()
  const at = `${path}${path.includes('?') ? '&' : '?'}${query}`
  const canonical = [method, path.split('?')[0], queryOf(at), `host:${HOST}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, `${scope.join('/')}/aws4_request`, sha256(canonical)].join('\n')
  const signature = parameters['X-Amz-Signature'] ?? signatureOf(keys, text, scope)
  return parameters['X-Amz-Signature'] === undefined ? `${at}&X-Amz-Signature=${signature}` : at
}

/** A request with its Authorization header of version 2; `resource` is what is signed for it. */
export function signed2(keys: Keys, request: RawRequest, resource: string): RawRequest {
  const headers: Record<string, string> = { date: new Date().toUTCString(), ...request.headers }
  const amazon = Object.keys(headers).filter((name) => name.startsWith('x-amz-'))
  const text = [
    request.method ?? 'GET',
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    headers['x-amz-date'] === undefined ? headers.date : '',
    ...amazon.sort().map((name) => `${name}:${headers[name]}`),
    resource,
  ].join('\n')
  const signature = createHmac('sha1', keys.accessKeySecret).update(text).digest('base64')
  return { ...request, headers: { ...headers, authorization: `AWS ${keys.accessKeyId}:${signature}` } }
}
