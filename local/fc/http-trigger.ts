import { type IncomingMessage, type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { readBodyWithin } from '../wire/body.ts'
import type { RawAnswer, RequestFault } from '../wire/http.ts'
import { addCorsHeaders, answerPreflight, isPreflight } from './cors.ts'
import type { Deployed } from './deployed.ts'
import { badGateway, type HttpReply, type HttpRequest } from './http-event.ts'

/** Limits of HTTP triggers. https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/http-trigger-overview */
export const HEADER_LIMIT_BYTES = 8 * 1024
const URL_LIMIT_BYTES = 4 * 1024
const BODY_LIMIT_BYTES = 32 * 1024 * 1024
/** Payload of an asynchronous invocation. */
export const ASYNC_LIMIT_BYTES = 128 * 1024

/** How long a connection may be silent in the middle of a request. */
export const SLOW_MS = 60_000

interface TriggerCall {
  readonly requestId: string
  /** Methods that the trigger and the route both take. */
  readonly methods: readonly string[]
  /** How long nothing may come of the body; a minute when missing. */
  readonly slowMs?: number
  /** Queues the request for later instead of waiting for it. */
  invokeLater(request: HttpRequest): void
}

/** Serves one request through a function's HTTP trigger, as the gateway in front of it does. */
export async function serveHttpTrigger(
  deployed: Deployed,
  request: IncomingMessage,
  response: ServerResponse,
  call: TriggerCall,
): Promise<void> {
  const { requestId, methods } = call
  response.setHeader('X-Fc-Request-Id', requestId)
  if (isPreflight(request) && !methods.includes('OPTIONS')) return answerPreflight(request, response, methods)
  const method = request.method ?? 'GET'
  if (!methods.includes(method)) {
    return refuse(request, response, 405, 'MethodNotAllowed', `the trigger takes ${methods.join(', ')}, not ${method}`)
  }
  const tooLarge = overLimit(request)
  if (tooLarge) return refuse(request, response, 400, 'InvalidArgument', tooLarge)
  const body = await readBodyWithin(request, BODY_LIMIT_BYTES, call.slowMs ?? SLOW_MS)
  if (body === 'too-large') return refuse(request, response, 400, 'InvalidArgument', 'the body is larger than 32 MB')
  if (body === 'too-slow') {
    response.setHeader('Connection', 'close')
    return refuse(request, response, 408, 'RequestTimeout', 'the body did not come in time')
  }
  const incoming = { method, url: request.url ?? '/', headers: headerList(request), body, sourceIp: sourceIp(request) }
  if (request.headers['x-fc-invocation-type']?.toString().toLowerCase() !== 'async') {
    return deployed.http(requestId, incoming, (reply) => sendReply(request, response, reply))
  }
  if (body.length > ASYNC_LIMIT_BYTES) {
    return refuse(request, response, 413, 'RequestEntityTooLarge', 'the payload is larger than 128 KB')
  }
  call.invokeLater(incoming)
  await sendReply(request, response, { status: 202, headers: [], body: Buffer.alloc(0) })
}

/** Answers in the words of Function Compute. */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
): void {
  const requestId = response.getHeader('X-Fc-Request-Id')
  const body = Buffer.from(JSON.stringify({ RequestId: requestId, Code: code, Message: message }))
  void sendReply(request, response, { status, headers: [['Content-Type', 'application/json']], body })
}

/** The same to whoever sent something that is no request. */
export function refuseFault(fault: RequestFault, requestId: string): RawAnswer {
  const [status, Code, Message] = FAULTS[fault]
  const body = JSON.stringify({ RequestId: requestId, Code, Message })
  return { status, contentType: 'application/json', body }
}

const FAULTS = {
  malformed: [400, 'InvalidArgument', 'the request is not HTTP'],
  'headers-too-large': [400, 'InvalidArgument', 'the headers are larger than 8 KB'],
  'too-slow': [408, 'RequestTimeout', 'the headers did not come in time'],
} as const

/** Names that a function cannot set: the gateway drops them. */
const RESERVED = /^(x-fc-.*|connection|content-length|date|keep-alive|server|upgrade|transfer-encoding)$/i

async function sendReply(request: IncomingMessage, response: ServerResponse, wanted: HttpReply): Promise<void> {
  const reply = deliverable(wanted)
  if (reply !== wanted) drop(wanted)
  if (response.destroyed || response.headersSent) return drop(reply)
  const bodyless = reply.status === 204 || reply.status === 304
  const length = bodyless ? undefined : lengthOf(reply)
  addHeaders(request, response, reply)
  if (length !== undefined) response.setHeader('Content-Length', length)
  response.writeHead(reply.status)
  if (bodyless) {
    drop(reply)
    response.end()
  } else await sendBody(response, reply.body)
}

function addHeaders(request: IncomingMessage, response: ServerResponse, reply: HttpReply): void {
  for (const [name, value] of reply.headers) {
    if (!RESERVED.test(name) && !isAttachment(name, value)) response.appendHeader(name, value)
  }
  addCorsHeaders(request, response)
  if (reply.errorType !== undefined) response.setHeader('X-Fc-Error-Type', reply.errorType)
}

async function sendBody(response: ServerResponse, body: HttpReply['body']): Promise<void> {
  if (Buffer.isBuffer(body)) response.end(body)
  // A body that breaks off, on either side, breaks the other off too: it must not look whole.
  else await pipeline(body, response).catch(() => void response.destroy())
}

/** Absent: the body ends where the connection says so. */
function lengthOf({ body, headers }: HttpReply): string | number | undefined {
  if (Buffer.isBuffer(body)) return body.length
  return headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]
}

/** Lets go of a body that nobody is going to read. */
function drop({ body }: HttpReply): void {
  if (!Buffer.isBuffer(body)) body.resume()
}

/** What the function answered, or the gateway's complaint about it. */
function deliverable(reply: HttpReply): HttpReply {
  const size = reply.headers.reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0)
  if (size > HEADER_LIMIT_BYTES) return badGateway('the headers of the response are larger than 8 KB')
  try {
    for (const [name, value] of reply.headers) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    return reply
  } catch {
    return badGateway('a header of the response has characters that HTTP does not take')
  }
}

function isAttachment(name: string, value: string): boolean {
  return name.toLowerCase() === 'content-disposition' && /^\s*attachment/i.test(value)
}

function overLimit(request: IncomingMessage): string | undefined {
  const headers = request.rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text, 'latin1'), 0)
  if (headers > HEADER_LIMIT_BYTES) return 'the headers are larger than 8 KB'
  if ((request.url ?? '').length > URL_LIMIT_BYTES) return 'the path and query are longer than 4 KB'
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > BODY_LIMIT_BYTES) return 'the body is larger than 32 MB'
  return undefined
}

function headerList(request: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    pairs.push([request.rawHeaders[index] ?? '', request.rawHeaders[index + 1] ?? ''])
  }
  return pairs
}

function sourceIp(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:/, '')
}
