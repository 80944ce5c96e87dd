import type { Beat } from '../../shared/api.ts'
import type { Quality, Session } from '../../shared/tables/sessions.ts'

/** A beat that says for longer than this that nothing has changed is believed for this long. */
export const MAX_GAP_MS = 30_000
/** A view takes as long, or half of a shorter video. */
const VIEW_MS = 10_000

/** A beat and when it was so: our time less its age, whatever the client's clock says. */
export interface TimedBeat {
  readonly beat: Beat
  readonly effectiveAt: number
}

/** Whether the viewer is where the beat says on purpose: a player that waits or stands still says nothing new. */
export function movesProgress({ event, playing }: Beat): boolean {
  return playing || event === 'seeked' || event === 'pause' || event === 'ended'
}

/** What the first beat that is seen of a session makes of it. */
export function firstSession({ beat, effectiveAt }: TimedBeat): Session {
  const { seq } = beat
  const quality = qualityOf(beat, NO_QUALITY)
  return {
    ...{ seq, firstAt: effectiveAt, lastAt: effectiveAt, playing: isMoving(beat) },
    ...{ watchedMs: 0, counted: false, quality },
  }
}

/**
 * What the next beat makes of a session; `undefined` when it is no news. Watched is the time between a beat after which
 * the picture moved and the next one: never more than the time that passed, since `lastAt` never steps back.
 */
export function nextSession(before: Session, { beat, effectiveAt }: TimedBeat): Session | undefined {
  const { seq } = beat
  if (seq <= before.seq) return undefined
  const lastAt = Math.max(before.lastAt, effectiveAt)
  const watchedMs = before.watchedMs + (before.playing ? Math.min(lastAt - before.lastAt, MAX_GAP_MS) : 0)
  return { ...before, seq, lastAt, watchedMs, playing: isMoving(beat), quality: qualityOf(beat, before.quality) }
}

/** Whether a session has become a view; 0 stands for a duration that is not known yet. */
export function isView({ watchedMs }: Session, durationMs: number): boolean {
  return watchedMs >= (durationMs > 0 ? Math.min(VIEW_MS, durationMs / 2) : VIEW_MS)
}

const NO_QUALITY: Quality = { startupMs: 0, stalls: 0, stallMs: 0, droppedFrames: 0, bitsPerSecond: 0 }

function isMoving({ playing, event }: Beat): boolean {
  return playing && event !== 'waiting' && event !== 'pause' && event !== 'ended'
}

/** A beat that leaves a number out knows nothing newer. */
function qualityOf(beat: Beat, known: Quality): Quality {
  const { startupMs, stalls, stallMs, droppedFrames, bitsPerSecond } = { ...known, ...beat }
  return { startupMs, stalls, stallMs, droppedFrames, bitsPerSecond }
}
