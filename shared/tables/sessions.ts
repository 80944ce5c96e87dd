import type { Row, TableClient, Write } from './client.ts'

/** One viewing of one video, as its beats tell it. */
export interface Session {
  /** Of the latest beat that counted. */
  readonly seq: number
  /** When the first beat was, and the latest, on our clock. */
  readonly firstAt: number
  readonly lastAt: number
  /** Whether the picture was moving after the latest beat. */
  readonly playing: boolean
  readonly watchedMs: number
  /** Whether it is a view already; set once, and by `markCounted` only. */
  readonly counted: boolean
  readonly quality: Quality
}

/** Of the whole session so far, as the player says. */
export interface Quality {
  readonly startupMs: number
  readonly stalls: number
  readonly stallMs: number
  readonly droppedFrames: number
  readonly bitsPerSecond: number
}

/** Names one session. */
export interface SessionKey {
  readonly videoId: string
  readonly sessionId: string
}

export interface SessionsTable {
  find(key: SessionKey): Promise<Session | undefined>
  /** Notes that it is a view; repeatable. */
  markCounted(key: SessionKey): Promise<void>
}

export function sessionsTable(client: TableClient): SessionsTable {
  return {
    async find(key) {
      const row = await client.get('sessions', keyOf(key))
      return row && fromRow(row)
    },
    async markCounted(key) {
      await client.write({ table: 'sessions', key: keyOf(key), expect: 'present', update: { counted: true } })
    },
  }
}

/** The row of a first beat; refused when there is one. */
export function createSession(key: SessionKey, session: Session): Write {
  return { table: 'sessions', key: keyOf(key), expect: 'absent', put: { ...toColumns(session), counted: false } }
}

/** What a beat makes of the session; refused when another beat was faster. */
export function advanceSession(key: SessionKey, before: Session, after: Session): Write {
  const sameBeat = [{ column: 'seq', op: '=', value: before.seq }] as const
  return { table: 'sessions', key: keyOf(key), expect: sameBeat, update: toColumns(after) }
}

function keyOf({ videoId, sessionId }: SessionKey) {
  return [
    ['video_id', videoId],
    ['session_id', sessionId],
  ] as const
}

/** Without `counted`: whoever writes this has read the row a while ago. */
function toColumns({ seq, firstAt, lastAt, playing, watchedMs, quality }: Session) {
  return {
    seq,
    first_at: firstAt,
    last_at: lastAt,
    playing,
    watched_ms: watchedMs,
    startup_ms: quality.startupMs,
    stalls: quality.stalls,
    stall_ms: quality.stallMs,
    dropped_frames: quality.droppedFrames,
    bits_per_second: quality.bitsPerSecond,
  }
}

function fromRow(row: Row): Session {
  return {
    seq: Number(row.seq),
    firstAt: Number(row.first_at),
    lastAt: Number(row.last_at),
    playing: row.playing === true,
    watchedMs: Number(row.watched_ms),
    counted: row.counted === true,
    quality: {
      startupMs: Number(row.startup_ms),
      stalls: Number(row.stalls),
      stallMs: Number(row.stall_ms),
      droppedFrames: Number(row.dropped_frames),
      bitsPerSecond: Number(row.bits_per_second),
    },
  }
}
