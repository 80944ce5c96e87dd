import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { type Clock, LONGEST_TIMER_MS } from '../wire/clock.ts'

/** A clock that can be moved ahead, and that function processes read through a file. */
export interface MovableClock extends Clock {
  /**
   * Moves time ahead. What falls due on the way is done in order, each at its own moment and to its end, before the
   * clock goes on.
   */
  advance(ms: number): Promise<void>
  hasDue(): boolean
  /** Resolves when nothing is due any more and what was is done. */
  settled(): Promise<void>
  /** From now on nothing falls due. */
  close(): void
}

interface Alarm {
  readonly dueAt: number
  readonly work: () => void | Promise<void>
}

/** Years; a further one is a mistake in units. */
const FARTHEST_MS = 10 * 366 * 86_400_000

/**
 * Opens the clock over its file: eight bytes, how far it is ahead of the machine's in milliseconds. It stays ahead over
 * restarts, since what is stored carries its times.
 */
export function openClock(path: string, machine: () => number = Date.now): MovableClock {
  const file = openSync(path, 'a+')
  closeSync(file)
  const shared = openSync(path, 'r+')
  const cell = new Float64Array(1)
  const bytes = new Uint8Array(cell.buffer)
  if (readSync(shared, bytes, 0, 8, 0) < 8) writeSync(shared, bytes, 0, 8, 0)

  const alarms: Alarm[] = []
  const working = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let moves: Promise<void> = Promise.resolve()
  let closed = false
  const offset = () => cell[0] ?? 0
  const now = () => machine() + offset()

  function moveTo(offsetMs: number): void {
    if (offsetMs <= offset() || closed) return
    cell[0] = offsetMs
    writeSync(shared, bytes, 0, 8, 0)
  }

  /** Real time passes too: the next alarm rings by itself when nobody moves the clock. */
  function wind(): void {
    clearTimeout(timer)
    const [next] = alarms
    if (!next || closed) return
    timer = setTimeout(ring, Math.min(Math.max(0, next.dueAt - now()), LONGEST_TIMER_MS))
    timer.unref()
  }

  function ring(): void {
    while (alarms[0] && alarms[0].dueAt <= now()) void take()
    wind()
  }

  function take(): Promise<void> {
    const alarm = alarms.shift()
    const done = Promise.resolve(alarm?.work()).finally(() => working.delete(done))
    working.add(done)
    return done
  }

  async function walk(ms: number): Promise<void> {
    const target = offset() + ms
    while (!closed && alarms[0] && alarms[0].dueAt - machine() <= target) {
      moveTo(alarms[0].dueAt - machine())
      await take()
    }
    moveTo(target)
    wind()
  }

  return {
    now,
    nearest: (at) => (Math.abs(at - machine()) <= Math.abs(at - now()) ? machine() : now()),
    at(dueAt, work) {
      const alarm = { dueAt, work }
      const later = alarms.findIndex((other) => other.dueAt > dueAt)
      alarms.splice(later < 0 ? alarms.length : later, 0, alarm)
      wind()
      return () => {
        const place = alarms.indexOf(alarm)
        if (place >= 0) alarms.splice(place, 1)
      }
    },
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0 || ms > FARTHEST_MS) {
        throw new RangeError(`the clock moves ahead by 0 to ${FARTHEST_MS} ms, not by ${ms}`)
      }
      moves = moves.then(() => walk(ms))
      return moves
    },
    hasDue: () => alarms[0] !== undefined && alarms[0].dueAt <= now(),
    async settled() {
      await moves
      ring()
      while (working.size > 0) await Promise.all(working)
    },
    close() {
      if (closed) return
      closed = true
      clearTimeout(timer)
      closeSync(shared)
    },
  }
}
