import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { AppError } from './errors.ts'
import { type FcContext, type MakeDeps, type OnEvent, runEvent } from './fc.ts'
import type { Answer, HeaderReader, PlainRequest } from './plain.ts'
import { type AccessLog, answered } from './respond.ts'

/** A route of a custom runtime. */
export type PlainRoute<Deps> = (request: PlainRequest, deps: Deps) => Promise<Answer>

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

/** The gateway takes no more. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * A route in a custom runtime: Function Compute passes HTTP requests through verbatim and many at a time.
 * https://help.aliyun.com/zh/functioncompute/fc/user-guide/web-functions
 */
export async function serveHttp<Deps>(
  makeDeps: MakeDeps<Deps>,
  route: PlainRoute<Deps>,
  options: ServerOptions<Deps>,
): Promise<FcServer> {
  const { onEvent, accessLog = 'all' } = options
  let closing = false
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 900_000 }, (incoming, outgoing) => {
    outgoing.once('close', () => closing && server.closeIdleConnections())
    if (onEvent && incoming.method === 'POST' && incoming.url === '/invoke') {
      void serveEvent(incoming, outgoing, contextOf(incoming), makeDeps, onEvent)
    } else void serveRequest(incoming, outgoing, makeDeps, route, accessLog)
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

async function serveRequest<Deps>(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  makeDeps: MakeDeps<Deps>,
  route: PlainRoute<Deps>,
  accessLog: AccessLog,
): Promise<void> {
  const context = contextOf(incoming)
  const { requestId, sourceIp = '' } = context
  const request = requestOf(incoming)
  const { status, headers, body } = await answered(
    { requestId, sourceIp, method: request.method, path: request.path },
    async () => route(request, makeDeps(context)),
    accessLog,
  )
  const text = typeof body === 'string' ? body : JSON.stringify({ ...body, requestId })
  const length = bodyless(status) ? {} : { 'content-length': Buffer.byteLength(text) }
  outgoing.writeHead(status, { 'x-request-id': requestId, ...headers, ...length }).end(text)
}

/** RFC 9110, 8.6: these carry no length either. */
function bodyless(status: number): boolean {
  return status === 204 || status === 304
}

function requestOf(incoming: IncomingMessage): PlainRequest {
  const { method = 'GET', url = '/' } = incoming
  const mark = url.indexOf('?')
  return {
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    headers: headersOf(incoming),
    query: () => new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    text: async () => (await readBody(incoming)).toString(),
  }
}

/** Credentials come as `x-fc-*` headers, and a route has no use for any of those. */
function headersOf({ headers }: IncomingMessage): HeaderReader {
  const get = (name: string): string | null => {
    const key = name.toLowerCase()
    const value = key.startsWith('x-fc-') ? undefined : headers[key]
    return Array.isArray(value) ? value.join(', ') : (value ?? null)
  }
  return { get, has: (name) => get(name) !== null }
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

function contextOf({ headers, socket }: IncomingMessage): FcContext {
  const header = (name: string) => {
    const value = headers[name]
    return typeof value === 'string' ? value : ''
  }
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
    sourceIp: header('x-forwarded-for').split(',').at(-1)?.trim() || (socket.remoteAddress ?? ''),
  }
}

/** A body is read whole before it is looked at, and none is larger than the gateway would let through. */
async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    // Read to its end all the same: whoever is still sending does not see an answer.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (bytes > MAX_BODY_BYTES) throw new AppError('too_large', `A body holds at most ${MAX_BODY_BYTES} bytes`)
  return Buffer.concat(chunks)
}
