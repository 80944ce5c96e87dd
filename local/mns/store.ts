import { mkdirSync } from 'node:fs'
import { openDatabase, transact } from '../data/database.ts'
import { roomIn } from '../data/room.ts'
import type { QueueSettings, SubscriptionSettings, TopicSettings } from './attributes.ts'
import type { Entry } from './mailbox.ts'

interface Dated {
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly modifiedAt: number
}

/** A queue; another one of the same name has another `uid`. */
export interface QueueRecord extends Dated {
  readonly uid: number
  readonly settings: QueueSettings
}

export interface TopicRecord extends Dated {
  readonly settings: TopicSettings
}

export interface SubscriptionRecord extends Dated {
  readonly settings: SubscriptionSettings
}

/** A property that a sender gave a message. */
export interface Property {
  readonly Name: string
  readonly Value: string
  readonly Type: string
}

/** What does not change of a message. */
export interface MessageRecord {
  readonly id: string
  readonly body: string
  /** Of the body, upper case hex. */
  readonly md5: string
  readonly userProperties?: readonly Property[]
  readonly systemProperties?: readonly Property[]
}

/** A message of a topic. */
export interface TopicMessage extends MessageRecord {
  readonly topic: string
  readonly tag?: string
  /** What is meant for mail and SMS, as JSON by name. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly publishedAt: number
}

/** A message on its way to one subscriber; `functions` stands for the triggers of Function Compute. */
export interface Delivery {
  readonly message: TopicMessage
  readonly to: 'functions' | { readonly subscription: string; readonly settings: SubscriptionSettings }
  readonly tries: number
  readonly notBefore?: number
}

/** What is in the database besides names: keys are queue's uid and message's number. */
export interface Tables {
  readonly queues: Names<QueueRecord>
  readonly topics: Names<TopicRecord>
  /** By topic and name with a slash between them, which neither can hold. */
  readonly subscriptions: Names<SubscriptionRecord>
  readonly account: Names<string>
  readonly messages: Numbered<MessageRecord>
  readonly entries: Numbered<Entry>
  readonly deliveries: Deliveries
  /** A number that was never given before, over restarts too. */
  nextNumber(): number
  /** Runs the writes of `work` as one; resolves when they are on disk. */
  change<T>(work: () => T): Promise<T>
  close(): Promise<void>
}

interface Names<T> {
  get(name: string): T | undefined
  put(name: string, record: T): void
  remove(name: string): void
  /** In the order of names, from a name on, as long as they begin with the prefix. */
  list(prefix: string, from?: string): Iterable<readonly [string, T]>
}

interface Numbered<T> {
  get(uid: number, seq: number): T | undefined
  put(uid: number, seq: number, record: T): void
  remove(uid: number, seq: number): void
  removeAll(uid: number): void
  all(uid: number): Iterable<readonly [number, T]>
}

interface Deliveries {
  put(id: number, delivery: Delivery): void
  remove(id: number): void
  all(): readonly (readonly [number, Delivery])[]
}

/** Opens the database in a folder of its own. */
export function openTables(folder: string): Tables {
  mkdirSync(folder, { recursive: true })
  const root = openDatabase({ path: folder, noSubdir: false, encoding: 'msgpack' })
  const room = roomIn(folder)
  const deliveries = root.openDB<Delivery, number>({ name: 'deliveries' })

  function names<T>(name: string): Names<T> {
    const db = root.openDB<T, string>({ name })
    return {
      get: (key) => db.get(key),
      put: (key, record) => room.put(db, key, record),
      remove: (key) => void db.remove(key),
      *list(prefix, from = '') {
        for (const { key, value } of db.getRange({ start: from > prefix ? from : prefix })) {
          if (!key.startsWith(prefix)) return
          yield [key, value]
        }
      },
    }
  }

  function numbered<T>(name: string): Numbered<T> {
    const db = root.openDB<T, [number, number]>({ name })
    const range = (uid: number) => ({
      start: [uid, 0] as [number, number],
      end: [uid, Number.POSITIVE_INFINITY] as [number, number],
    })
    return {
      get: (uid, seq) => db.get([uid, seq]),
      put: (uid, seq, record) => room.put(db, [uid, seq], record),
      remove: (uid, seq) => void db.remove([uid, seq]),
      removeAll(uid) {
        for (const key of [...db.getKeys(range(uid))]) void db.remove(key)
      },
      *all(uid) {
        for (const { key, value } of db.getRange(range(uid))) yield [key[1], value]
      },
    }
  }

  const numbers = names<number>('numbers')
  const BLOCK = 1000
  let [next, until] = [numbers.get('next') ?? 1, 0]
  return {
    queues: names('queues'),
    topics: names('topics'),
    subscriptions: names('subscriptions'),
    account: names('account'),
    messages: numbered('messages'),
    entries: numbered('entries'),
    deliveries: {
      put: (id, delivery) => room.put(deliveries, id, delivery),
      remove: (id) => void deliveries.remove(id),
      all: () => [...deliveries.getRange({})].map(({ key, value }) => [key, value] as const),
    },
    nextNumber() {
      // Taken in blocks, so that not every message writes one more key; those of a broken block are never given again.
      if (next >= until) {
        until = next + BLOCK
        numbers.put('next', until)
      }
      return next++
    },
    async change(work) {
      try {
        return await transact(root, work)
      } catch (error) {
        // A block that was taken with it has not been taken.
        until = next
        throw error
      }
    },
    close: () => root.close(),
  }
}
