import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../wire/clock.ts'
import type { QueueSettings } from './attributes.ts'
import { MnsError } from './errors.ts'
import { type Entry, type Mailbox, openMailbox } from './mailbox.ts'
import type { MessageRecord, Property, QueueRecord, Tables } from './store.ts'

/** A message as it is sent. */
export interface Draft {
  readonly body: string
  readonly delayS?: number
  readonly priority?: number
  readonly userProperties?: readonly Property[]
  readonly systemProperties?: readonly Property[]
}

/** A message with what can be known of it now. */
export interface Held {
  readonly message: MessageRecord
  readonly entry: Readonly<Entry>
  readonly receiptHandle: string
}

/** What happens when a queue or topic is made that may be there. */
export type Creation = 'created' | 'same'

/** Queues and their messages; what is written is on disk before a promise resolves. */
export interface Queues {
  create(name: string, settings: QueueSettings): Promise<Creation>
  find(name: string): QueueRecord
  change(name: string, settings: QueueSettings): Promise<void>
  remove(name: string): Promise<void>
  list(prefix: string, from: string): Iterable<readonly [string, QueueRecord]>
  count(name: string): Promise<{ active: number; inactive: number; delayed: number }>
  send(name: string, drafts: readonly Draft[]): Promise<readonly Held[]>
  /** Waits so long for the first one; none is no error. */
  receive(name: string, wanted: Wanted): Promise<readonly Held[]>
  peek(name: string, count: number): Promise<readonly Held[]>
  /** Removes what the handles stand for; gives back those that stand for nothing. */
  removeMessages(name: string, handles: readonly string[]): Promise<readonly string[]>
  changeVisibility(name: string, handle: string, seconds: number): Promise<Held>
  /** Ends what waits for messages. */
  close(): void
}

export interface Wanted {
  readonly count: number
  readonly waitMs: number
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

interface Live {
  readonly mailbox: Mailbox
  readonly waiting: Set<() => void>
}

const DEFAULT_PRIORITY = 8

/** Opens the queues over their tables. */
export function openQueues(tables: Tables, clock: Clock): Queues {
  const lives = new Map<number, Live>()
  let closed = false

  function find(name: string): QueueRecord {
    const record = tables.queues.get(name)
    if (!record) throw new MnsError('QueueNotExist')
    return record
  }

  function live({ uid }: QueueRecord): Live {
    const known = lives.get(uid)
    if (known) return known
    const mailbox = openMailbox()
    for (const [, entry] of tables.entries.all(uid)) mailbox.add(entry)
    const opened = { mailbox, waiting: new Set<() => void>() }
    lives.set(uid, opened)
    return opened
  }

  function wake({ waiting }: Live): void {
    for (const resume of [...waiting]) resume()
  }

  function handleOf({ uid }: QueueRecord, { seq, priority, visibleAt, dequeueCount }: Entry): string {
    return `${priority}-${Buffer.from(`${seq}-${visibleAt}-${uid}-${dequeueCount}`).toString('base64')}`
  }

  /** The entry that a handle stands for, as long as nobody else can see it. */
  function resolve(record: QueueRecord, handle: string): Entry | undefined {
    const seq = Number(Buffer.from(handle.replace(/^\d+-/, ''), 'base64').toString().split('-')[0])
    const entry = live(record).mailbox.get(seq)
    return entry && entry.visibleAt > clock.now() && handleOf(record, entry) === handle ? entry : undefined
  }

  function held(record: QueueRecord, entry: Entry): Held | undefined {
    const message = tables.messages.get(record.uid, entry.seq)
    return message && { message, entry: { ...entry }, receiptHandle: handleOf(record, entry) }
  }

  async function forget({ uid }: QueueRecord, mailbox: Mailbox, gone: readonly Entry[]): Promise<void> {
    if (gone.length === 0) return
    for (const { seq } of gone) mailbox.remove(seq)
    await tables.change(() => {
      for (const { seq } of gone) {
        tables.messages.remove(uid, seq)
        tables.entries.remove(uid, seq)
      }
    })
  }

  async function dropExpired(record: QueueRecord): Promise<Mailbox> {
    const { mailbox } = live(record)
    const oldest = clock.now() - record.settings.MessageRetentionPeriod * 1000
    await forget(record, mailbox, mailbox.olderThan(oldest))
    return mailbox
  }

  async function take(record: QueueRecord, count: number): Promise<readonly Held[]> {
    const mailbox = await dropExpired(record)
    const now = clock.now()
    const entries = mailbox.visible(now, count)
    if (entries.length === 0) return []
    for (const entry of entries) {
      entry.visibleAt = now + record.settings.VisibilityTimeout * 1000
      entry.dequeueCount++
      entry.firstDequeueAt ||= now
      mailbox.moved(entry)
    }
    // Before the write is awaited another may move them on.
    const taken = entries.map((entry) => held(record, entry))
    await tables.change(() => {
      for (const entry of entries) tables.entries.put(record.uid, entry.seq, entry)
    })
    return taken.filter((one) => one !== undefined)
  }

  /** Until something may have come into sight, or the time is over. */
  function changed({ mailbox, waiting }: Live, until: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const at = Math.min(until, mailbox.nextVisibleAt() ?? until)
      const done = () => {
        waiting.delete(done)
        signal.removeEventListener('abort', done)
        callOff()
        resolve()
      }
      const callOff = clock.at(at, done)
      waiting.add(done)
      signal.addEventListener('abort', done)
    })
  }

  return {
    async create(name, settings) {
      const now = clock.now()
      return tables.change(() => {
        const before = tables.queues.get(name)
        if (before) return sameOrThrow(before.settings, settings, 'QueueAlreadyExist')
        tables.queues.put(name, { uid: tables.nextNumber(), settings, createdAt: now, modifiedAt: now })
        return 'created'
      })
    },
    find,
    async change(name, settings) {
      const record = find(name)
      await tables.change(() => tables.queues.put(name, { ...record, settings, modifiedAt: clock.now() }))
    },
    async remove(name) {
      const record = tables.queues.get(name)
      if (!record) return
      await tables.change(() => {
        tables.queues.remove(name)
        tables.messages.removeAll(record.uid)
        tables.entries.removeAll(record.uid)
      })
      const gone = lives.get(record.uid)
      lives.delete(record.uid)
      if (gone) wake(gone)
    },
    list: (prefix, from) => tables.queues.list(prefix, from),
    async count(name) {
      return (await dropExpired(find(name))).count(clock.now())
    },
    async send(name, drafts) {
      const record = find(name)
      // Opened first: once they are on disk, whoever opens it reads them too.
      const place = live(record)
      const sent = drafts.map((draft) => newMessage(draft, record.settings, tables.nextNumber(), clock.now()))
      await tables.change(() => {
        for (const { message, entry } of sent) {
          tables.messages.put(record.uid, entry.seq, message)
          tables.entries.put(record.uid, entry.seq, entry)
        }
      })
      for (const { entry } of sent) place.mailbox.add(entry)
      const answers = sent.map(({ message, entry }) => ({ message, entry, receiptHandle: handleOf(record, entry) }))
      wake(place)
      return answers
    },
    async receive(name, { count, waitMs, signal }) {
      const until = clock.now() + waitMs
      for (;;) {
        // Looked up each time: it may be deleted while somebody waits.
        const record = find(name)
        // What nobody would get must not be hidden from the others.
        if (signal.aborted) return []
        const taken = await take(record, count)
        if (taken.length > 0 || clock.now() >= until || closed) return taken
        await changed(live(record), until, signal)
      }
    },
    async peek(name, count) {
      const record = find(name)
      const mailbox = await dropExpired(record)
      return mailbox
        .visible(clock.now(), count)
        .map((entry) => held(record, entry))
        .filter((one) => one !== undefined)
    },
    async removeMessages(name, handles) {
      const record = find(name)
      const found = handles.map((handle) => ({ handle, entry: resolve(record, handle) }))
      const gone = found.map(({ entry }) => entry).filter((entry) => entry !== undefined)
      await forget(record, live(record).mailbox, gone)
      return found.filter(({ entry }) => !entry).map(({ handle }) => handle)
    },
    async changeVisibility(name, handle, seconds) {
      const record = find(name)
      if (!/^\d+-[A-Za-z0-9+/]+=*$/.test(handle)) throw new MnsError('ReceiptHandleError')
      const entry = resolve(record, handle)
      if (!entry) throw new MnsError('MessageNotExist')
      entry.visibleAt = clock.now() + seconds * 1000
      const place = live(record)
      place.mailbox.moved(entry)
      const answer = held(record, entry)
      await tables.change(() => tables.entries.put(record.uid, entry.seq, entry))
      wake(place)
      if (!answer) throw new MnsError('MessageNotExist')
      return answer
    },
    close() {
      closed = true
      for (const place of lives.values()) wake(place)
    },
  }
}

/** What was asked for again is no conflict; lmdb would keep what a throwing transaction wrote, so nothing is written. */
export function sameOrThrow(
  before: object,
  wanted: object,
  code: 'QueueAlreadyExist' | 'TopicAlreadyExist' | 'SubscriptionAlreadyExist',
): Creation {
  if (JSON.stringify(before) !== JSON.stringify(wanted)) throw new MnsError(code)
  return 'same'
}

/** What is sent, with its id and its digest. */
export function newRecord(body: string): MessageRecord {
  const md5 = createHash('md5').update(body).digest('hex').toUpperCase()
  return { id: randomBytes(16).toString('hex').toUpperCase(), body, md5 }
}

function newMessage(draft: Draft, settings: QueueSettings, seq: number, now: number) {
  const { body, delayS = settings.DelaySeconds, priority = DEFAULT_PRIORITY, ...properties } = draft
  const { userProperties, systemProperties } = properties
  const message: MessageRecord = {
    ...newRecord(body),
    ...(userProperties ? { userProperties } : {}),
    ...(systemProperties ? { systemProperties } : {}),
  }
  const visibleAt = now + delayS * 1000
  const entry: Entry = { seq, priority, enqueuedAt: now, visibleAt, dequeueCount: 0, firstDequeueAt: 0 }
  return { message, entry }
}
