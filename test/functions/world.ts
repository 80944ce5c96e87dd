import { onTimer, type Deps as SweepDeps } from '../../functions/sweep/on-timer.ts'
import type { Deps as UploadDeps } from '../../functions/upload-notify/route.ts'
import type { UploadTarget } from '../../shared/api.ts'
import type { Objects } from '../../shared/cloud/oss.ts'
import { drive } from '../../shared/drive.ts'
import { AppError } from '../../shared/errors.ts'
import { PIPELINE_LIMITS, type PipelineLimits } from '../../shared/pipeline.ts'
import { invocationId, type TaskMessage } from '../../shared/plan.ts'
import type { StoredObject } from '../../shared/source.ts'
import type { Row } from '../../shared/tables/client.ts'
import { cursorsTable } from '../../shared/tables/cursors.ts'
import { dueTable } from '../../shared/tables/due.ts'
import { eraseRows } from '../../shared/tables/erase.ts'
import { idempotencyTable } from '../../shared/tables/idempotency.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { type Upload, uploadsTable } from '../../shared/tables/uploads.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { memoryTables, type TableOperation } from '../fakes/tables.ts'

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
  sourceContext: 'ctx',
  classId: 'c1',
  state: 'waiting',
  error: '',
  createdAt: NOW,
  expiresAt: NOW + DAY,
}

/** One call of a service, before and after its effect; to throw here is to fail, or to die, there. */
export interface Call {
  readonly service: 'tables' | 'objects' | 'functions' | 'sts' | 'callback'
  readonly name: string
  /** Whether it may change anything. */
  readonly changes: boolean
  readonly phase: 'before' | 'after'
  /** The same before and after, since calls may overlap. */
  readonly id: string
}

export interface WorldOptions {
  readonly onOperation?: (operation: TableOperation) => void | Promise<void>
  readonly limits?: Partial<PipelineLimits>
}

const INDEXES = [
  { table: 'videos', index: 'videos_by_owner', columns: ['owner_id', 'listed_at', 'video_id'] },
  { table: 'progress', index: 'progress_by_video', columns: ['video_id', 'viewer_key'] },
]

/**
 * Everything that uploads and the timer touch, in memory: tables, one bucket, Function Compute as a list of invocations,
 * and a clock that tests move.
 */
export function newWorld(options: WorldOptions = {}) {
  const clock = { now: NOW }
  const now = () => clock.now
  let onCall: (call: Call) => void = () => {}
  const { observed, ...bucket } = newBucket((call) => onCall(call))
  const tables = memoryTables({
    indexes: INDEXES,
    async onOperation(operation) {
      await options.onOperation?.(operation)
      const { kind, table, phase, index } = operation
      onCall({
        service: 'tables',
        name: `${kind} ${table}`,
        changes: kind.startsWith('write'),
        phase,
        id: `row ${index}`,
      })
    },
  })
  const invocations: string[] = []
  const messages: TaskMessage[] = []
  const dispatch = (message: TaskMessage) =>
    observed({ service: 'functions', name: `invoke ${message.kind}`, changes: true }, () => {
      if (invocations.includes(invocationId(message))) return
      invocations.push(invocationId(message))
      messages.push(message)
    })
  const limits = { ...PIPELINE_LIMITS, ...options.limits }
  const driving = { tables, dispatch, now, pause: async () => {}, limits }
  const deps: Omit<UploadDeps & SweepDeps, 'objects'> & { objects: typeof bucket.objects } = {
    uploads: uploadsTable(tables),
    media: mediaTable(tables),
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    tasks: tasksTable(tables),
    cursors: cursorsTable(tables),
    due: dueTable(tables),
    idempotency: idempotencyTable(tables),
    objects: bucket.objects,
    drive: (mediaId) => drive(mediaId, driving),
    eraseRows: (mediaId) => eraseRows(tables, 'media_id', mediaId),
    eraseViewing: (videoId) => eraseRows(tables, 'video_id', videoId),
    async verifySession(token) {
      if (!token.startsWith('session-of-')) throw new AppError('unauthenticated', 'Expected a session token')
      return { accountId: token.slice('session-of-'.length) }
    },
    verifyUploadToken(token, uploadId) {
      if (token !== `token-of-${uploadId}`) throw new AppError('unauthenticated', 'Expected the upload token')
    },
    grant: (key) => observed({ service: 'sts', name: 'AssumeRole', changes: false }, () => targetOf(key)),
    now,
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
    ...{ tables, invocations, messages, deps, clock, sweep, observed },
    ...bucket,
    /** Calls this around every call of a service from now on. */
    observe(observer: (call: Call) => void) {
      onCall = observer
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

function targetOf(key: string): UploadTarget {
  const credentials = { accessKeyId: 'a', accessKeySecret: 's', securityToken: 't', expiration: 'soon' }
  return { bucket: 'b', region: 'cn-hangzhou', endpoint: 'http://oss', addressing: 'path', key, credentials }
}

/** A bucket as a map, with what it was asked to do to the sources. */
function newBucket(onCall: (call: Call) => void) {
  const bucket = new Map<string, StoredObject>()
  const symlinks = new Set<string>()
  const parts = new Set<string>()
  const calls: string[] = []
  let count = 0
  async function observed<T>(call: Omit<Call, 'phase' | 'id'>, effect: () => T | Promise<T>): Promise<T> {
    count += 1
    const id = `call ${count}`
    onCall({ ...call, id, phase: 'before' })
    const result = await effect()
    onCall({ ...call, id, phase: 'after' })
    return result
  }
  const reading = <T>(name: string, read: () => T) => observed({ service: 'objects', name, changes: false }, read)
  const changing = <T>(name: string, effect: () => T) => observed({ service: 'objects', name, changes: true }, effect)
  const keysUnder = (prefix: string) => [...bucket.keys()].filter((key) => key.startsWith(prefix)).sort()

  const objects: Omit<Objects, 'presignGet' | 'presignPublicGet' | 'head'> & {
    head(
      key: string,
      options?: { readonly ifMatch?: string },
    ): Promise<(StoredObject & { contentType: string }) | undefined>
  } = {
    head: (key, { ifMatch } = {}) =>
      reading('head', () => {
        const found = bucket.get(key)
        if (found && ifMatch !== undefined && found.etag !== ifMatch) throw new AppError('conflict', 'another object')
        return found && { ...found, contentType: '' }
      }),
    put: (key, bytes) =>
      changing('put', () => {
        if (bucket.has(key)) return 'exists'
        bucket.set(key, { ...film, etag: `of ${bytes.length}`, size: bytes.length })
        return 'stored'
      }),
    isSymlink: (key) => reading('isSymlink', () => symlinks.has(key)),
    resetAcl: (key) => changing('resetAcl', () => void calls.push(`acl ${key}`)),
    async *list(prefix) {
      yield* await reading('list', () => keysUnder(prefix).map((key) => ({ key, size: bucket.get(key)?.size ?? 0 })))
    },
    folders: (prefix, from, limit) =>
      reading('folders', () => {
        const names = [...new Set(keysUnder(prefix).map((key) => key.slice(prefix.length).split('/')[0] ?? ''))].sort()
        const after = names.filter((name) => name > from)
        const page = after.slice(0, limit)
        return { names: page, next: after.length > limit ? page.at(-1) : undefined }
      }),
    remove: (key) =>
      changing('remove', () => {
        calls.push(`remove ${key}`)
        bucket.delete(key)
      }),
    removeAll: (keys) => changing('removeAll', () => keys.forEach((key) => void bucket.delete(key))),
    abortUploads: (prefix) =>
      changing('abortUploads', () => {
        calls.push(`abort ${prefix}`)
        for (const key of parts) if (key.startsWith(prefix)) parts.delete(key)
      }),
  }
  return { bucket, symlinks, parts, calls, objects, observed }
}

/** What counts of an end state: not who wrote a row and when, nor which hints are left. */
export function stateOf({ tables, bucket, parts }: Pick<World, 'tables' | 'bucket' | 'parts'>) {
  const { due: _, cursors: __, ...rest } = tables.dump()
  const filled = Object.entries(rest).filter(([, rows]) => rows.length > 0)
  return {
    tables: Object.fromEntries(filled.map(([table, rows]) => [table, rows.map(withoutTimes)])),
    objects: [...bucket.keys()].sort(),
    parts: [...parts],
  }
}

function withoutTimes(row: Row): Row {
  const kept = Object.entries(row).filter(([column]) => !/(^|_)at$|^(writer|version|lease_until)$/.test(column))
  return Object.fromEntries(kept)
}
