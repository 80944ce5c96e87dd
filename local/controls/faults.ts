import type { Courier } from '../fc/async-queue.ts'
import type { RunningInstance } from '../fc/instances.ts'
import type { MessageCourier } from '../mns/deliveries.ts'
import type { DiskHook } from '../oss/receive.ts'
import type { Clock } from '../wire/clock.ts'
import type { SocketShape } from '../wire/http.ts'
import { type Call, ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { openDeliveries, type Parcel } from './deliveries.ts'
import { type Fault, type FaultOf, type FullFault, readFault } from './fault.ts'
import { type Link, openLink } from './network.ts'

/** A fault that has been set. */
export interface ArmedFault {
  readonly id: number
  readonly fault: FullFault
  /** How often the moment has come that it waits for. */
  readonly seen: number
  /** How often it has struck. */
  readonly struck: number
}

/** What is to go wrong in a local cloud. */
export interface Faults {
  /** Sets a fault; gives back its id. Throws a RangeError for one that makes no sense. */
  add(fault: Fault): number
  list(): readonly ArmedFault[]
  /** Ends a fault, and lets go of whatever it holds back. */
  remove(id: number): boolean
  clear(): void
}

/** Faults with the hooks by which the services let them in. */
export interface FaultHooks extends Faults {
  readonly intercept: Intercept
  readonly disk: DiskHook
  readonly courier: Courier
  readonly messages: MessageCourier
  /** Brings an OSS event on its way. */
  event(key: string, deliver: () => void): void
  shape(service: Call['service']): SocketShape
  /** Lets go of what waits to be overtaken; `false` when nothing does. */
  release(): boolean
}

export interface FaultOptions {
  readonly clock: Clock
  instanceOf(accessKeyId: string): RunningInstance | undefined
  /** Kill -9 of everything. */
  killCloud(): void
}

type Armed<K extends FullFault['fault'] = FullFault['fault']> = {
  readonly id: number
  readonly fault: FaultOf<K>
  seen: number
  struck: number
}

/** Opens the faults of one local cloud: none is set, and until one is, the hooks do nothing. */
export function openFaults(options: FaultOptions): FaultHooks {
  const armed: Armed[] = []
  const links = new Map<string, Link>()
  const hanging = new Map<number, Set<() => void>>()
  const deliveries = openDeliveries(options.clock)
  let lastId = 0

  /** Those of the kind that strike now; each counts the moment, whether or not another strikes too. */
  function striking<K extends 'call' | 'kill' | 'delivery' | 'disk'>(
    kind: K,
    matches: (fault: FaultOf<K>) => boolean,
  ): Armed<K>[] {
    const ofKind = armed.filter((one) => one.fault.fault === kind) as unknown as Armed<K>[]
    return ofKind.filter((one) => {
      if (!matches(one.fault)) return false
      one.seen++
      const { nth, times } = one.fault as { nth: number; times: number }
      const strikes = one.seen >= nth && one.seen < nth + times
      if (strikes) one.struck++
      return strikes
    })
  }

  const intercept: Intercept = async (call, work) => {
    if (armed.length === 0) return work()
    const caller = call.accessKeyId === undefined ? undefined : options.instanceOf(call.accessKeyId)
    const matches = (fault: FaultOf<'call' | 'kill'>) => isOf(fault, call, caller)
    const failures = striking('call', matches)
    const kills = striking('kill', matches)
    await failFirst(failures, 'before')
    const result = await work()
    for (const { fault } of kills) kill(fault, caller)
    await failFirst(failures, 'after')
    return result
  }

  async function failFirst(failures: readonly Armed<'call'>[], when: 'before' | 'after'): Promise<void> {
    const first = failures.find(({ fault }) => fault.when === when)
    if (first) await fail(first)
  }

  async function fail({ id, fault }: Armed<'call'>): Promise<never> {
    if (fault.outcome === 'busy') throw new ServiceBusy()
    if (fault.outcome === 'hang') {
      await new Promise<void>((release) => hanging.set(id, (hanging.get(id) ?? new Set()).add(release)))
    }
    throw new ConnectionCut()
  }

  function kill({ victim }: FaultOf<'kill'>, caller: RunningInstance | undefined): void {
    if (victim === 'cloud') options.killCloud()
    else if (victim === 'children') caller?.killChildren()
    else {
      caller?.kill()
      throw new ConnectionCut()
    }
  }

  function carry(parcel: Parcel): 'taken' | 'lost' {
    if (armed.length === 0 && !deliveries.isHolding()) {
      void parcel.deliver()
      return 'taken'
    }
    const { of, target } = parcel
    const [first] = striking('delivery', (fault) => fault.of === of && target.includes(fault.target ?? ''))
    return deliveries.carry(parcel, first?.fault)
  }

  function letGo({ id, fault }: Armed): void {
    for (const release of hanging.get(id) ?? []) release()
    hanging.delete(id)
    if (fault.fault === 'network') links.get(fault.service)?.setRate(Number.POSITIVE_INFINITY)
  }

  return {
    add(wanted) {
      const fault = readFault(wanted)
      const id = ++lastId
      armed.push({ id, fault, seen: 0, struck: 0 })
      if (fault.fault === 'network') links.get(fault.service)?.setRate(fault.bytesPerSecond)
      return id
    },
    list: () => armed.map((one) => ({ ...one })),
    remove(id) {
      const at = armed.findIndex((one) => one.id === id)
      for (const one of at < 0 ? [] : armed.splice(at, 1)) letGo(one)
      return at >= 0
    },
    clear() {
      for (const one of armed.splice(0)) letGo(one)
      deliveries.release()
    },
    intercept,
    disk(step) {
      if (armed.length > 0 && striking('disk', (fault) => fault.step === step).length > 0) throw diskError(step)
    },
    courier: (invocation, deliver) => carry({ of: 'invocation', target: invocation.functionName, deliver }),
    messages: (target, deliver) => carry({ of: 'message', target, deliver }),
    event: (target, deliver) => void carry({ of: 'event', target, deliver }),
    shape(service) {
      const link = links.get(service) ?? openLink()
      links.set(service, link)
      return link.shape
    },
    release: () => deliveries.release(),
  }
}

function isOf(fault: FaultOf<'call' | 'kill'>, call: Call, caller: RunningInstance | undefined): boolean {
  return (
    (fault.service === undefined || fault.service === call.service) &&
    (fault.operation === undefined || fault.operation === call.operation) &&
    (fault.function === undefined || fault.function === caller?.functionName) &&
    (fault.target === undefined || call.target.includes(fault.target))
  )
}

function diskError(step: 'write' | 'fsync' | 'rename'): NodeJS.ErrnoException {
  const [code, text] = step === 'write' ? ['ENOSPC', 'no space left on device'] : ['EIO', 'i/o error']
  return Object.assign(new Error(`${code}: ${text}, ${step}`), { code, syscall: step })
}
