import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A listening HTTP server of the local cloud. */
export interface LocalServer {
  readonly port: number
  /** `http://localhost:PORT` or another name, since several SDKs treat IP endpoints differently. */
  readonly url: string
  close(): Promise<void>
}

/** Where a service listens; port 0 lets the system choose. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly shape?: SocketShape
  /** Until when the headers of a request have to be there; a minute when missing. */
  readonly headersTimeoutMs?: number
  /** What the service says to a request that never becomes one; a bare status when missing. */
  refuse?(fault: RequestFault): RawAnswer
}

/** Why a request cannot even be read. */
export type RequestFault = 'malformed' | 'headers-too-large' | 'too-slow'

/** An answer to whoever did not send a request. */
export interface RawAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** What connections go through. */
export interface SocketShape {
  /** The socket itself leaves a new connection alone. */
  through(socket: Socket): Duplex
  /** Is told of every server that it shapes. */
  watch(server: Pick<Server, 'closeIdleConnections'>): void
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost']
const EVERYWHERE = ['0.0.0.0', '::']

/**
 * Serves one handler on the wanted host; for loopback on 127.0.0.1 and, where the machine has it, ::1 at the same port,
 * because clients resolve `localhost` to either. Rejects with `EADDRINUSE` when the port is taken.
 */
export async function listen(handler: RequestListener, options: ListenOptions): Promise<LocalServer> {
  const servers = await bindAll(handler, options)
  const port = portOf(servers[0])
  const name = [...LOOPBACK, ...EVERYWHERE].includes(options.host) ? 'localhost' : options.host
  return { port, url: `http://${name}:${port}`, close: async () => void (await Promise.all(servers.map(shut))) }
}

/** A port that the system chose on one address may be taken on the other; then it chooses again. */
async function bindAll(handler: RequestListener, options: ListenOptions, tries = 5): Promise<[Server, ...Server[]]> {
  const isLoopback = LOOPBACK.includes(options.host)
  const first = await bind(handler, isLoopback ? '127.0.0.1' : options.host, options.port, options)
  if (!isLoopback) return [first]
  try {
    return [first, await bind(handler, '::1', portOf(first), options)]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first]
    await shut(first)
    if (code === 'EADDRINUSE' && options.port === 0 && tries > 1) return bindAll(handler, options, tries - 1)
    throw error
  }
}

function bind(handler: RequestListener, host: string, port: number, options: ListenOptions): Promise<Server> {
  const { shape, headersTimeoutMs = 60_000, refuse = bareAnswer } = options
  // Slow connections are looked for as often as this.
  const connectionsCheckingInterval = Math.min(30_000, Math.ceil(headersTimeoutMs / 2))
  const limits = { requestTimeout: 0, keepAliveTimeout: 60_000, headersTimeout: headersTimeoutMs }
  return new Promise((resolve, reject) => {
    const server = createServer({ ...limits, connectionsCheckingInterval }, handler)
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (socket.writable && error.code !== 'ECONNRESET') socket.end(rawAnswer(refuse(faultOf(error))))
      else socket.destroy()
    })
    if (shape) shapeConnections(server, shape)
    server.once('error', reject)
    server.listen({ host, port }, () => resolve(server))
  })
}

const FAULTS: Readonly<Record<string, RequestFault>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'too-slow',
}

function faultOf({ code = '' }: NodeJS.ErrnoException): RequestFault {
  return FAULTS[code] ?? 'malformed'
}

function bareAnswer(fault: RequestFault): RawAnswer {
  const status = { malformed: 400, 'headers-too-large': 431, 'too-slow': 408 }[fault]
  return { status, contentType: 'text/plain', body: '' }
}

function rawAnswer({ status, contentType, body }: RawAnswer): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    `Content-Type: ${contentType}`,
  ]
  return `${[...lines, `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`
}

/** An HTTP server takes any duplex for a connection: https://nodejs.org/api/http.html#event-connection */
function shapeConnections(server: Server, shape: SocketShape): void {
  const [serve] = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket) => serve?.call(server, shape.through(socket)))
  shape.watch(server)
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('an HTTP server always has a port')
  return address.port
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
