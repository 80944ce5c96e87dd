import type { Clock } from '../wire/clock.ts'
import { ManifestError, record, text } from './manifest-error.ts'
import { parseSchedule, type Schedule } from './schedule.ts'

/** A timer trigger: when it starts the function, and what it tells it. */
export interface TimerTrigger {
  readonly name: string
  readonly enabled: boolean
  readonly payload: string
  readonly schedule: Schedule
}

/** Reads one entry of `triggers` with `triggerType: timer`. */
export function parseTimerTrigger(trigger: Record<string, unknown>, where: string): TimerTrigger {
  const config = record(trigger.triggerConfig, `${where}.triggerConfig`)
  const expression = text(config.cronExpression, `${where}.cronExpression`)
  if (typeof config.enable !== 'boolean') throw new ManifestError(`${where}.enable`, 'expected true or false')
  const { payload = '' } = config
  if (typeof payload !== 'string') throw new ManifestError(`${where}.payload`, 'expected text')
  return {
    name: text(trigger.triggerName, `${where}.triggerName`),
    enabled: config.enable,
    payload,
    schedule: parseSchedule(expression, `${where}.cronExpression`),
  }
}

/** The event as the function receives it. */
export function timerPayload({ name, payload }: TimerTrigger, at: number): Buffer {
  const triggerTime = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
  return Buffer.from(JSON.stringify({ triggerTime, triggerName: name, payload }))
}

/** What a timer sets in motion. */
export interface TimerWork {
  fire(at: number): Promise<void>
  /** Resolves when whatever a firing has started is done too. */
  settled(): Promise<void>
  /** Called with +1 and -1 as firings that were left out come to be owed, and are made up for. */
  count(change: 1 | -1): void
}

/** Someone who moves the clock by days would wait long for every minute of them; so much is passed over then at most. */
const LONGEST_LEAP_MS = 2 * 3_600_000
/** When nothing has been moved for so long, what was left out last is made up for. */
const SETTLED_MS = 100

/**
 * Fires a trigger at its times until the function that is given back is called. One firing begins after the one before
 * has ended. Where the clock is moved ahead faster than the function can follow, firings in between are left out, more
 * and more of them, and the clock waits for what the others have started: it does so in no time that would be long enough
 * for it. When the clock comes to rest, the last firing is made up for.
 */
export function runTimer({ schedule }: TimerTrigger, clock: Clock, work: TimerWork): () => void {
  let stopped = false
  let firing = false
  let leapMs = 0
  let firedAt = clock.now()
  let firedReally = performance.now()
  let debt: NodeJS.Timeout | undefined
  let callOff = () => {}

  const isMoved = () => performance.now() - firedReally < (clock.now() - firedAt) / 2

  function wind(): void {
    if (stopped) return
    const next = schedule.next(clock.now())
    callOff = clock.at(next, () => ring(next))
  }

  async function ring(at: number): Promise<void> {
    if (stopped) return
    const isEarly = clock.now() < at
    const isLeftOut = firing || (isMoved() && clock.now() < firedAt + leapMs)
    if (isLeftOut) owe(at)
    else if (!isEarly) await fire(at)
    wind()
  }

  async function fire(at: number): Promise<void> {
    const moved = isMoved()
    leapMs = moved ? Math.min(LONGEST_LEAP_MS, Math.max(leapMs * 2, clock.now() - firedAt)) : 0
    firedAt = clock.now()
    firedReally = performance.now()
    firing = true
    const done = work.fire(at)
    settle()
    try {
      await done
      if (moved) await work.settled()
    } finally {
      firing = false
    }
  }

  function owe(at: number): void {
    if (debt === undefined) work.count(1)
    clearTimeout(debt)
    debt = setTimeout(() => void (firing ? owe(at) : fire(at)), SETTLED_MS).unref()
  }

  function settle(): void {
    if (debt === undefined) return
    clearTimeout(debt)
    debt = undefined
    work.count(-1)
  }

  wind()
  return () => {
    stopped = true
    callOff()
    settle()
  }
}
