import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { CustomRuntime } from './function-config.ts'
import { badGateway, type HttpReply, type HttpRequest } from './http-event.ts'
import { exitedUnexpectedly, type Instance, type InstanceSetup, StartError, startProcess } from './instance.ts'

/** How long a custom runtime may take until it listens. */
const START_LIMIT_MS = 120_000
const PROBE_EVERY_MS = 20

/** Starts a custom runtime: a program of the function's own that serves HTTP; resolves when it listens. */
export async function startCustom(setup: InstanceSetup, custom: CustomRuntime): Promise<Instance> {
  const port = await freePort()
  const [program = '', ...words] = [...custom.command, ...custom.args].map((word) => setup.rewrite(word))
  const command = [program, ...(program === process.execPath ? setup.nodeArguments : []), ...words]
  const environment = { ...setup.environment, FC_CUSTOM_LISTEN_PORT: String(port) }
  const { pid, exited, kill, isUsable } = startProcess({ ...setup, environment }, command, {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const agent = new Agent({ keepAlive: true })
  const gone = exited.then(() => undefined)
  const send = async (request: HttpRequest) => {
    const reply = await Promise.race([exchange(port, agent, request), gone])
    // A server that breaks a connection off is ending; nothing more is sent to it.
    if (!reply) kill()
    return reply
  }
  const control = async (requestId: string, method: string, path: string) => {
    const reply = await send({ ...EMPTY, method, url: path, headers: Object.entries(setup.contextHeaders(requestId)) })
    if (reply) await wholeBody(reply)
  }

  if (!(await listens(port, exited))) {
    kill()
    throw new StartError({
      errorMessage: `Function instance exited or did not listen on port ${custom.port}, given as FC_CUSTOM_LISTEN_PORT`,
      errorType: 'FunctionNotStarted',
    })
  }
  if (setup.config.initializer) await control('initialize', 'POST', '/initialize')

  return {
    id: setup.id,
    pid,
    exited,
    isUsable,
    kill() {
      agent.destroy()
      kill()
    },
    async invoke(requestId, payload) {
      const headers = [
        ...Object.entries(setup.contextHeaders(requestId)),
        ['x-fc-control-path', '/invoke'],
        ['content-type', 'application/octet-stream'],
      ] as const
      const reply = await send({ ...EMPTY, method: 'POST', url: '/invoke', headers, body: payload })
      const body = reply && (await wholeBody(reply))
      if (!reply || !body) return exitedUnexpectedly()
      const status = reply.headers['x-fc-status'] ?? '200'
      if (status === '200') return { ok: true, payload: body }
      const error = { errorMessage: body.toString(), errorType: 'CustomRuntimeError' }
      return { ok: false, kind: 'UnhandledInvocationError', error }
    },
    async http(requestId, request) {
      const headers = [...request.headers, ...Object.entries(setup.contextHeaders(requestId))]
      const reply = await send({ ...request, headers })
      return reply ? toReply(reply) : badGateway('Process exited unexpectedly before completing request')
    },
    async preStop() {
      const { preStop } = setup.config
      if (!preStop) return
      const limit = new Promise((resolve) => setTimeout(resolve, preStop.timeoutS * 1000).unref())
      await Promise.race([control('pre-stop', 'GET', '/pre-stop'), limit])
    },
  }
}

const EMPTY = { method: 'GET', url: '/', headers: [], body: Buffer.alloc(0), sourceIp: '127.0.0.1' }

function toReply(message: IncomingMessage): HttpReply {
  const headers: [string, string][] = []
  for (let index = 0; index < message.rawHeaders.length; index += 2) {
    headers.push([message.rawHeaders[index] ?? '', message.rawHeaders[index + 1] ?? ''])
  }
  return { status: message.statusCode ?? 502, headers, body: message }
}

/** `undefined` when the connection breaks before the body is whole. */
async function wholeBody(message: IncomingMessage): Promise<Buffer | undefined> {
  try {
    return await buffer(message)
  } catch {
    return undefined
  }
}

/** One exchange with the function; `undefined` when the connection broke before an answer began. */
function exchange(port: number, agent: Agent, request: HttpRequest): Promise<IncomingMessage | undefined> {
  const { method, url, headers, body } = request
  const hasHost = headers.some(([name]) => name.toLowerCase() === 'host')
  const named = hasHost ? headers : [...headers, ['host', `127.0.0.1:${port}`] as const]
  const flat = named.filter(([name]) => !DROPPED.has(name.toLowerCase())).flat()
  return new Promise((resolve) => {
    const sent = httpRequest({
      host: '127.0.0.1',
      port,
      agent,
      method,
      path: url,
      headers: [...flat, ...(body.length > 0 || method === 'POST' ? ['content-length', String(body.length)] : [])],
    })
    sent.once('error', () => {
      // A connection kept alive may have been closed by the function just as it was used again.
      resolve(sent.reusedSocket ? exchange(port, new Agent(), request) : undefined)
    })
    sent.once('response', (message) => {
      // Whoever reads the body notices; until somebody does, a break must not end this process.
      message.on('error', () => {})
      resolve(message)
    })
    sent.end(body)
  })
}

/** Said anew on the connection to the instance. */
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'upgrade', 'expect'])

async function listens(port: number, exited: Promise<void>): Promise<boolean> {
  let alive = true
  void exited.then(() => {
    alive = false
  })
  const until = Date.now() + START_LIMIT_MS
  while (alive && Date.now() < until) {
    if (await connects(port)) return true
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS))
  }
  return false
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
