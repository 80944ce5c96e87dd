import type { Readable } from 'node:stream'
import type { Outcome } from './instance.ts'

/** An HTTP request as it reached the trigger. */
export interface HttpRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  /** In the order sent, repeated names kept. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
  readonly sourceIp: string
}

/** What a function answered, before the gateway adds its own. */
export interface HttpReply {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** A custom runtime's body is passed on as it comes. */
  readonly body: Buffer | Readable
  /** The function did not answer: the gateway speaks, with this in `X-Fc-Error-Type`. */
  readonly errorType?: string
}

interface EventContext {
  readonly accountId: string
  readonly now: number
}

/**
 * The event of an HTTP trigger for built-in runtimes.
 * https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/http-trigger-invoking-function
 */
export function toHttpEvent(request: HttpRequest, requestId: string, { accountId, now }: EventContext): Buffer {
  const [rawPath = '/', query = ''] = request.url.split(/\?(.*)/s)
  const headers = joinHeaders(request.headers)
  const host = (headers.Host ?? 'localhost').replace(/:\d+$/, '')
  const { body, isBase64Encoded } = encodeBody(request.body, headers)
  const event = {
    version: 'v1',
    rawPath,
    body,
    isBase64Encoded,
    headers,
    queryParameters: joinQuery(query),
    requestContext: {
      accountId,
      domainName: host,
      domainPrefix: host.split('.')[0],
      http: {
        method: request.method,
        path: decodePath(rawPath),
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: headers['User-Agent'] ?? '',
      },
      requestId,
      time: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
      timeEpoch: String(now),
    },
  }
  return Buffer.from(JSON.stringify(event))
}

/** The answer that a built-in runtime's result stands for. */
export function toHttpReply(outcome: Outcome): HttpReply {
  if (!outcome.ok) {
    return { ...badGateway(JSON.stringify(outcome.error)), errorType: outcome.kind }
  }
  const result = parseResult(outcome.payload)
  if (result?.statusCode === undefined) {
    return { status: 200, headers: [['Content-Type', 'application/json']], body: outcome.payload }
  }
  const { statusCode, headers = {}, body = '', isBase64Encoded } = result
  if (typeof statusCode !== 'number' || !Number.isInteger(statusCode) || statusCode < 200 || statusCode > 599) {
    return badGateway(`expected a statusCode from 200 to 599, got ${statusCode}`)
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return {
    status: statusCode,
    headers: Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((one) => [name, String(one)] as const),
    ),
    body: Buffer.from(text, isBase64Encoded ? 'base64' : 'utf8'),
  }
}

/** The gateway's own answer when a function gives none that it can pass on. */
export function badGateway(message: string, status = 502): HttpReply {
  const code = status === 504 ? 'FunctionTimedOut' : 'BadResponse'
  return {
    status,
    headers: [['Content-Type', 'application/json']],
    body: Buffer.from(JSON.stringify({ Code: code, Message: message })),
    errorType: 'UnhandledInvocationError',
  }
}

interface HttpResult {
  readonly statusCode?: unknown
  readonly headers?: Record<string, string | readonly string[]>
  readonly body?: unknown
  readonly isBase64Encoded?: boolean
}

function parseResult(payload: Buffer): HttpResult | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function joinHeaders(headers: HttpRequest['headers']): Record<string, string> {
  const joined: Record<string, string> = {}
  for (const [name, value] of headers) {
    const key = canonicalName(name)
    joined[key] = joined[key] === undefined ? value : `${joined[key]},${value}`
  }
  return joined
}

/** `x-acs-date` → `X-Acs-Date`, as the gateway spells header names. */
function canonicalName(name: string): string {
  return name
    .toLowerCase()
    .replace(/(^|-)([a-z])/g, (_match, dash: string, letter: string) => dash + letter.toUpperCase())
}

function joinQuery(query: string): Record<string, string> {
  const joined: Record<string, string> = {}
  for (const [key, value] of new URLSearchParams(query)) {
    joined[key] = joined[key] === undefined ? value : `${joined[key]},${value}`
  }
  return joined
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

const TEXT = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml)))/i

/** Text goes as it is, everything else as base64. */
function encodeBody(body: Buffer, headers: Record<string, string>): { body: string; isBase64Encoded: boolean } {
  const type = headers['Content-Type']
  const isText = (type === undefined || TEXT.test(type)) && headers['Content-Encoding'] === undefined
  const text = body.toString('utf8')
  if (body.length === 0 || (isText && Buffer.from(text).equals(body))) return { body: text, isBase64Encoded: false }
  return { body: body.toString('base64'), isBase64Encoded: true }
}
