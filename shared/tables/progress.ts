import type { Row, TableClient, Write } from './client.ts'

/** Where one viewer is in one video. */
export interface Progress {
  readonly viewerKey: string
  readonly videoId: string
  readonly positionMs: number
  readonly sessionId: string
  readonly seq: number
  /** When the viewer was there, on our clock. */
  readonly effectiveAt: number
  /** Whether the video had been played to its end. */
  readonly ended: boolean
}

export interface ProgressTable {
  find(viewerKey: string, videoId: string): Promise<Progress | undefined>
  /** Forgets everybody's position in a video; repeatable. The index may lag, so a second look later finds the rest. */
  removeAll(videoId: string): Promise<void>
}

export function progressTable(client: TableClient): ProgressTable {
  return {
    async find(viewerKey, videoId) {
      const row = await client.get('progress', keyOf({ viewerKey, videoId }))
      return row && fromRow(row)
    },
    async removeAll(videoId) {
      const { rows } = await client.range({
        table: 'progress_by_video',
        prefix: [['video_id', videoId]],
        keyColumns: ['video_id', 'viewer_key'],
      })
      const keys = rows.map((row) => keyOf({ viewerKey: String(row.viewer_key), videoId }))
      const writes = keys.map((key): Write => ({ table: 'progress', key, expect: 'any', delete: true }))
      for (let at = 0; at < writes.length; at += 200) await client.writeBatch(writes.slice(at, at + 200))
    },
  }
}

/** The first position of a viewer in a video; refused when there is one. */
export function createProgress(progress: Progress): Write {
  return { table: 'progress', key: keyOf(progress), expect: 'absent', put: toColumns(progress) }
}

/**
 * A newer position, as one conditional write: the same session goes by its own numbers, two sessions by the time at which
 * it was so. Refused when there is none yet.
 */
export function advanceProgress(progress: Progress): Write {
  const { sessionId, seq, effectiveAt } = progress
  const newer = {
    anyOf: [
      [
        { column: 'session_id', op: '=', value: sessionId },
        { column: 'seq', op: '<', value: seq },
      ],
      [
        { column: 'session_id', op: '!=', value: sessionId },
        { column: 'effective_at', op: '<', value: effectiveAt },
      ],
    ],
  } as const
  return { table: 'progress', key: keyOf(progress), expect: [newer], update: toColumns(progress) }
}

function keyOf({ viewerKey, videoId }: Pick<Progress, 'viewerKey' | 'videoId'>) {
  return [
    ['viewer_key', viewerKey],
    ['video_id', videoId],
  ] as const
}

function toColumns({ positionMs, sessionId, seq, effectiveAt, ended }: Progress) {
  return { position_ms: positionMs, session_id: sessionId, seq, effective_at: effectiveAt, ended }
}

function fromRow(row: Row): Progress {
  return {
    viewerKey: String(row.viewer_key),
    videoId: String(row.video_id),
    positionMs: Number(row.position_ms),
    sessionId: String(row.session_id),
    seq: Number(row.seq),
    effectiveAt: Number(row.effective_at),
    ended: row.ended === true,
  }
}
