import { createServer, type RequestListener, type Server } from 'node:http'
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
  const first = await bind(handler, isLoopback ? '127.0.0.1' : options.host, options.port, options.shape)
  if (!isLoopback) return [first]
  try {
    return [first, await bind(handler, '::1', portOf(first), options.shape)]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first]
    await shut(first)
    if (code === 'EADDRINUSE' && options.port === 0 && tries > 1) return bindAll(handler, options, tries - 1)
    throw error
  }
}

function bind(handler: RequestListener, host: string, port: number, shape: SocketShape | undefined): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, handler)
    if (shape) shapeConnections(server, shape)
    server.once('error', reject)
    server.listen({ host, port }, () => resolve(server))
  })
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
