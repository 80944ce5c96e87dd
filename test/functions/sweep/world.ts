import { type Deps, onTimer } from '../../../functions/sweep/on-timer.ts'
import { drive } from '../../../shared/drive.ts'
import { PIPELINE_LIMITS } from '../../../shared/pipeline.ts'
import { invocationId, type TaskMessage } from '../../../shared/plan.ts'
import type { StoredObject } from '../../../shared/source.ts'
import type { Row } from '../../../shared/tables/client.ts'
import { cursorsTable } from '../../../shared/tables/cursors.ts'
import { dueTable } from '../../../shared/tables/due.ts'
import { eraseRows } from '../../../shared/tables/erase.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { playbacksTable } from '../../../shared/tables/playbacks.ts'
import { tasksTable } from '../../../shared/tables/tasks.ts'
import { type Upload, uploadsTable } from '../../../shared/tables/uploads.ts'
import { videosTable } from '../../../shared/tables/videos.ts'
import { memoryTables } from '../../fakes/tables.ts'

export const NOW = Date.UTC(2030, 0, 1)
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export const film: StoredObject = { etag: 'E1', size: 1234, crc64: '77', type: 'Normal', storageClass: 'Standard' }

/** An upload of Ann's that waits for its bytes. */
export const waiting: Upload = {
  uploadId: 'upload0000000001',
  ownerId: 'ann',
  videoId: 'video00000000001',
  mediaId: 'media00000000001',
  playbackId: 'play000000000001',
  key: 'uploads/upload0000000001/source',
  fileName: 'film.mp4',
  title: 'film',
  sizeBytes: 10,
  contentType: 'video/mp4',
  sourceContext: '',
  classId: '',
  state: 'waiting',
  error: '',
  createdAt: NOW,
  expiresAt: NOW + DAY,
}

/** A change to a table or the bucket, which a process may not survive. */
export type Change = (phase: 'before' | 'after') => void

/** Everything the timer touches, in memory, with a clock that tests move. */
export function newWorld() {
  const clock = { now: NOW }
  let onChange: Change = () => {}
  const tables = memoryTables({
    onOperation: ({ kind, phase }) => void (kind.startsWith('write') && onChange(phase)),
  })
  const bucket = new Map<string, StoredObject>()
  const parts = new Set<string>()
  const invocations: string[] = []
  const dispatch = async (message: TaskMessage) => {
    if (!invocations.includes(invocationId(message))) invocations.push(invocationId(message))
  }
  // Short, since most runs of these tests are about something else than waiting.
  const limits = { ...PIPELINE_LIMITS, abandonMs: 150_000 }
  const driving = { tables, dispatch, now: () => clock.now, pause: async () => {}, limits }
  const deps: Deps = {
    uploads: uploadsTable(tables),
    media: mediaTable(tables),
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    tasks: tasksTable(tables),
    cursors: cursorsTable(tables),
    due: dueTable(tables),
    objects: bucketOver(bucket, parts, (phase) => onChange(phase)),
    drive: (mediaId) => drive(mediaId, driving),
    eraseRows: (mediaId) => eraseRows(tables, 'media_id', mediaId),
    eraseViewing: (videoId) => eraseRows(tables, 'video_id', videoId),
    now: () => clock.now,
    maxSourceBytes: 5000,
    publicUrl: 'http://site',
    budgetMs: 30_000,
    purgeAfterMs: 7 * DAY,
    purgeWaitMs: 2 * HOUR,
    leaseGraceMs: 120_000,
    auditEveryMs: DAY,
  }
  const sweep = () => onTimer({ triggerTime: new Date(clock.now).toISOString(), triggerName: 't', payload: '' }, deps)
  return {
    ...{ tables, bucket, parts, invocations, deps, clock, sweep },
    /** Calls this around every change from now on. */
    observe(change: Change) {
      onChange = change
    },
    /** Moves the clock from one hint to the next, and sweeps, until none is left or the time is over. */
    async settle(until = NOW + 30 * DAY, run: () => Promise<unknown> = sweep) {
      while (clock.now < until) {
        const next = Math.min(...tables.rows('due').map((row) => Number(row.due_at)))
        if (next > until) return
        clock.now = Math.max(next, clock.now + 60_000)
        await run()
      }
    },
  }
}

export type World = ReturnType<typeof newWorld>

function bucketOver(bucket: Map<string, StoredObject>, parts: Set<string>, onChange: Change): Deps['objects'] {
  const changing = (effect: () => void) => {
    onChange('before')
    effect()
    onChange('after')
  }
  return {
    head: async (key) => bucket.get(key),
    isSymlink: async () => false,
    resetAcl: async () => {},
    async *list(prefix) {
      for (const key of [...bucket.keys()].sort()) if (key.startsWith(prefix)) yield { key }
    },
    async folders(prefix, from, limit) {
      const found = [...bucket.keys()].filter((key) => key.startsWith(prefix))
      const names = [...new Set(found.map((key) => key.slice(prefix.length).split('/')[0] ?? ''))].sort()
      const after = names.filter((name) => name > from)
      const page = after.slice(0, limit)
      return { names: page, next: after.length > limit ? page.at(-1) : undefined }
    },
    removeAll: async (keys) => changing(() => keys.forEach((key) => void bucket.delete(key))),
    abortUploads: async (prefix) =>
      changing(() => [...parts].filter((key) => key.startsWith(prefix)).forEach((key) => void parts.delete(key))),
  }
}

/** What counts of an end state: not who wrote a row and when, nor which hints are left. */
export function stateOf({ tables, bucket, parts }: World) {
  const { due: _, cursors: __, ...rest } = tables.dump()
  const rows = Object.entries(rest).flatMap(([table, all]) => all.map((row) => [table, withoutTimes(row)] as const))
  return { rows, objects: [...bucket.keys()].sort(), parts: [...parts] }
}

function withoutTimes(row: Row): Row {
  const kept = Object.entries(row).filter(([column]) => !/_at$|^(writer|version|lease_until)$/.test(column))
  return Object.fromEntries(kept)
}
