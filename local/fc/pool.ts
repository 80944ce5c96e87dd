import type { Instance } from './instance.ts'

/** The running instances of one function. */
export interface Pool {
  /** Gives the work an instance of its own (or a share of one) as soon as there is one; first come, first served. */
  run<T>(work: (instance: Instance) => Promise<T>): Promise<T>
  /** Serves who waits already, and lets go of every instance as soon as it has nothing to do. */
  retire(): void
  close(): Promise<void>
}

export interface PoolOptions {
  maxInstances(): number
  /** Requests that one instance serves at a time. */
  readonly concurrency: number
  /** How long an instance stays without a request. */
  readonly idleMs: number
  /** Stop instances between requests, so that work left behind an answer shows as it does in the cloud. */
  readonly freeze: boolean
  launch(): Promise<Instance>
}

interface Slot {
  readonly instance: Instance
  active: number
  idleTimer?: NodeJS.Timeout
}

interface Waiter {
  take(slot: Slot): void
  fail(error: unknown): void
}

/** Starts instances as requests wait, up to the maximum, and stops those that nobody needs. */
export function createPool(options: PoolOptions): Pool {
  const slots: Slot[] = []
  const waiting: Waiter[] = []
  let starting = 0
  let retired = false
  let closed = false

  function pump(): void {
    while (waiting.length > 0) {
      // The one used last, so that a quiet function shrinks to few instances.
      const free = slots.findLast((slot) => slot.active < options.concurrency && slot.instance.isUsable())
      if (!free) break
      engage(free)
      waiting.shift()?.take(free)
    }
    while (starting * options.concurrency < waiting.length && slots.length + starting < options.maxInstances()) start()
  }

  function start(): void {
    starting++
    options.launch().then(
      (instance) => {
        starting--
        admit(instance)
      },
      (error: unknown) => {
        starting--
        waiting.shift()?.fail(error)
        pump()
      },
    )
  }

  function admit(instance: Instance): void {
    if (closed) {
      instance.kill()
      return
    }
    const slot: Slot = { instance, active: 0 }
    slots.push(slot)
    void instance.exited.then(() => {
      clearTimeout(slot.idleTimer)
      const at = slots.indexOf(slot)
      if (at >= 0) slots.splice(at, 1)
      if (!closed) pump()
    })
    pump()
    if (slot.active === 0) rest(slot)
  }

  function engage(slot: Slot): void {
    clearTimeout(slot.idleTimer)
    if (options.freeze && slot.active === 0) signal(slot.instance, 'SIGCONT')
    slot.active++
  }

  function release(slot: Slot): void {
    slot.active--
    if (closed) return
    pump()
    if (slot.active === 0 && slots.includes(slot)) rest(slot)
  }

  function rest(slot: Slot): void {
    if (retired) {
      dismiss(slot)
      return
    }
    if (options.freeze) signal(slot.instance, 'SIGSTOP')
    slot.idleTimer = setTimeout(() => dismiss(slot), options.idleMs)
    slot.idleTimer.unref()
  }

  function dismiss(slot: Slot): void {
    clearTimeout(slot.idleTimer)
    slots.splice(slots.indexOf(slot), 1)
    void stop(slot.instance)
  }

  async function stop(instance: Instance): Promise<void> {
    signal(instance, 'SIGCONT')
    await instance.preStop()
    instance.kill()
    await instance.exited
  }

  return {
    async run(work) {
      if (closed) throw new Error('Function Compute is shutting down')
      const slot = await new Promise<Slot>((take, fail) => {
        waiting.push({ take, fail })
        pump()
      })
      try {
        return await work(slot.instance)
      } finally {
        release(slot)
      }
    },
    retire() {
      retired = true
      for (const slot of slots.filter(({ active }) => active === 0)) dismiss(slot)
    },
    async close() {
      closed = true
      for (const { fail } of waiting.splice(0)) fail(new Error('Function Compute is shutting down'))
      await Promise.all(
        slots.splice(0).map(async (slot) => {
          clearTimeout(slot.idleTimer)
          if (slot.active === 0) return stop(slot.instance)
          slot.instance.kill()
          await slot.instance.exited
        }),
      )
    },
  }
}

function signal(instance: Instance, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(-instance.pid, name)
  } catch {
    // Gone already; its exit is handled where it is noticed.
  }
}
