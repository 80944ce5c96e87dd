import { isUtf8 } from 'node:buffer'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { AppError } from './errors.ts'
import { problem } from './http.ts'
import { errorFields, log } from './log.ts'
import { type AccessLog, type RequestLine, respond, withinHeaderLimit } from './respond.ts'

/** What Function Compute says about one invocation. */
export interface FcContext {
  readonly requestId: string
  /** The function role's credentials; they rotate, so never keep them beyond the invocation. */
  readonly credentials: {
    readonly accessKeyId: string
    readonly accessKeySecret: string
    readonly securityToken: string
  }
  readonly accountId: string
  readonly region: string
  readonly functionName: string
  /** Address of the client, HTTP requests only. */
  readonly sourceIp?: string
}

export type MakeDeps<Deps> = (context: FcContext) => Deps
export type Route<Deps> = (request: Request, deps: Deps) => Promise<Response>
export type OnEvent<Deps> = (event: unknown, deps: Deps) => Promise<unknown>
/** The exported `handler` of a built-in runtime. */
export type Handler = (event: Uint8Array, context: RuntimeContext) => Promise<unknown>

/** The context of the built-in Node.js runtimes, https://help.aliyun.com/zh/functioncompute/fc/user-guide/context-1 */
export interface RuntimeContext {
  readonly requestId: string
  readonly credentials?: { accessKeyId?: string; accessKeySecret?: string; securityToken?: string }
  readonly accountId?: string
  readonly region?: string
  readonly function?: { readonly name?: string }
}

/** The event of an HTTP trigger, https://help.aliyun.com/zh/functioncompute/fc/user-guide/http-trigger-invoking-function */
interface HttpEvent {
  readonly rawPath?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly queryParameters?: Readonly<Record<string, string>>
  readonly body?: string
  readonly isBase64Encoded?: boolean
  readonly requestContext: {
    readonly domainName?: string
    readonly http: { readonly method: string; readonly path: string; readonly sourceIp?: string }
  }
}

export interface HttpResult {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly isBase64Encoded: boolean
  readonly body: string
}

/** The gateway takes no more. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** A route behind an HTTP trigger of a built-in runtime. */
export function httpHandler<Deps>(makeDeps: MakeDeps<Deps>, route: Route<Deps>) {
  return async (event: Uint8Array, context: RuntimeContext): Promise<HttpResult> => {
    const parsed = parse(event)
    if (!isHttpEvent(parsed)) throw new Error('expected the event of an HTTP trigger')
    const sourceIp = parsed.requestContext.http.sourceIp ?? ''
    const fc: FcContext = { ...contextOf(context), sourceIp }
    const line = { requestId: fc.requestId, sourceIp, ...lineOf(parsed) }
    const run = async () => withinHeaderLimit(await route(requestOf(parsed), makeDeps(fc)))
    return resultOf(await respond(line, run), line)
  }
}

/** A function that is invoked with events; to throw marks the invocation as failed. */
export function eventHandler<Deps>(makeDeps: MakeDeps<Deps>, onEvent: OnEvent<Deps>): Handler {
  return async (event, context) => runEvent(event, contextOf(context), makeDeps, onEvent)
}

/** One function with an HTTP trigger and other events: the shape of the event decides. */
export function combined(http: Handler, event: Handler): Handler {
  return (payload, context) => (isHttpEvent(tryParse(payload)) ? http(payload, context) : event(payload, context))
}

export interface ServerOptions<Deps> {
  /** FC_CUSTOM_LISTEN_PORT; 0 lets the system choose. */
  readonly port: number
  readonly host?: string
  /** Requests that leave a line in the log; `all` unless said otherwise. */
  readonly accessLog?: AccessLog
  /** Serves `POST /invoke`; without it that path is an ordinary one, so nobody can send events over HTTP. */
  readonly onEvent?: OnEvent<Deps>
}

/** A listening custom runtime. */
export interface FcServer {
  readonly port: number
  /** Lets running requests end, then closes. */
  close(): Promise<void>
}

/**
 * The same route in a custom runtime: Function Compute passes HTTP requests through verbatim and many at a time.
 * https://help.aliyun.com/zh/functioncompute/fc/user-guide/web-functions
 */
export async function serveHttp<Deps>(
  makeDeps: MakeDeps<Deps>,
  route: Route<Deps>,
  options: ServerOptions<Deps>,
): Promise<FcServer> {
  const { onEvent, accessLog = 'all' } = options
  let closing = false
  const listener = await httpListener(makeDeps, route, accessLog)
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 900_000 }, (incoming, outgoing) => {
    outgoing.once('close', () => closing && server.closeIdleConnections())
    if (onEvent && incoming.method === 'POST' && incoming.url === '/invoke') {
      void serveEvent(incoming, outgoing, headerContext(incoming), makeDeps, onEvent)
    } else void listener(incoming, outgoing)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host ?? '0.0.0.0', resolve)
  })
  const address = server.address()
  const close = () =>
    new Promise<void>((resolve) => {
      closing = true
      process.off('SIGTERM', close)
      server.close(() => resolve())
      server.closeIdleConnections()
    })
  process.once('SIGTERM', close)
  return { port: typeof address === 'object' && address ? address.port : options.port, close }
}

/**
 * Between Node's server and a route stands hono's adapter, whose requests and answers are objects only as far as somebody
 * looks at them: a redirect costs half of what the platform's own classes cost. Loaded on first use, since built-in
 * runtimes have no server.
 */
async function httpListener<Deps>(makeDeps: MakeDeps<Deps>, route: Route<Deps>, accessLog: AccessLog) {
  const { getRequestListener } = await import('@hono/node-server')
  return getRequestListener(
    (request, bindings) => {
      const { incoming, outgoing } = bindings as HttpBindings
      const context = headerContext(incoming)
      hidePlatformHeaders(incoming)
      const { requestId, sourceIp = '' } = context
      const line = { requestId, sourceIp, method: incoming.method ?? 'GET', path: pathOf(incoming.url) }
      outgoing.setHeader('x-request-id', requestId)
      return respond(line, async () => route(await limited(request, incoming), makeDeps(context)), accessLog)
    },
    {
      hostname: 'localhost',
      errorHandler: (error) => {
        log('warn', 'request not understood', errorFields(error))
        return problem(new AppError('invalid_request', 'The host or the path is not valid'))
      },
    },
  )
}

/** Credentials come as `x-fc-*` headers, and a route has no use for any of those. */
function hidePlatformHeaders(incoming: IncomingMessage): void {
  const kept: string[] = []
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = incoming.rawHeaders.slice(at, at + 2)
    if (!name.toLowerCase().startsWith('x-fc-')) kept.push(name, value)
  }
  incoming.rawHeaders = kept
}

function pathOf(target = '/'): string {
  return target.split('?', 1)[0] ?? '/'
}

/** A body is read whole before the route sees it, and none is larger than the gateway would let through. */
async function limited(request: Request, incoming: IncomingMessage): Promise<Request> {
  if (incoming.method === 'GET' || incoming.method === 'HEAD') return request
  const body = await readBody(incoming)
  return new Request(request.url, { method: request.method, headers: request.headers, body: new Uint8Array(body) })
}

/** The runtime tells failure by a header, since status and body of `/invoke` are lost for asynchronous calls. */
async function serveEvent<Deps>(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  context: FcContext,
  makeDeps: MakeDeps<Deps>,
  onEvent: OnEvent<Deps>,
): Promise<void> {
  try {
    const result = await runEvent(await readBody(incoming), context, makeDeps, onEvent)
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result ?? null))
  } catch {
    outgoing.writeHead(404, { 'x-fc-status': '404', 'content-type': 'text/plain' }).end('the event failed, see the log')
  }
}

async function runEvent<Deps>(
  payload: Uint8Array,
  context: FcContext,
  makeDeps: MakeDeps<Deps>,
  onEvent: OnEvent<Deps>,
): Promise<unknown> {
  const { requestId, functionName } = context
  const startedAt = performance.now()
  try {
    const result = await onEvent(parse(payload), makeDeps(context))
    log('info', 'event', { requestId, functionName, durationMs: since(startedAt) })
    return result
  } catch (error) {
    log('error', 'event failed', { requestId, functionName, durationMs: since(startedAt), ...errorFields(error) })
    throw error
  }
}

/** Text stays text; anything else travels as base64. */
async function resultOf(response: Response, { method, requestId }: RequestLine): Promise<HttpResult> {
  // The gateway adds cross-origin headers and appends ours, and two values make browsers refuse.
  const kept = [...response.headers].filter(([name]) => !name.startsWith('access-control-'))
  const headers = { ...Object.fromEntries(kept), 'x-request-id': requestId }
  const bytes = Buffer.from(method === 'HEAD' ? new ArrayBuffer(0) : await response.arrayBuffer())
  const text = isUtf8(bytes)
  return {
    statusCode: response.status,
    headers,
    isBase64Encoded: !text,
    body: bytes.toString(text ? 'utf8' : 'base64'),
  }
}

function requestOf(event: HttpEvent): Request {
  const headers = headersOf(event.headers ?? {})
  if (!headers.has('host') && event.requestContext.domainName) headers.set('host', event.requestContext.domainName)
  const { method } = event.requestContext.http
  // A parameter given twice arrives joined by a comma and cannot be told from one that holds a comma.
  const query = new URLSearchParams(event.queryParameters ?? {}).toString()
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  return buildRequest(method, `${lineOf(event).path}${query && `?${query}`}`, headers, body)
}

function buildRequest(method: string, target: string, headers: Headers, body: Buffer): Request {
  const scheme = headers.get('x-forwarded-proto')?.split(',', 1)[0]?.trim() || 'http'
  const url = `${scheme}://${headers.get('host') ?? 'localhost'}${target}`
  if (!URL.canParse(url)) throw new AppError('invalid_request', 'The host or the path is not valid')
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(url, { method, headers, ...(hasBody ? { body: new Uint8Array(body) } : {}) })
}

/** Credentials come as `x-fc-*` headers; routes have no use for any of those. */
function headersOf(raw: Readonly<Record<string, string | readonly string[] | undefined>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || name.toLowerCase().startsWith('x-fc-')) continue
    for (const one of [value].flat()) headers.append(name, one)
  }
  return headers
}

/** `rawPath` is as it was requested; `path` has been decoded. */
function lineOf(event: HttpEvent): { method: string; path: string } {
  const { method, path } = event.requestContext.http
  return { method, path: event.rawPath ?? encodeURI(path) }
}

function contextOf(context: RuntimeContext): FcContext {
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = context.credentials ?? {}
  return {
    requestId: context.requestId,
    credentials: { accessKeyId, accessKeySecret, securityToken },
    accountId: context.accountId ?? '',
    region: context.region ?? '',
    functionName: context.function?.name ?? '',
  }
}

function headerContext(incoming: IncomingMessage): FcContext {
  const header = (name: string) => incoming.headersDistinct[name]?.[0] ?? ''
  return {
    requestId: header('x-fc-request-id'),
    credentials: {
      accessKeyId: header('x-fc-access-key-id'),
      accessKeySecret: header('x-fc-access-key-secret'),
      securityToken: header('x-fc-security-token'),
    },
    accountId: header('x-fc-account-id'),
    region: header('x-fc-region'),
    functionName: header('x-fc-function-name'),
    // The last hop is the gateway's own word; what stands before it, the client may have written.
    sourceIp: header('x-forwarded-for').split(',').at(-1)?.trim() || (incoming.socket.remoteAddress ?? ''),
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new AppError('too_large', `A body holds at most ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function isHttpEvent(event: unknown): event is HttpEvent {
  if (typeof event !== 'object' || event === null || !('requestContext' in event)) return false
  const { requestContext } = event
  return typeof requestContext === 'object' && requestContext !== null && 'http' in requestContext
}

function parse(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString())
}

function tryParse(payload: Uint8Array): unknown {
  try {
    return parse(payload)
  } catch {
    return undefined
  }
}

function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt)
}
