import type { Clock } from '../wire/clock.ts'
import { endpointKind, type NotifyStrategy, queueOfEndpoint } from './attributes.ts'
import { MnsError } from './errors.ts'
import { type Notification, notification } from './notification.ts'
import type { Queues } from './queues.ts'
import type { Delivery, Tables, TopicMessage } from './store.ts'

/** Messages on their way from topics to subscribers; kept on disk until they are taken or given up. */
export interface Deliveries {
  /** Brings on its way what has been stored. */
  start(id: number, delivery: Delivery): void
  /** Goes on with what was left when the local cloud last stopped. */
  resume(): void
  close(): void
}

export interface DeliveriesOptions {
  readonly tables: Tables
  readonly queues: Queues
  readonly clock: Clock
  readonly accountId: string
  readonly courier?: MessageCourier
  /** Starts the functions whose triggers match. */
  notifyFunctions(message: TopicMessage): void
  /** Sends over HTTP; `false` when it was not taken. */
  push(endpoint: string, notification: Notification): Promise<boolean>
  /** Keeps what would go to mail or telephones. */
  post(endpoint: string, message: TopicMessage): Promise<void>
  /** Called with +1 and -1 as deliveries begin and end. */
  count(change: 1 | -1): void
}

/** Brings a message on its way; may do it late, more than once, or never. */
export type MessageCourier = (target: string, deliver: () => Promise<void>) => 'taken' | 'lost'

/** Opens the deliveries over their table. */
export function openDeliveries(options: DeliveriesOptions): Deliveries {
  const { tables, clock, courier } = options
  /** Left by the run before; what comes later starts by itself. */
  const left = tables.deliveries.all()
  let closed = false

  function send(id: number, delivery: Delivery): void {
    const deliver = () => attempt(id, delivery)
    const fate = courier ? courier(targetOf(delivery), deliver) : 'taken'
    if (!courier) void deliver()
    if (fate === 'lost') void forget(id)
  }

  /** One try, now; what follows from it is another call. */
  async function attempt(id: number, delivery: Delivery): Promise<void> {
    if (closed) return
    options.count(1)
    try {
      const taken = await bring(delivery).catch(() => false)
      // What the shutdown itself cut off is delivered again.
      if (!taken && closed) return
      const pauseMs = taken ? undefined : pauseAfter(delivery)
      if (pauseMs === undefined) await forget(id)
      else await tryLater(id, { ...delivery, tries: delivery.tries + 1, notBefore: clock.now() + pauseMs })
    } finally {
      options.count(-1)
    }
  }

  async function bring({ message, to }: Delivery): Promise<boolean> {
    if (to === 'functions') {
      options.notifyFunctions(message)
      return true
    }
    // Whoever has been unsubscribed meanwhile is owed nothing.
    if (!tables.subscriptions.get(`${message.topic}/${to.subscription}`)) return true
    const { Endpoint, NotifyContentFormat } = to.settings
    const kind = endpointKind(Endpoint)
    if (kind === 'outbox') {
      await options.post(Endpoint, message)
      return true
    }
    const addressee = { accountId: options.accountId, subscription: to.subscription }
    const content = notification(message, addressee, NotifyContentFormat)
    if (kind === 'http') return options.push(Endpoint, content)
    return enqueue(queueOfEndpoint(Endpoint) ?? '', message, content.body)
  }

  async function enqueue(queue: string, { userProperties }: TopicMessage, body: string): Promise<boolean> {
    try {
      await options.queues.send(queue, [{ body, ...(userProperties ? { userProperties } : {}) }])
      return true
    } catch (error) {
      if (error instanceof MnsError && error.code === 'QueueNotExist') return false
      throw error
    }
  }

  async function tryLater(id: number, delivery: Delivery & { readonly notBefore: number }): Promise<void> {
    await tables.change(() => tables.deliveries.put(id, delivery))
    clock.at(delivery.notBefore, () => attempt(id, delivery))
  }

  const forget = (id: number) => tables.change(() => tables.deliveries.remove(id))

  return {
    start: send,
    resume() {
      for (const [id, delivery] of left) {
        if (delivery.notBefore === undefined) send(id, delivery)
        else clock.at(delivery.notBefore, () => attempt(id, delivery))
      }
    },
    close() {
      closed = true
    },
  }
}

function targetOf({ message, to }: Delivery): string {
  return `${message.topic}/${to === 'functions' ? 'functions' : to.subscription}`
}

/** Pauses by strategy and tries; `undefined` when there is no further one. Function Compute is asked until it is there. */
function pauseAfter({ to, tries }: Delivery): number | undefined {
  return to === 'functions' ? 1000 : PAUSES[to.settings.NotifyStrategy](tries)
}

/** https://alibabacloud.com/help/en/mns/notifystrategy */
const PAUSES: Readonly<Record<NotifyStrategy, (tries: number) => number | undefined>> = {
  BACKOFF_RETRY: (tries) => (tries < 3 ? 10_000 + Math.floor(Math.random() * 10_000) : undefined),
  EXPONENTIAL_DECAY_RETRY: (tries) => (tries < 176 ? 2 ** Math.min(tries, 9) * 1000 : undefined),
}
