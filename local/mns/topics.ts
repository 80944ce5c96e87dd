import type { Clock } from '../wire/clock.ts'
import type { NotifyStrategy, SubscriptionSettings, TopicSettings } from './attributes.ts'
import type { Deliveries } from './deliveries.ts'
import { MnsError } from './errors.ts'
import { type Creation, newRecord, sameOrThrow } from './queues.ts'
import type {
  Delivery,
  MessageRecord,
  Property,
  SubscriptionRecord,
  Tables,
  TopicMessage,
  TopicRecord,
} from './store.ts'

/** A message as it is published. */
export interface Publication {
  readonly body: string
  readonly tag?: string
  readonly attributes?: Readonly<Record<string, string>>
  readonly userProperties?: readonly Property[]
}

/** Topics and who subscribes to them; what is written is on disk before a promise resolves. */
export interface Topics {
  create(name: string, settings: TopicSettings): Promise<Creation>
  find(name: string): TopicRecord
  change(name: string, settings: TopicSettings): Promise<void>
  /** Removes a topic and its subscriptions. */
  remove(name: string): Promise<void>
  list(prefix: string, from: string): Iterable<readonly [string, TopicRecord]>
  /** Messages that have not reached everybody yet. */
  messageCount(name: string): number
  publish(topic: string, publication: Publication): Promise<MessageRecord>
  subscribe(topic: string, name: string, settings: SubscriptionSettings): Promise<Creation>
  findSubscription(topic: string, name: string): SubscriptionRecord
  setStrategy(topic: string, name: string, strategy: NotifyStrategy | undefined): Promise<void>
  unsubscribe(topic: string, name: string): Promise<void>
  subscriptions(topic: string, prefix: string, from: string): Iterable<readonly [string, SubscriptionRecord]>
}

/** Opens the topics over their tables. */
export function openTopics(tables: Tables, clock: Clock, deliveries: Deliveries): Topics {
  function find(name: string): TopicRecord {
    const record = tables.topics.get(name)
    if (!record) throw new MnsError('TopicNotExist')
    return record
  }

  function findSubscription(topic: string, name: string): SubscriptionRecord {
    find(topic)
    const record = tables.subscriptions.get(`${topic}/${name}`)
    if (!record) throw new MnsError('SubscriptionNotExist')
    return record
  }

  /** Names without their topic. */
  function* subscriptions(topic: string, prefix: string, from: string) {
    const skipped = topic.length + 1
    const found = tables.subscriptions.list(`${topic}/${prefix}`, from === '' ? '' : `${topic}/${from}`)
    for (const [key, record] of found) yield [key.slice(skipped), record] as const
  }

  function deliveriesOf(message: TopicMessage): Delivery[] {
    const wanted = [...subscriptions(message.topic, '', '')].filter(
      ([, { settings }]) => settings.FilterTag === undefined || settings.FilterTag === message.tag,
    )
    const subscribed = wanted.map(([subscription, { settings }]) => ({
      message,
      to: { subscription, settings },
      tries: 0,
    }))
    return [...subscribed, { message, to: 'functions', tries: 0 }]
  }

  return {
    async create(name, settings) {
      const now = clock.now()
      return tables.change(() => {
        const before = tables.topics.get(name)
        if (before) return sameOrThrow(before.settings, settings, 'TopicAlreadyExist')
        tables.topics.put(name, { settings, createdAt: now, modifiedAt: now })
        return 'created'
      })
    },
    find,
    async change(name, settings) {
      const record = find(name)
      await tables.change(() => tables.topics.put(name, { ...record, settings, modifiedAt: clock.now() }))
    },
    async remove(name) {
      await tables.change(() => {
        tables.topics.remove(name)
        for (const [subscription] of [...subscriptions(name, '', '')]) {
          tables.subscriptions.remove(`${name}/${subscription}`)
        }
      })
    },
    list: (prefix, from) => tables.topics.list(prefix, from),
    messageCount(name) {
      const waiting = tables.deliveries.all().map(([, { message }]) => message)
      return new Set(waiting.filter(({ topic }) => topic === name).map(({ id }) => id)).size
    },
    async publish(topic, publication) {
      find(topic)
      const { body, ...rest } = publication
      const message: TopicMessage = { ...newRecord(body), ...rest, topic, publishedAt: clock.now() }
      const stored = deliveriesOf(message).map((delivery) => [tables.nextNumber(), delivery] as const)
      await tables.change(() => {
        for (const [id, delivery] of stored) tables.deliveries.put(id, delivery)
      })
      for (const [id, delivery] of stored) deliveries.start(id, delivery)
      return message
    },
    async subscribe(topic, name, settings) {
      find(topic)
      const now = clock.now()
      return tables.change(() => {
        const before = tables.subscriptions.get(`${topic}/${name}`)
        if (before) return sameOrThrow(before.settings, settings, 'SubscriptionAlreadyExist')
        tables.subscriptions.put(`${topic}/${name}`, { settings, createdAt: now, modifiedAt: now })
        return 'created'
      })
    },
    findSubscription,
    async setStrategy(topic, name, strategy) {
      const record = findSubscription(topic, name)
      const settings = { ...record.settings, ...(strategy ? { NotifyStrategy: strategy } : {}) }
      const changed = { ...record, settings, modifiedAt: clock.now() }
      await tables.change(() => tables.subscriptions.put(`${topic}/${name}`, changed))
    },
    async unsubscribe(topic, name) {
      find(topic)
      await tables.change(() => tables.subscriptions.remove(`${topic}/${name}`))
    },
    subscriptions(topic, prefix, from) {
      find(topic)
      return subscriptions(topic, prefix, from)
    },
  }
}
