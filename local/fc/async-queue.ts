import type { RootDatabase } from 'lmdb'
import type { Clock } from '../wire/clock.ts'
import type { Deployed } from './deployed.ts'
import type { AsyncConfig } from './function-config.ts'
import type { Outcome } from './instance.ts'

/** Asynchronous invocations: kept on disk until they are done, and delivered again after a restart. */
export interface AsyncQueue {
  /** Takes an invocation; `false` when the function has had this task id before. */
  add(invocation: NewInvocation): boolean
  task(functionName: string, taskId: string): Task | undefined
  /** Delivers what was left unfinished when the local cloud last stopped. */
  resume(): void
  /** From now on nothing is started and nothing is recorded. */
  close(): void
}

export interface NewInvocation {
  readonly functionName: string
  readonly requestId: string
  readonly payload: Buffer
  readonly taskId?: string
}

/** What is known of an invocation that was given a task id; never forgotten, since a used id stays taken. */
export interface Task {
  readonly taskId: string
  readonly requestId: string
  readonly functionName: string
  readonly status: 'Enqueued' | 'Running' | 'Retrying' | 'Succeeded' | 'Failed' | 'Expired'
  readonly startedAt: number
  readonly endedAt?: number
  readonly retries: number
  readonly error?: string
}

export interface AsyncQueueOptions {
  readonly db: RootDatabase
  readonly region: string
  readonly accountId: string
  /** Pause before a failed invocation is tried again; doubles with every further try. */
  readonly retryDelayMs: number
  readonly clock: Clock
  readonly courier?: Courier
  deployed(functionName: string): Target | undefined
  newRequestId(): string
  /** Called with +1 and -1 as invocations come and go. */
  count(change: 1 | -1): void
}

/** Brings an invocation on its way; may do it late, more than once, or never. */
export type Courier = (invocation: NewInvocation, deliver: () => Promise<void>) => 'taken' | 'lost'

type Target = Pick<Deployed, 'config' | 'invoke'>

interface Stored {
  readonly functionName: string
  readonly requestId: string
  readonly payload: Buffer
  readonly taskId?: string
  readonly enqueuedAt: number
  readonly tries: number
  /** When it may be tried again. */
  readonly notBefore?: number
}

/** Opens the queue over a database of its own. */
export function openAsyncQueue(options: AsyncQueueOptions): AsyncQueue {
  const { db, clock, courier } = options
  const { now } = clock
  let closed = false
  let sequence = lastSequence(db)

  function put(invocation: NewInvocation): [number, Stored] {
    const stored: Stored = { ...invocation, enqueuedAt: now(), tries: 0 }
    const id = ++sequence
    db.put(['queue', id], stored)
    noteTask(stored, { status: 'Enqueued' })
    return [id, stored]
  }

  function noteTask(stored: Stored, change: Partial<Task> & Pick<Task, 'status'>): void {
    const { functionName, taskId, requestId, enqueuedAt, tries } = stored
    if (taskId === undefined) return
    const task: Task = {
      taskId,
      requestId,
      functionName,
      startedAt: enqueuedAt,
      retries: Math.max(0, tries - 1),
      ...change,
    }
    db.put(['task', functionName, taskId], task)
  }

  function send(id: number, stored: Stored): void {
    const fate = courier ? courier(stored, () => deliver(id, stored)) : 'taken'
    if (!courier) void deliver(id, stored)
    if (fate === 'lost') db.transactionSync(() => db.remove(['queue', id]))
  }

  /** One try, now; what follows from it is another call. */
  async function deliver(id: number, stored: Stored): Promise<void> {
    if (closed) return
    options.count(1)
    try {
      const deployed = options.deployed(stored.functionName)
      if (deployed) await tryOnce(id, stored, deployed)
      else db.transactionSync(() => db.remove(['queue', id]))
    } finally {
      options.count(-1)
    }
  }

  async function tryOnce(id: number, before: Stored, deployed: Target): Promise<void> {
    const config = deployed.config.async
    const lastStart = before.enqueuedAt + config.maxAgeS * 1000
    const { notBefore: _over, ...rest } = before
    const stored: Stored = { ...rest, tries: before.tries + 1 }
    save(id, stored, stored.tries > 1 ? 'Retrying' : 'Running')
    // It may have to wait for an instance, and grow too old meanwhile.
    const outcome = await deployed.invoke(stored.requestId, stored.payload, () => now() > lastStart)
    // A call that the shutdown itself cut off did not fail: it is delivered again.
    if (closed) return
    if (!outcome) return finish(id, before, config, expired())
    if (outcome.ok || stored.tries > config.maxRetries) return finish(id, stored, config, outcome)
    const pause = options.retryDelayMs * 2 ** before.tries
    tryLater(id, { ...stored, notBefore: Math.min(now() + pause, lastStart + 1) })
  }

  function tryLater(id: number, stored: Stored & { readonly notBefore: number }): void {
    save(id, stored, 'Retrying')
    clock.at(stored.notBefore, () => deliver(id, stored))
  }

  function save(id: number, stored: Stored, status: Task['status']): void {
    db.transactionSync(() => {
      db.put(['queue', id], stored)
      noteTask(stored, { status })
    })
  }

  /** The end of one invocation and the start of the one that reports it are one write. */
  function finish(id: number, stored: Stored, config: AsyncConfig, outcome: Outcome): void {
    const target = outcome.ok ? config.onSuccess : config.onFailure
    const status = outcome.ok ? 'Succeeded' : outcome.error.errorType === EXPIRED ? 'Expired' : 'Failed'
    const next = db.transactionSync(() => {
      db.remove(['queue', id])
      noteTask(stored, { status, endedAt: now(), ...(outcome.ok ? {} : { error: outcome.error.errorMessage }) })
      if (target === undefined) return undefined
      const payload = destinationPayload(stored, outcome, options)
      return put({ functionName: target, requestId: options.newRequestId(), payload })
    })
    if (next) send(...next)
  }

  return {
    add(invocation) {
      const { functionName, taskId } = invocation
      const added = db.transactionSync(() => {
        if (taskId !== undefined && db.doesExist(['task', functionName, taskId])) return undefined
        return put(invocation)
      })
      if (added) send(...added)
      return added !== undefined
    },
    task: (functionName, taskId) => db.get(['task', functionName, taskId]) as Task | undefined,
    resume() {
      for (const { key, value } of [...db.getRange({ start: ['queue', 0], end: ['queue', Infinity] })]) {
        const [, id] = key as [string, number]
        const stored = value as Stored
        const payload = Buffer.from(stored.payload)
        // One that waits keeps its time; a try that was cut off does not count.
        if (stored.notBefore !== undefined) {
          clock.at(stored.notBefore, () => deliver(id, { ...stored, payload }))
        } else void deliver(id, { ...stored, payload, tries: Math.max(0, stored.tries - 1) })
      }
    },
    close() {
      closed = true
    },
  }
}

const EXPIRED = 'AsyncEventExpired'

function expired(): Outcome {
  const errorMessage = 'The invocation was not started within maxAsyncEventAgeInSeconds'
  return { ok: false, kind: 'UnhandledInvocationError', error: { errorMessage, errorType: EXPIRED } }
}

function lastSequence(db: RootDatabase): number {
  const [last] = [...db.getKeys({ start: ['queue', Infinity], end: ['queue', 0], reverse: true, limit: 1 })]
  return last === undefined ? 0 : (last as [string, number])[1]
}

/** https://www.alibabacloud.com/help/en/functioncompute/fc-3-0/user-guide/result-callback */
function destinationPayload(stored: Stored, outcome: Outcome, options: AsyncQueueOptions): Buffer {
  const { region, accountId, clock } = options
  const body = {
    timestamp: clock.now(),
    requestContext: {
      requestId: stored.requestId,
      functionArn: `acs:fc:${region}:${accountId}:functions/${stored.functionName}`,
      condition: outcome.ok ? '' : outcome.kind,
      approximateInvokeCount: stored.tries,
    },
    requestPayload: stored.payload.toString(),
    responseContext: { statusCode: 200, functionError: outcome.ok ? '' : outcome.kind },
    responsePayload: outcome.ok ? outcome.payload.toString() : JSON.stringify(outcome.error),
  }
  return Buffer.from(JSON.stringify(body))
}
