import { onTask } from '../../functions/ffmpeg-transcode/on-task.ts'
import { openOutputs, openSources } from '../../functions/ffmpeg-transcode/storage.ts'
import { newRecollection } from '../../functions/heartbeat/record.ts'
import { onRequest as onBeat } from '../../functions/heartbeat/route.ts'
import { onCheck } from '../../functions/hls-index/on-check.ts'
import { onFailure } from '../../functions/mps-callback/on-failure.ts'
import { onRequest as onNotice } from '../../functions/mps-callback/route.ts'
import { onRequest as onPlay } from '../../functions/play-redirect/route.ts'
import { newShelf } from '../../functions/play-redirect/shelf.ts'
import { onRequest as onUpload } from '../../functions/sts-token/route.ts'
import { onObject } from '../../functions/upload-notify/on-object.ts'
import { onRequest as onUploadChange } from '../../functions/upload-notify/route.ts'
import { onRequest as onManage } from '../../functions/videos/route.ts'
import { routeKey, signInternal, verifyInternal } from '../../shared/auth/internal.ts'
import { playSessions } from '../../shared/auth/play-session.ts'
import { TRANSCODE_CALLBACK_PATH } from '../../shared/cloud/callback.ts'
import { AppError } from '../../shared/errors.ts'
import { invocationId, type TaskMessage } from '../../shared/plan.ts'
import { shownCache } from '../../shared/shown.ts'
import { accountsTable } from '../../shared/tables/accounts.ts'
import { countersTable } from '../../shared/tables/counters.ts'
import { noncesTable } from '../../shared/tables/nonces.ts'
import { progressTable } from '../../shared/tables/progress.ts'
import { renditionsTable } from '../../shared/tables/renditions.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { sessionsTable } from '../../shared/tables/sessions.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { taskMessageOf } from '../../shared/task-message.ts'
import { askPlain } from '../fakes/plain.ts'
import { DAY, newWorld, stateOf, type World } from '../functions/world.ts'
import type { Bench } from '../media/support.ts'
import { type Fault, Gone, type Handler, newDeliveries } from './faulty.ts'

/** The source of every video here: where it is served, and tools that read it. */
export interface Film {
  readonly url: string
  readonly etag: string
  readonly tools: Bench['deps']['tools']
}

const SECRET = 'a secret of some length, for tests'
const KEY = routeKey(SECRET, TRANSCODE_CALLBACK_PATH)
/** How often a client, or the platform, delivers again what failed. */
const TRIES = 3

/**
 * Every function over one world, with the promises of the platform: requests are repeated by whoever sent them, events
 * by Function Compute, a task whose worker is gone goes to its destination, and the timer comes every minute.
 */
export function newCloud(film: Film, victim: Handler, fault?: Fault) {
  // A worker that never comes is waited for in some of these.
  const world = newWorld({ limits: { abandonMs: 150_000 } })
  const deliveries = newDeliveries(victim, fault)
  world.observe(deliveries.onCall)
  const functions = functionsOver(world, film)
  const notices: { mediaId: string; nonce: string }[] = functions.notices

  async function attempt<T>(handler: Handler, what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await deliveries.deliver(handler, what, run)
    } catch (error) {
      if (error instanceof Gone && error.message === 'died') functions.restart(handler)
      throw error
    }
  }

  /** Delivers until it is answered with something other than a failure; `undefined` when it never arrives. */
  async function insist<T>(handler: Handler, what: string, run: () => Promise<T>, lostForGood = true) {
    for (let tries = 0; tries < TRIES; tries += 1) {
      try {
        return await attempt(handler, what, run)
      } catch (error) {
        if (error instanceof Gone && error.message === 'lost' && lostForGood) return undefined
        if (error instanceof AppError && error.status < 500) throw error
      }
    }
    throw new Error(`${what} failed ${TRIES} times`)
  }

  async function work(message: TaskMessage): Promise<void> {
    const handler = message.kind === 'check' ? 'hls-index' : 'ffmpeg-transcode'
    try {
      await deliveries.deliver(handler, message.taskId, () => functions.work(message))
    } catch (error) {
      if (error instanceof Gone && error.message === 'lost') return
      const event = { requestPayload: JSON.stringify(message) }
      await insist('mps-callback', `failure of ${message.taskId}`, () => functions.failed(event))
    }
  }

  /** Until nobody has anything to deliver. */
  async function pump(): Promise<void> {
    for (;;) {
      const notice = notices.shift()
      const message = notice ? undefined : world.messages.shift()
      if (notice) await insist('mps-callback', 'notice', () => functions.notice(notice))
      else if (message) await work(message)
      else return
    }
  }

  async function timer(): Promise<void> {
    await deliveries.deliver('sweep', 'timer', world.sweep).catch(() => {})
    await pump()
  }

  return {
    world,
    deliveries,
    plays: functions.plays,
    tables: functions.tables,
    /** A request that its sender repeats until it is answered; gives status and body of the answer. */
    request: (handler: Handler, method: string, path: string, options: RequestOptions = {}) =>
      insist(
        handler,
        `${method} ${path}`,
        () => functions.ask(handler, method, path, options),
        options.sentOnce ?? false,
      ),
    /** A request that nobody repeats. */
    requestOnce: (handler: Handler, method: string, path: string, options: RequestOptions = {}) =>
      attempt(handler, `${method} ${path}`, () => functions.ask(handler, method, path, options)),
    /** The event of the bucket. */
    object: (key: string) => insist('upload-notify', 'object event', () => functions.object(key)),
    /** What Function Compute says of an attempt whose worker is gone. */
    failure: (message: TaskMessage) =>
      insist('mps-callback', 'failure', () => functions.failed({ requestPayload: JSON.stringify(message) })),
    pump,
    /** Delivers everything, then moves the clock from hint to hint. */
    async rest(until: number): Promise<void> {
      await pump()
      await world.settle(until, timer)
    },
    /** What counts in the end, with ids that were made up on the way named by their order. */
    end(answer: unknown) {
      const asked = [...new Set(world.invocations.map(taskOf))].sort()
      return canonical({ ...stateWithout(world), asked, answer })
    },
  }
}

export type Cloud = ReturnType<typeof newCloud>

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Whoever sends it does not come back when it does not arrive. */
  readonly sentOnce?: boolean
}

/** An attempt's id without its attempt. */
function taskOf(id: string): string {
  return id.replace(/-\d+$/, '')
}

/** Which attempt it was, who made it, and which requests have come is no part of what came of it. */
function stateWithout(world: World) {
  const { tables, ...rest } = stateOf(world)
  const { nonces: _, idempotency: _____, ...kept } = tables
  const plain = Object.entries(kept).map(([table, rows]) => [
    table,
    rows.map(({ attempt: __, ended_attempt: ___, lease_owner: ____, ...row }) => row),
  ])
  return { tables: Object.fromEntries(plain) as typeof tables, ...rest }
}

function canonical<T>(state: T): T {
  const names = new Map<string, string>()
  const text = JSON.stringify(state).replaceAll(/id\d{14}/g, (id) => {
    const name = names.get(id) ?? `made${names.size + 1}`
    names.set(id, name)
    return name
  })
  return JSON.parse(text) as T
}

/** Each handler with what its `index.ts` would give it. */
function functionsOver(world: World, film: Film) {
  const { tables: client, deps: base, observed, clock } = world
  const notices: { mediaId: string; nonce: string }[] = []
  const plays = playSessions(SECRET)
  let ids = 0
  const newId = () => {
    ids += 1
    return `id${String(ids).padStart(14, '0')}`
  }
  const tables = {
    ...base,
    tasks: tasksTable(client),
    renditions: renditionsTable(client),
    segments: segmentsTable(client),
    progress: progressTable(client),
    counters: countersTable(client),
    sessions: sessionsTable(client),
    accounts: accountsTable(client),
  }
  const uploading = { ...base, uploadToken: (id: string) => `token-of-${id}`, newId, uploadExpiresMs: DAY }
  const managing = {
    ...tables,
    signup: 'open',
    newId,
    hashPassword: async (password: string) => `hash-of-${password}`,
    verifyPassword: async (password: string, hash: string | undefined) => hash === `hash-of-${password}`,
    openSession: async ({ accountId }: { accountId: string }) => ({ token: `session-of-${accountId}`, expiresAt: DAY }),
  } as const
  const notify = (mediaId: string) =>
    observed(
      { service: 'callback', name: 'notify', changes: true },
      () => void notices.push({ mediaId, nonce: newId() }),
    )
  const objects = { ...base.objects, presignGet: () => film.url }
  const working = (message: TaskMessage) => ({
    ...tables,
    objects,
    sources: openSources(objects),
    outputs: openOutputs(objects),
    tools: film.tools,
    threads: 1,
    deadlineMs: 60_000,
    notify,
    owner: `${invocationId(message)}:${newId()}`,
  })
  const calledBack = {
    ...tables,
    verify: (query: URLSearchParams, body: string) => verifyInternal({ key: KEY, query, body }, clock.now),
    spend: (nonce: string) => noncesTable(client).spend('internal', TRANSCODE_CALLBACK_PATH, nonce, clock.now),
  }
  const newPlayInstance = () => ({
    ...base,
    shelf: newShelf(),
    tables: () => tables,
    presign: (method: string, key: string) => `http://oss/${key}?for=${method}`,
    openSession: (playbackId: string) => plays.issue(playbackId, 'S000000000000001', clock.now),
  })
  const newBeatInstance = () => ({
    ...{ ...tables, client, tables, shown: shownCache(), recollection: newRecollection() },
    readPlaySession: (token: string, playbackId: string) => plays.read(token, playbackId, clock.now),
  })
  let playing = newPlayInstance()
  let beating = newBeatInstance()

  function route(handler: Handler, request: Request): Promise<Response> | Response {
    if (handler === 'sts-token') return onUpload(request, uploading)
    if (handler === 'upload-notify') return onUploadChange(request, base)
    if (handler === 'videos') return onManage(request, managing)
    if (handler === 'play-redirect') return askPlain(onPlay, request, playing)
    if (handler === 'heartbeat') return askPlain(onBeat, request, beating)
    throw new Error(`${handler} has no requests of clients`)
  }

  return {
    notices,
    plays,
    tables,
    /** A process that died is followed by one that knows nothing. */
    restart(handler: Handler): void {
      if (handler === 'play-redirect') playing = newPlayInstance()
      if (handler === 'heartbeat') beating = newBeatInstance()
    },
    async ask(handler: Handler, method: string, path: string, { headers = {}, body }: RequestOptions) {
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
      const response = await route(handler, new Request(`http://api${path}`, init))
      return { status: response.status, location: response.headers.get('location'), text: await response.text() }
    },
    object: (key: string) =>
      onObject({ events: [{ eventName: 'ObjectCreated:PutObject', oss: { object: { key } } }] }, base),
    work: (message: TaskMessage) =>
      message.kind === 'check' ? onCheck(message, working(message)) : onTask(taskMessageOf(message), working(message)),
    failed: (event: object) => onFailure(event, calledBack),
    async notice({ mediaId, nonce }: { mediaId: string; nonce: string }) {
      const body = JSON.stringify({ mediaId })
      const query = signInternal({ key: KEY, parameters: {}, body }, clock.now, nonce)
      const url = `http://api${TRANSCODE_CALLBACK_PATH}?${query}`
      return (await onNotice(new Request(url, { method: 'POST', body }), calledBack)).status
    },
  }
}
