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

/** Brings together what is to be written to one row: whatever arrives while a write is under way goes into the next. */
export interface Gathering {
  /** Resolves when an `item` was part of a write, and fails with it. */
  add(key: string, item: string, write: (items: readonly string[]) => Promise<void>): Promise<void>
}

/** Nothing gathered yet. */
export function gathering(): Gathering {
  const running = new Map<string, Promise<void>>()
  const waiting = new Map<string, { readonly items: Set<string>; readonly written: Promise<void> }>()
  return {
    async add(key, item, write) {
      const others = waiting.get(key)
      if (others) {
        others.items.add(item)
        return others.written
      }
      const items = new Set([item])
      const run = () => {
        waiting.delete(key)
        return write([...items])
      }
      const written = (running.get(key) ?? Promise.resolve()).then(run, run)
      waiting.set(key, { items, written })
      running.set(key, written)
      try {
        await written
      } finally {
        if (running.get(key) === written) running.delete(key)
      }
    },
  }
}
