import { createServer, type RequestListener, type Server } from 'node:http'
import { isIPv4 } from 'node:net'

/** A listening HTTP server of the local cloud. */
export interface LocalServer {
  readonly port: number
  /** `http://localhost:PORT`; the name, since several SDKs treat IP endpoints differently. */
  readonly url: string
  close(): Promise<void>
}

/** Where a service listens; port 0 lets the system choose. */
export interface ListenOptions {
  readonly host: string
  readonly port: number
}

/**
 * Serves one handler on the wanted host; for loopback on 127.0.0.1 and, where the machine has it, ::1 at the same port,
 * because clients resolve `localhost` to either. Rejects with `EADDRINUSE` when the port is taken.
 */
export async function listen(handler: RequestListener, options: ListenOptions): Promise<LocalServer> {
  const first = await bind(handler, options.host, options.port)
  const port = portOf(first)
  const servers = [first]
  if (options.host === '127.0.0.1') {
    const second = await bind(handler, '::1', port).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') return undefined
      throw error
    })
    if (second) servers.push(second)
  }
  const name = options.host === '127.0.0.1' || !isIPv4(options.host) ? 'localhost' : options.host
  return { port, url: `http://${name}:${port}`, close: async () => void (await Promise.all(servers.map(shut))) }
}

function bind(handler: RequestListener, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, handler)
    server.once('error', reject)
    server.listen({ host, port }, () => resolve(server))
  })
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
