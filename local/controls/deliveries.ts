import type { Clock } from '../wire/clock.ts'
import type { FaultOf } from './fault.ts'

/** Something to be delivered: an OSS event, an asynchronous invocation, or a message of a topic to one subscriber. */
export interface Parcel {
  readonly of: 'event' | 'invocation' | 'message'
  readonly target: string
  deliver(): Promise<void> | void
}

/** Brings parcels to where they belong, or does not. */
export interface Deliveries {
  carry(parcel: Parcel, fault: FaultOf<'delivery'> | undefined): 'taken' | 'lost'
  isHolding(): boolean
  /** Delivers what still waits to be overtaken. */
  release(): boolean
}

/** Opens a delivery service; late parcels are delivered by the clock. */
export function openDeliveries(clock: Clock): Deliveries {
  let held: Parcel[] = []

  function release(of?: Parcel['of']): boolean {
    const free = held.filter((parcel) => of === undefined || parcel.of === of)
    held = held.filter((parcel) => !free.includes(parcel))
    for (const parcel of free) void parcel.deliver()
    return free.length > 0
  }

  return {
    carry(parcel, fault) {
      if (fault?.outcome === 'drop') return 'lost'
      if (fault?.outcome === 'reorder') {
        held.push(parcel)
        return 'taken'
      }
      if (fault?.outcome === 'delay') clock.at(clock.now() + fault.ms, () => parcel.deliver())
      else void parcel.deliver()
      if (fault?.outcome === 'duplicate') void parcel.deliver()
      release(parcel.of)
      return 'taken'
    },
    isHolding: () => held.length > 0,
    release,
  }
}
