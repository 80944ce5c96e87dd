/** What is remembered of a message besides its body. */
export interface Entry {
  readonly seq: number
  readonly priority: number
  readonly enqueuedAt: number
  /** Nobody receives it before this. */
  visibleAt: number
  dequeueCount: number
  firstDequeueAt: number
}

/** The messages of one queue: which is next, which are hidden and until when. */
export interface Mailbox {
  add(entry: Entry): void
  get(seq: number): Entry | undefined
  remove(seq: number): void
  /** Shows or hides a message again. */
  moved(entry: Entry): void
  /** The next ones that can be seen, the most urgent first; they stay. */
  visible(now: number, count: number): readonly Entry[]
  /** When the next hidden one comes into sight. */
  nextVisibleAt(): number | undefined
  count(now: number): { active: number; inactive: number; delayed: number }
  /** Those that were sent before. */
  olderThan(enqueuedAt: number): readonly Entry[]
}

/** Opens an empty mailbox. Two heaps hold the order; what is in them and no longer true is dropped when it comes up. */
export function openMailbox(): Mailbox {
  const entries = new Map<number, Entry>()
  const ready = openHeap<Entry>((a, b) => a.priority - b.priority || a.seq - b.seq)
  const hidden = openHeap<{ at: number; entry: Entry }>((a, b) => a.at - b.at)
  const isThere = (entry: Entry) => entries.get(entry.seq) === entry

  const place = (entry: Entry) => hidden.push({ at: entry.visibleAt, entry })

  function dropStale(): void {
    for (let top = hidden.peek(); top && !(isThere(top.entry) && top.entry.visibleAt === top.at); top = hidden.peek()) {
      hidden.pop()
    }
  }

  function uncover(now: number): void {
    for (dropStale(); (hidden.peek()?.at ?? Number.POSITIVE_INFINITY) <= now; dropStale()) {
      const due = hidden.pop()
      if (due) ready.push(due.entry)
    }
  }

  return {
    add(entry) {
      entries.set(entry.seq, entry)
      place(entry)
    },
    get: (seq) => entries.get(seq),
    remove: (seq) => void entries.delete(seq),
    moved: place,
    visible(now, count) {
      uncover(now)
      const found = new Set<Entry>()
      while (found.size < count) {
        const entry = ready.pop()
        if (!entry) break
        if (isThere(entry) && entry.visibleAt <= now) found.add(entry)
      }
      for (const entry of found) ready.push(entry)
      return [...found]
    },
    nextVisibleAt() {
      dropStale()
      return hidden.peek()?.at
    },
    count(now) {
      const all = [...entries.values()]
      const covered = all.filter(({ visibleAt }) => visibleAt > now)
      const delayed = covered.filter(({ dequeueCount }) => dequeueCount === 0).length
      return { active: all.length - covered.length, inactive: covered.length - delayed, delayed }
    },
    olderThan(enqueuedAt) {
      const old: Entry[] = []
      // Messages are added in the order of their times.
      for (const entry of entries.values()) {
        if (entry.enqueuedAt > enqueuedAt) break
        old.push(entry)
      }
      return old
    },
  }
}

interface Heap<T> {
  push(item: T): void
  pop(): T | undefined
  peek(): T | undefined
}

function openHeap<T>(order: (a: T, b: T) => number): Heap<T> {
  const items: T[] = []
  const isBefore = (a: number, b: number) => order(items[a] as T, items[b] as T) < 0
  const swap = (a: number, b: number) => {
    const kept = items[a] as T
    items[a] = items[b] as T
    items[b] = kept
  }

  function sink(): void {
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const smaller = right < items.length && isBefore(right, left) ? right : left
      if (smaller >= items.length || !isBefore(smaller, at)) return
      swap(smaller, at)
      at = smaller
    }
  }

  return {
    push(item) {
      items.push(item)
      for (let at = items.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (!isBefore(at, parent)) return
        swap(at, parent)
        at = parent
      }
    },
    pop() {
      const first = items[0]
      const last = items.pop()
      if (items.length > 0 && last !== undefined) {
        items[0] = last
        sink()
      }
      return first
    },
    peek: () => items[0],
  }
}
