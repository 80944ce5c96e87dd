/** Knows whether anything of a service is queued or running. */
export interface WorkCounter {
  count(change: 1 | -1): void
  counted(run: () => Promise<void>): Promise<void>
  isBusy(): boolean
  /** Resolves when nothing is. */
  idle(): Promise<void>
}

/** Starts with nothing to do. */
export function workCounter(): WorkCounter {
  let running = 0
  let waiting: (() => void)[] = []
  const count = (change: 1 | -1) => {
    running += change
    if (running > 0) return
    for (const resolve of waiting) resolve()
    waiting = []
  }
  return {
    count,
    async counted(run) {
      count(1)
      await run().finally(() => count(-1))
    },
    isBusy: () => running > 0,
    idle: () => (running === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
  }
}
