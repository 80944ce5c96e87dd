import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../wire/body.ts'
import type { Fault } from './fault.ts'
import type { Faults } from './faults.ts'

/** What a test may do to a running local cloud. */
export interface Controls {
  readonly faults: Faults
  now(): number
  advance(ms: number): Promise<void>
  idle(): Promise<void>
  setIndexLag(ms: number): Promise<void>
}

/** Where the controls are, before every route of the functions. */
export const CONTROLS_PATH = '/__local/'
const LIMIT_BYTES = 64 * 1024

type Action = (controls: Controls, body: Record<string, unknown>, id: number) => Promise<object> | object

/** By method and path; a number in the path stands for the id of a fault. */
const ACTIONS: Readonly<Record<string, Action>> = {
  'GET clock': ({ now }) => ({ now: now() }),
  'POST advance': async ({ advance, now }, { ms }) => {
    await advance(Number(ms))
    return { now: now() }
  },
  'POST idle': async ({ idle, now }) => {
    await idle()
    return { now: now() }
  },
  'POST index-lag': async ({ setIndexLag }, { ms }) => {
    await setIndexLag(Number(ms))
    return { ms: Number(ms) }
  },
  'GET faults': ({ faults }) => ({ faults: faults.list() }),
  // Checked where it is set.
  'POST faults': ({ faults }, body) => ({ id: faults.add(body as unknown as Fault) }),
  'DELETE faults': ({ faults }) => {
    faults.clear()
    return { faults: [] }
  },
  'DELETE faults/N': ({ faults }, _body, id) => ({ removed: faults.remove(id) }),
}

/** Serves the controls over HTTP. A page of another origin cannot ask for JSON without a preflight, which is refused. */
export async function serveControls(
  request: IncomingMessage,
  response: ServerResponse,
  controls: Controls,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0]?.slice(CONTROLS_PATH.length) ?? ''
  const id = Number(/^faults\/(\d{1,9})$/.exec(path)?.[1] ?? 0)
  const method = request.method ?? 'GET'
  const action = ACTIONS[`${method} ${id > 0 ? 'faults/N' : path}`]
  if (!action) return send(response, 404, { error: `there is no ${method} ${CONTROLS_PATH}${path}` })
  if (method !== 'GET' && request.headers['content-type'] !== 'application/json') {
    return send(response, 415, { error: 'send content-type: application/json' })
  }
  try {
    send(response, 200, await action(controls, await readJson(request), id))
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error
    send(response, 400, { error: error.message })
  }
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const body = await readBody(request, LIMIT_BYTES)
  if (!body) throw new RangeError('the body is larger than 64 KB')
  if (body.length === 0) return {}
  const value: unknown = JSON.parse(body.toString())
  if (typeof value !== 'object' || value === null) throw new RangeError('expected a JSON object')
  return value as Record<string, unknown>
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}
