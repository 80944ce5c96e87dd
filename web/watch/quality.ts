import type { Quality } from '../beats.ts'

/** Measures one viewing, from what the player tells. */
export interface Meter {
  /** Somebody wants to watch. */
  wanted(): void
  /** Pictures move. */
  playing(): void
  /** There is nothing to show, although there should be. */
  starved(): void
  /** Nobody waits any more. */
  rested(): void
  read(): Pick<Quality, 'startupMs' | 'stalls' | 'stallMs'>
}

/** Counts the wait for the first picture, and the waits after it. */
export function meterOf(now: () => number): Meter {
  let wantedAt: number | undefined
  let startupMs: number | undefined
  let starvedAt: number | undefined
  let stalls = 0
  let stallMs = 0

  function rested(): void {
    if (starvedAt !== undefined) stallMs += now() - starvedAt
    starvedAt = undefined
  }

  return {
    wanted() {
      wantedAt ??= now()
    },
    playing() {
      if (startupMs === undefined && wantedAt !== undefined) startupMs = now() - wantedAt
      rested()
    },
    starved() {
      if (startupMs === undefined || starvedAt !== undefined) return
      stalls += 1
      starvedAt = now()
    },
    rested,
    read() {
      const waiting = starvedAt === undefined ? 0 : now() - starvedAt
      const start = startupMs === undefined ? {} : { startupMs: Math.round(startupMs) }
      return { ...start, stalls, stallMs: Math.round(stallMs + waiting) }
    },
  }
}
