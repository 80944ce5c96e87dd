import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to one request: passed on, answered by the proxy, or cut before or after its effect. */
export type Fault =
  | 'pass'
  | 'cut before'
  | 'cut after'
  | 'hang'
  | { readonly status: number; readonly body: Buffer | string }

export interface FaultProxy {
  readonly url: string
  /** `METHOD path` of every request that arrived. */
  readonly seen: string[]
  /** Applies to the next requests, one each; then everything passes. */
  next(...faults: Fault[]): void
  close(): Promise<void>
}

/** Stands between an SDK and a local service and damages what a test wants damaged. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const queue: Fault[] = []
  const seen: string[] = []
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    void handle(queue.shift() ?? 'pass', target, incoming, outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    seen,
    next: (...faults) => void queue.push(...faults),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function handle(fault: Fault, target: string, incoming: IncomingMessage, outgoing: ServerResponse) {
  if (fault === 'hang') return
  if (fault === 'cut before') {
    outgoing.destroy()
    return
  }
  if (typeof fault === 'object') {
    incoming.resume()
    outgoing.writeHead(fault.status, { 'content-length': Buffer.byteLength(fault.body) }).end(fault.body)
    return
  }
  const answer = await forward(target, incoming)
  if (fault === 'cut after') {
    answer.resume()
    outgoing.destroy()
    return
  }
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
  answer.pipe(outgoing)
}

function forward(target: string, incoming: IncomingMessage): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url, headers } = incoming
    const onward = request(new URL(url ?? '/', target), { method: method ?? 'GET', headers }, resolve)
    onward.on('error', reject)
    incoming.pipe(onward)
  })
}
