import { createHmac } from 'node:crypto'
import http from 'node:http'

/** What goes over the wire, exactly: no library touches the path or the headers. */
export interface RawRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface RawAnswer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** `<Code>` of an error document. */
  readonly code: string | undefined
}

/** Sends one request to a port of this machine. */
export function send(port: number, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = http.request(
      { host: '127.0.0.1', port, method, path, headers: { ...length, ...headers } },
      (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('error', reject)
        res.on('end', () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString()
          const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1]
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: bytes, text, code })
        })
      },
    )
    request.on('error', reject)
    // Bytes: a body that is text would make Node encode the headers as UTF-8 once more.
    request.end(Buffer.from(body ?? ''))
  })
}

export interface Keys {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

/** A version 1 header signature; `resource` is the decoded path with the signed parameters. */
export function signedV1(keys: Keys, request: RawRequest, resource: string): RawRequest {
  const token = keys.securityToken === undefined ? {} : { 'x-oss-security-token': keys.securityToken }
  const headers: Record<string, string> = { date: new Date().toUTCString(), ...request.headers, ...token }
  const names = Object.keys(headers).filter((name) => name.startsWith('x-oss-'))
  const text = [
    request.method ?? 'GET',
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    headers['x-oss-date'] ?? headers.date,
    ...names.sort().map((name) => `${name}:${headers[name]}`),
    resource,
  ].join('\n')
  const signature = createHmac('sha1', keys.accessKeySecret).update(text).digest('base64')
  return { ...request, headers: { ...headers, authorization: `OSS ${keys.accessKeyId}:${signature}` } }
}

/** Signs and sends a request in path style; the parameters are all sub-resources. */
export function sendSigned(port: number, keys: Keys, request: RawRequest): Promise<RawAnswer> {
  const [path = '/', query = ''] = request.path.split('?')
  const pairs = query.split('&').filter((pair) => pair !== '')
  const resource = pairs.length === 0 ? path : `${path}?${pairs.sort().join('&')}`
  return send(port, signedV1(keys, request, decodeURIComponent(resource)))
}

/** Changes the first letter of a text into another one of the same alphabet. */
export function flip(text: string): string {
  return (text.startsWith('a') ? 'b' : 'a') + text.slice(1)
}
