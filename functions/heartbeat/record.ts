import type { PlaySession } from '../../shared/auth/play-session.ts'
import { AppError } from '../../shared/errors.ts'
import type { Shown } from '../../shared/shown.ts'
import type { TableClient, Write } from '../../shared/tables/client.ts'
import { type CountersTable, shardOf } from '../../shared/tables/counters.ts'
import { advanceProgress, createProgress } from '../../shared/tables/progress.ts'
import {
  advanceSession,
  createSession,
  type Session,
  type SessionKey,
  type SessionsTable,
} from '../../shared/tables/sessions.ts'
import { firstSession, isView, movesProgress, nextSession, type TimedBeat } from './beat.ts'
import { type Gathering, gathering, type Memory, memory } from './memory.ts'

/** What an instance remembers between beats. It may be behind other instances: a write whose condition fails says so. */
export interface Recollection {
  /** Rows of `sessions` as they were last seen. */
  readonly sessions: Memory<Session>
  /** Rows of `progress` that are known to exist. */
  readonly positions: Memory<true>
  /** Sessions that have just become views, by the row that counts them. */
  readonly views: Gathering
}

export interface RecordDeps {
  readonly client: Pick<TableClient, 'write' | 'writeBatch'>
  readonly sessions: SessionsTable
  readonly counters: Pick<CountersTable, 'count'>
  readonly recollection: Recollection
}

/** A beat of somebody, in a session of ours or not. */
export interface Arrival extends TimedBeat {
  readonly viewerKey: string
  readonly shown: Shown
  readonly session: PlaySession | undefined
}

/** Some 10 MB. */
const MAX_REMEMBERED = 20_000
/** How many beats of one session may arrive at the same moment at different instances. */
const TRIES = 8

/** An instance's memory, empty. */
export function newRecollection(): Recollection {
  return { sessions: memory(MAX_REMEMBERED), positions: memory(MAX_REMEMBERED), views: gathering() }
}

/**
 * Keeps what a beat says: position and session in one request, each on its own condition. Only a row that is new, or that
 * another instance has written meanwhile, takes more. A beat that is no news is still a reason to see whether a view is
 * to be counted: the one that was may have died before it did.
 */
export async function record(arrival: Arrival, deps: RecordDeps): Promise<void> {
  const place = movesProgress(arrival.beat) ? placeOf(arrival, deps.recollection) : undefined
  const viewing = arrival.session && (await viewingOf(arrival, arrival.session, deps))
  const answers = await writeTogether([place?.[0], viewing?.step.write], deps)
  if (place && !answers[0]) await firstThatWins(place.slice(1), deps)
  if (place) deps.recollection.positions.set(placeIdOf(arrival), true)
  if (!viewing) return
  const lost = viewing.step.write !== undefined && !answers[1]
  const session = lost ? await writeAgain(viewing, deps) : viewing.step.session
  await concludeViewing(session, viewing, arrival.shown, deps)
}

/** One request for what there is to write; no request for nothing. */
async function writeTogether(writes: readonly (Write | undefined)[], deps: RecordDeps): Promise<boolean[]> {
  const present = writes.filter((write) => write !== undefined)
  const answers = present.length > 0 ? await deps.client.writeBatch(present) : []
  return writes.map((write) => write !== undefined && answers.shift() === true)
}

async function firstThatWins(writes: readonly Write[], deps: RecordDeps): Promise<void> {
  for (const write of writes) if (await deps.client.write(write)) return
}

function placeIdOf({ viewerKey, shown }: Arrival): string {
  return `${viewerKey}\n${shown.videoId}`
}

/**
 * The writes of which one wins, unless the beat is older than what is known. A row can only be created or advanced, not
 * both in one write, so what is likelier comes first; once it has been seen, advancing it is all there is to do.
 */
function placeOf(arrival: Arrival, { positions }: Recollection): readonly [Write, ...Write[]] {
  const { beat, effectiveAt, viewerKey, shown } = arrival
  const { positionMs, sessionId, seq, event } = beat
  const progress = {
    viewerKey,
    videoId: shown.videoId,
    positionMs,
    sessionId,
    seq,
    effectiveAt,
    ended: event === 'ended',
  }
  const [advance, create] = [advanceProgress(progress), createProgress(progress)]
  if (positions.get(placeIdOf(arrival))) return [advance]
  return seq === 1 ? [create, advance] : [advance, create, advance]
}

interface Viewing {
  readonly key: SessionKey
  readonly timed: TimedBeat
  readonly step: SessionStep
}

/** What a beat makes of a session, and how to write it; nothing to write when it is no news. */
interface SessionStep {
  readonly session: Session
  readonly write: Write | undefined
}

async function viewingOf(arrival: Arrival, { id, issuedAt }: PlaySession, deps: RecordDeps): Promise<Viewing> {
  const key = { videoId: arrival.shown.videoId, sessionId: id }
  // Nothing was watched before the session was handed out, however old a beat says that it is.
  const timed = { beat: arrival.beat, effectiveAt: Math.max(arrival.effectiveAt, issuedAt) }
  const known = deps.recollection.sessions.get(id)
  const before = known ?? (arrival.beat.seq > 1 ? await deps.sessions.find(key) : undefined)
  return { key, timed, step: stepOf(key, before, timed) }
}

function stepOf(key: SessionKey, before: Session | undefined, timed: TimedBeat): SessionStep {
  if (!before) {
    const session = firstSession(timed)
    return { session, write: createSession(key, session) }
  }
  const session = nextSession(before, timed)
  return session ? { session, write: advanceSession(key, before, session) } : { session: before, write: undefined }
}

/** Somebody else has written the session: what this beat makes of it is worked out again from the row. */
async function writeAgain({ key, timed }: Viewing, deps: RecordDeps): Promise<Session> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { session, write } = stepOf(key, await deps.sessions.find(key), timed)
    if (!write || (await deps.client.write(write))) return session
  }
  throw new AppError('upstream_busy', 'Too many beats of this session at once; send this one again')
}

/** Counts a view once it is one. To count comes first: whoever finds it counted but not noted only notes it. */
async function concludeViewing(session: Session, { key }: Viewing, shown: Shown, deps: RecordDeps): Promise<void> {
  const { sessions, views } = deps.recollection
  const { videoId, sessionId } = key
  const counted = session.counted || sessions.get(sessionId)?.counted === true
  sessions.set(sessionId, { ...session, counted })
  if (counted || !isView(session, shown.durationMs)) return
  const shard = shardOf(sessionId)
  await views.add(`${videoId}/${shard}`, sessionId, (ids) => deps.counters.count(videoId, shard, ids))
  await deps.sessions.markCounted(key)
  sessions.set(sessionId, { ...(sessions.get(sessionId) ?? session), counted: true })
}
