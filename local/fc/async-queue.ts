import type { RootDatabase } from 'lmdb'
import type { Room } from '../data/room.ts'
import type { Clock } from '../wire/clock.ts'
import { warn } from '../wire/warn.ts'
import type { Deployed } from './deployed.ts'
import type { AsyncConfig, Destination } from './function-config.ts'
import type { Outcome } from './instance.ts'

/** Asynchronous invocations: kept on disk until they are done, and delivered again after a restart. */
export interface AsyncQueue {
  /** Takes an invocation, durably; `false` when the function has had this task id before. */
  add(invocation: NewInvocation): boolean
  task(functionName: string, taskId: string): Task | undefined
  /** Every task of a function, in the order of their ids. */
  tasks(functionName: string): readonly Task[]
  /** Ends a task that waits or runs; `false` when it is over already. */
  stop(functionName: string, taskId: string): boolean
  /** Delivers what was left unfinished when the local cloud last stopped. */
  resume(): void
  /** From now on nothing is started and nothing is recorded. */
  close(): void
}

export interface NewInvocation {
  readonly functionName: string
  /** Absent: LATEST. */
  readonly qualifier?: string
  readonly requestId: string
  readonly payload: Buffer
  readonly taskId?: string
}

/** What is known of an invocation that was given a task id; never forgotten, since a used id stays taken. */
export interface Task {
  readonly taskId: string
  readonly requestId: string
  readonly functionName: string
  readonly qualifier?: string
  readonly status: TaskStatus
  readonly startedAt: number
  readonly endedAt?: number
  readonly retries: number
  readonly error?: string
  /** What it was given and what it gave, when those are not too large. */
  readonly payload?: string
  readonly returned?: string
  readonly events?: readonly TaskEvent[]
}

export type TaskStatus = 'Enqueued' | 'Running' | 'Retrying' | 'Stopped' | 'Succeeded' | 'Failed' | 'Expired'

/** A step in the life of a task. */
export interface TaskEvent {
  readonly status: TaskStatus
  readonly at: number
}

export interface AsyncQueueOptions {
  readonly db: RootDatabase
  readonly room: Room
  readonly region: string
  readonly accountId: string
  /** Pause before a failed invocation is tried again; doubles with every further try. */
  readonly retryDelayMs: number
  readonly clock: Clock
  readonly courier?: Courier
  target(functionName: string, qualifier: string | undefined): Target | undefined
  /** Ends whatever works on a request. */
  abort(requestId: string): void
  /** Sends a result to a queue or topic of MNS; absent: nobody takes them. */
  readonly mns?: Mns
  newRequestId(): string
  /** Called with +1 and -1 as invocations come and go. */
  count(change: 1 | -1): void
}

/** Brings an invocation on its way; may do it late, more than once, or never. */
export type Courier = (invocation: NewInvocation, deliver: () => Promise<void>) => 'taken' | 'lost'

interface Target {
  readonly async: AsyncConfig
  readonly deployed: Pick<Deployed, 'invoke'>
}

/** What results are sent through. */
export interface Mns {
  publish(topic: string, body: string): Promise<unknown>
  send(queue: string, body: string): Promise<unknown>
}

interface Stored {
  readonly functionName: string
  readonly qualifier?: string
  readonly requestId: string
  readonly payload: Buffer
  readonly taskId?: string
  readonly enqueuedAt: number
  readonly tries: number
  /** When it may be tried again. */
  readonly notBefore?: number
  /** It is no invocation but the result of one, on its way to MNS. */
  readonly message?: { readonly kind: 'queue' | 'topic'; readonly name: string }
}

/** Opens the queue over a database of its own. */
export function openAsyncQueue(options: AsyncQueueOptions): AsyncQueue {
  const { db, room, clock, courier } = options
  const { now } = clock
  /** Tasks that are stopped while they run, by request. */
  const stopped = new Set<string>()
  let closed = false
  let sequence = lastSequence(db)

  function put(invocation: NewInvocation & Pick<Stored, 'message'>): [number, Stored] {
    const stored: Stored = { ...invocation, enqueuedAt: now(), tries: 0 }
    const id = ++sequence
    db.put(['queue', id], stored)
    noteTask(stored, { status: 'Enqueued' })
    return [id, stored]
  }

  function noteTask(stored: Stored, change: Partial<Task> & Pick<Task, 'status'>): void {
    const { functionName, taskId, requestId, enqueuedAt, tries, qualifier, payload } = stored
    if (taskId === undefined) return
    const before = db.get(['task', functionName, taskId]) as Task | undefined
    const task: Task = {
      taskId,
      requestId,
      functionName,
      ...(qualifier === undefined ? {} : { qualifier }),
      startedAt: enqueuedAt,
      retries: Math.max(0, tries - 1),
      ...(payload.length > KEPT_BYTES ? {} : { payload: payload.toString() }),
      events: [...(before?.events ?? []), { status: change.status, at: now() }],
      ...change,
    }
    db.put(['task', functionName, taskId], task)
  }

  function send(id: number, stored: Stored): void {
    if (stored.message) return void deliver(id, stored)
    const fate = courier ? courier(stored, () => deliver(id, stored)) : 'taken'
    if (!courier) void deliver(id, stored)
    if (fate === 'lost') db.transactionSync(() => db.remove(['queue', id]))
  }

  /** One try, now; what follows from it is another call. It is made again when it cannot be noted, as on a full disk. */
  async function deliver(id: number, stored: Stored): Promise<void> {
    if (closed) return
    options.count(1)
    try {
      await attempt(id, stored)
    } catch (error) {
      if (closed) return
      warn(error, 'LocalFunctionCompute')
      clock.at(now() + options.retryDelayMs, () => deliver(id, stored))
    } finally {
      options.count(-1)
    }
  }

  async function attempt(id: number, stored: Stored): Promise<void> {
    // Stopped while it waited.
    if (stopped.delete(stored.requestId)) return
    if (stored.message) return await tell(id, stored.message, stored.payload)
    const target = options.target(stored.functionName, stored.qualifier)
    if (target) await tryOnce(id, stored, target)
    else db.transactionSync(() => forget(id, stored))
  }

  /** A queue or a topic that is not there gets nothing, and nobody hears of it. */
  async function tell(id: number, { kind, name }: NonNullable<Stored['message']>, payload: Buffer): Promise<void> {
    const body = payload.toString()
    const told = kind === 'queue' ? options.mns?.send(name, body) : options.mns?.publish(name, body)
    await told?.catch(() => {})
    if (!closed) db.transactionSync(() => db.remove(['queue', id]))
  }

  /** Its function is gone. */
  function forget(id: number, stored: Stored): void {
    db.remove(['queue', id])
    noteTask(stored, { status: 'Failed', endedAt: now(), error: `function '${stored.functionName}' does not exist` })
  }

  async function tryOnce(id: number, before: Stored, { async: config, deployed }: Target): Promise<void> {
    const lastStart = before.enqueuedAt + config.maxAgeS * 1000
    const { notBefore: _over, ...rest } = before
    const stored: Stored = { ...rest, tries: before.tries + 1 }
    save(id, stored, stored.tries > 1 ? 'Retrying' : 'Running')
    // It may have to wait for an instance, and grow too old meanwhile.
    const isStale = () => now() > lastStart || stopped.has(stored.requestId)
    const outcome = await deployed.invoke(stored.requestId, stored.payload, isStale)
    // A call that the shutdown itself cut off did not fail: it is delivered again.
    if (closed) return
    if (stopped.delete(stored.requestId)) return
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
      noteTask(stored, { status, endedAt: now(), ...resultOf(outcome) })
      if (target === undefined) return undefined
      const payload = destinationPayload(stored, outcome, options)
      return put({ ...addressed(target), requestId: options.newRequestId(), payload })
    })
    if (next) send(...next)
  }

  return {
    add(invocation) {
      const { functionName, taskId } = invocation
      room.require()
      const added = db.transactionSync(() => {
        if (taskId !== undefined && db.doesExist(['task', functionName, taskId])) return undefined
        return put(invocation)
      })
      if (added) send(...added)
      return added !== undefined
    },
    task: (functionName, taskId) => db.get(['task', functionName, taskId]) as Task | undefined,
    tasks(functionName) {
      const range = { start: ['task', functionName], end: ['task', functionName, '\uffff'] }
      return [...db.getRange(range)]
        .map(({ value }) => value as Task)
        .filter((one) => one.functionName === functionName)
    },
    stop(functionName, taskId) {
      for (const { key, value } of db.getRange({ start: ['queue', 0], end: ['queue', Infinity] })) {
        const stored = value as Stored
        if (stored.functionName !== functionName || stored.taskId !== taskId) continue
        db.transactionSync(() => {
          db.remove(key)
          noteTask({ ...stored, payload: Buffer.from(stored.payload) }, { status: 'Stopped', endedAt: now() })
        })
        // Whoever comes to it next, to begin it or to end it, finds it here.
        stopped.add(stored.requestId)
        options.abort(stored.requestId)
        return true
      }
      return false
    },
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

function addressed(target: Destination): Pick<Stored, 'functionName' | 'qualifier' | 'message'> {
  if (target.kind !== 'function') return { functionName: '', message: target }
  const { name, qualifier } = target
  return { functionName: name, ...(qualifier === undefined ? {} : { qualifier }) }
}

/** Of a payload or a result, what a task remembers. */
const KEPT_BYTES = 16 * 1024

function resultOf(outcome: Outcome): Pick<Task, 'returned' | 'error'> {
  if (!outcome.ok) return { error: outcome.error.errorMessage }
  return outcome.payload.length > KEPT_BYTES ? {} : { returned: outcome.payload.toString() }
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
