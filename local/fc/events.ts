import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../wire/clock.ts'
import type { ObjectEvent } from '../wire/object-event.ts'
import type { WorkCounter } from '../wire/work.ts'
import type { AsyncQueue } from './async-queue.ts'
import type { Catalog } from './catalog.ts'
import type { Fleet } from './fleet.ts'
import { mnsTriggerFires, mnsTriggerPayload, type TopicMessage } from './mns-trigger.ts'
import { ossTriggerFires, ossTriggerPayload } from './oss-trigger.ts'
import type { Records, TriggerRecord } from './records.ts'
import { runTimer, timerPayload } from './timer-trigger.ts'
import { mnsTriggerOf, ossTriggerOf, timerTriggerOf } from './triggers.ts'

/** Everything that starts functions without being asked over HTTP. */
export interface Events {
  /** Starts every function whose OSS triggers match. */
  object(event: ObjectEvent): void
  /** Starts every function whose MNS triggers match. */
  message(message: TopicMessage): void
  /** Winds the timers that there are now, and stops those that are gone or have changed. */
  syncTimers(): void
  close(): void
}

export interface EventsOptions {
  readonly catalog: Pick<Catalog, 'derived'>
  readonly records: Records
  readonly fleet: Fleet
  readonly queue: AsyncQueue
  readonly work: WorkCounter
  readonly clock: Clock
  readonly region: string
  readonly accountId: string
  newRequestId(): string
}

/** What takes longer than this while the clock is being moved is taken to hang. */
const HUNG_MS = 30_000

/** Opens the event sources; no timer is wound yet. */
export function openEvents(options: EventsOptions): Events {
  const { catalog, records, queue, region, accountId } = options
  const timers = new Map<string, () => void>()
  const triggersOf = (type: string) =>
    records.triggers
      .list()
      .filter((one) => one.triggerType === type && records.functions.get(one.functionName) !== undefined)
  const ossTriggers = catalog.derived(() => triggersOf('oss').map((one) => ({ one, trigger: ossTriggerOf(one) })))
  const start = ({ functionName, qualifier }: TriggerRecord, payload: Buffer) =>
    void queue.add({ functionName, qualifier, requestId: options.newRequestId(), payload })

  return {
    object(event) {
      for (const { one, trigger } of ossTriggers()) {
        if (ossTriggerFires(trigger, event)) start(one, ossTriggerPayload(event, region, accountId))
      }
    },
    message(message) {
      for (const one of triggersOf('mns_topic')) {
        const trigger = mnsTriggerOf(one)
        if (mnsTriggerFires(trigger, message)) start(one, mnsTriggerPayload(trigger, message, accountId))
      }
    },
    syncTimers() {
      const wanted = new Map(triggersOf('timer').map((one) => [keyOf(one), one]))
      for (const [key, stop] of timers) {
        if (wanted.has(key)) continue
        stop()
        timers.delete(key)
      }
      for (const [key, one] of wanted) if (!timers.has(key)) timers.set(key, wind(one, options))
    },
    close() {
      for (const stop of timers.values()) stop()
      timers.clear()
    },
  }
}

/** A timer that has been changed is another one. */
function keyOf({ functionName, triggerName, qualifier, triggerConfig }: TriggerRecord): string {
  return [functionName, triggerName, qualifier, triggerConfig].join('\n')
}

/** Timers count as work only while their functions run. */
function wind(record: TriggerRecord, { fleet, work, clock, newRequestId }: EventsOptions): () => void {
  const trigger = timerTriggerOf(record)
  if (!trigger.enabled) return () => {}
  const fire = async (at: number) => {
    // The version that it is for may be gone.
    const found = fleet.lookUp(record.functionName, record.qualifier)
    await found?.deployed.invoke(newRequestId(), timerPayload(trigger, at))
  }
  const { count, counted } = work
  const settled = () => Promise.race([work.idle(), pause(HUNG_MS, undefined, { ref: false })])
  return runTimer(trigger, clock, { count, settled, fire: (at) => counted(() => fire(at)) })
}
