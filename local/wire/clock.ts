/** Time as a service sees it. */
export interface Clock {
  /** Milliseconds since the epoch, moved ahead as far as somebody has moved it. */
  now(): number
  /** Whichever of the machine's and the moved time is nearer: what the skew of a signature is judged by. */
  nearest(at: number): number
  /** Does the work once its time has come, in the order of times; gives back how to call it off. */
  at(dueAt: number, work: () => void | Promise<void>): () => void
}

/** The machine's clock, which nobody moves. */
export const machineClock: Clock = {
  now: Date.now,
  nearest: Date.now,
  at(dueAt, work) {
    const timer = setTimeout(work, Math.min(Math.max(0, dueAt - Date.now()), LONGEST_TIMER_MS)).unref()
    return () => clearTimeout(timer)
  },
}

/** What `setTimeout` takes. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1
