/** The latest entries that an instance was told, up to a limit. */
export interface Memory<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
}

/** An empty memory; what was set longest ago makes room. */
export function memory<Value>(limit: number): Memory<Value> {
  const entries = new Map<string, Value>()
  return {
    get: (key) => entries.get(key),
    set(key, value) {
      entries.delete(key)
      entries.set(key, value)
      for (const oldest of entries.keys()) {
        if (entries.size <= limit) return
        entries.delete(oldest)
      }
    },
  }
}

/** Lets those who would meet on one row take turns. */
export interface Turns {
  take(key: string, work: () => Promise<void>): Promise<void>
}

/** Turns that nobody has taken yet; a failure is its own taker's alone. */
export function turns(): Turns {
  const last = new Map<string, Promise<void>>()
  return {
    async take(key, work) {
      const before = last.get(key) ?? Promise.resolve()
      const mine = before.then(work, work)
      last.set(key, mine)
      try {
        await mine
      } finally {
        if (last.get(key) === mine) last.delete(key)
      }
    },
  }
}
