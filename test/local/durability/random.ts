/** Random numbers that a seed decides: mulberry32, https://github.com/cprosche/mulberry32 */
export function randomOf(seed: number) {
  let state = seed | 0
  /** From 0 up to and without 1. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  /** Whole, both ends included. */
  const between = (from: number, to: number) => from + Math.floor(next() * (to - from + 1))
  const bytes = (size: number) => {
    const made = Buffer.alloc(size)
    for (let at = 0; at < size; at += 1) made[at] = next() * 256
    return made
  }
  return { next, between, bytes }
}

export type Random = ReturnType<typeof randomOf>
