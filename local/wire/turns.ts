/** Lets a few work at once; the others wait in line. */
export interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>
}

/** Opens such a line. */
export function openTurns(atOnce: number): Turns {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    async take(work) {
      // Whoever ends hands the place over to whoever waits longest.
      if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
      else running += 1
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else running -= 1
      }
    },
  }
}
