/** Answers that are good for a while, loaded once however many ask for them at the same time. */
export interface Cache<Value> {
  /** The value, loaded when there is none that is fresh at `now`. A failed load is not remembered. */
  get(key: string, now: number, load: () => Promise<Value>): Promise<Value>
  /** The latest value, fresh or not. */
  peek(key: string): Value | undefined
}

export interface CacheOptions<Value> {
  /** The oldest entries make room beyond this weight of all together. */
  readonly maxWeight: number
  weigh(value: Value): number
  /** How long a value counts as fresh, from the moment its load began. */
  lifeMs(value: Value): number
}

interface Entry<Value> {
  readonly pending: Promise<Value> | undefined
  readonly value: Value | undefined
  readonly freshUntil: number
  readonly weight: number
}

/** An empty cache, for as long as the instance lives. */
export function cache<Value>({ maxWeight, weigh, lifeMs }: CacheOptions<Value>): Cache<Value> {
  const entries = new Map<string, Entry<Value>>()
  let total = 0

  function drop(key: string): void {
    total -= entries.get(key)?.weight ?? 0
    entries.delete(key)
  }

  function put(key: string, entry: Entry<Value>): void {
    drop(key)
    entries.set(key, entry)
    total += entry.weight
    for (const oldest of entries.keys()) {
      if (total <= maxWeight || oldest === key) return
      drop(oldest)
    }
  }

  async function load(key: string, now: number, loader: () => Promise<Value>): Promise<Value> {
    try {
      const value = await loader()
      put(key, { pending: undefined, value, freshUntil: now + lifeMs(value), weight: weigh(value) })
      return value
    } catch (error) {
      drop(key)
      throw error
    }
  }

  return {
    async get(key, now, loader) {
      const known = entries.get(key)
      if (known?.pending) return known.pending
      if (known?.value !== undefined && now < known.freshUntil) return known.value
      const pending = load(key, now, loader)
      put(key, { pending, value: known?.value, freshUntil: 0, weight: known?.weight ?? 1 })
      return pending
    },
    peek: (key) => entries.get(key)?.value,
  }
}
