import type { Beat, BeatEvent } from '../shared/api.ts'

/** A moment of a viewing. */
export interface Moment {
  readonly positionMs: number
  readonly playing: boolean
}

/** How well it plays, of the whole session so far. */
export type Quality = Pick<Beat, 'startupMs' | 'stalls' | 'stallMs' | 'droppedFrames' | 'bitsPerSecond'>

/** `again` when there was no answer that counts, `over` when this viewing is not known any more. */
export type Reply = { readonly nextBeatMs: number | undefined } | 'again' | 'over'

export interface BeatDeps {
  readonly viewing: Pick<Beat, 'playbackId' | 'sessionId' | 'viewerId'>
  quality(): Quality
  /** A clock that never jumps. */
  now(): number
  send(beat: Beat): Promise<Reply>
  /** Hands a beat to the browser, which sends it after the page is gone. */
  leave(beat: Beat): void
  later(action: () => void, ms: number): () => void
}

export interface Beats {
  /** Something happened in the player. */
  note(event: BeatEvent, moment: Moment): void
  /** The connection is back. */
  flush(): void
  /** The page is being left: whatever is unsaid is said now. */
  leave(moment: Moment): void
  stop(): void
}

const USUAL_MS = 10_000
const AGAIN_MS = 5000
/** About an hour without a connection. */
const MOST_WAITING = 400
/** Browsers refuse more than 64 KiB of farewells. */
const MOST_FAREWELLS = 20

interface Waiting extends Omit<Beat, 'ageMs'> {
  readonly at: number
}

/**
 * Reports a viewing: at each start, stop and jump, and every ten seconds while it plays. What cannot be sent waits, and goes
 * out later in its order with its age, so that no clock of a device is ever compared.
 */
export function beatsOf(deps: BeatDeps): Beats {
  let waiting: Waiting[] = []
  let seq = 0
  let lastAt = Number.NEGATIVE_INFINITY
  let everyMs = USUAL_MS
  let busy = false
  let over = false
  let cancelLater = () => {}

  function put(event: BeatEvent, { positionMs, playing }: Moment): void {
    seq += 1
    lastAt = deps.now()
    const at = { positionMs: Math.max(0, Math.round(positionMs)), at: lastAt }
    waiting.push({ ...deps.viewing, ...deps.quality(), ...at, seq, event, playing })
    if (waiting.length > MOST_WAITING) waiting = waiting.slice(-MOST_WAITING)
  }

  /** One at a time, so that they arrive in their order. */
  async function drain(): Promise<void> {
    if (busy) return
    busy = true
    cancelLater()
    let first = waiting[0]
    while (first && (await sent(first))) first = waiting[0]
    busy = false
  }

  /** Answers whether it is time for the next one. */
  async function sent(first: Waiting): Promise<boolean> {
    const reply = await deps.send(beatOf(first, deps.now()))
    if (over) return false
    if (reply === 'again') {
      cancelLater = deps.later(() => void drain(), AGAIN_MS)
      return false
    }
    if (reply === 'over') stop()
    else everyMs = reply.nextBeatMs ?? everyMs
    waiting = waiting.filter((one) => one !== first)
    return !over
  }

  function stop(): void {
    over = true
    waiting = []
    cancelLater()
  }

  return {
    note(event, moment) {
      if (over || (event === 'timeupdate' && (!moment.playing || deps.now() - lastAt < everyMs))) return
      put(event, moment)
      void drain()
    },
    flush: () => void drain(),
    leave(moment) {
      if (over || seq === 0) return
      if (moment.playing) put('timeupdate', moment)
      for (const beat of waiting.slice(-MOST_FAREWELLS)) deps.leave(beatOf(beat, deps.now()))
      waiting = []
    },
    stop,
  }
}

function beatOf({ at, ...beat }: Waiting, now: number): Beat {
  return { ...beat, ageMs: Math.max(0, Math.round(now - at)) }
}
