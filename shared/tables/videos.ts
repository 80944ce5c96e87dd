import type { VideoError } from '../video-errors.ts'
import { type Key, type Row, type TableClient, type Test, winWrite } from './client.ts'

export type VideoStatus = 'processing' | 'ready' | 'errored'

/** What an owner manages. Everything after `version` is derived from media, tasks and segments by the pipeline. */
export interface Video {
  readonly videoId: string
  readonly ownerId: string
  readonly mediaId: string
  readonly title: string
  readonly sourceContext: string
  readonly classId: string
  readonly playbackIds: readonly string[]
  readonly sizeBytes: number
  readonly sourceKey: string
  /** Milliseconds since the epoch; 0 hides it from lists. */
  readonly listedAt: number
  readonly createdAt: number
  /** 0 while it is not deleted. */
  readonly deletedAt: number
  /** When its removal for good began; 0 before. From then on it cannot be restored. */
  readonly purgingAt: number
  /** Raised by every change. */
  readonly version: number
  readonly derived: Derived
}

/** What the pipeline last concluded. */
export interface Derived {
  readonly status: VideoStatus
  readonly playable: boolean
  /** Whole per cent. */
  readonly progress: number
  readonly durationMs: number
  readonly width: number
  readonly height: number
  readonly engine: string
  readonly engineReason: string
  readonly error: VideoError | undefined
}

export const NOTHING_YET: Derived = {
  status: 'processing',
  playable: false,
  progress: 0,
  durationMs: 0,
  width: 0,
  height: 0,
  engine: '',
  engineReason: '',
  error: undefined,
}

export type NewVideo = Omit<Video, 'version' | 'derived' | 'deletedAt' | 'purgingAt' | 'listedAt'>

export interface VideosTable {
  /** Creates it listed and with nothing derived yet. */
  create(video: NewVideo): Promise<boolean>
  find(videoId: string): Promise<Video | undefined>
  /** Newest first; ids come from the index, rows from the table, so a page may be shorter than `limit`. */
  listByOwner(ownerId: string, limit: number, from?: Key): Promise<{ videos: Video[]; next: Key | undefined }>
  /** False when the row has changed since it was read. */
  saveDerived(video: Video, derived: Derived): Promise<boolean>
  /** False when the row has changed since it was read. */
  rename(video: Video, title: string): Promise<boolean>
  /** Hides it and marks it deleted; false when the row has changed since it was read. */
  markDeleted(video: Video, at: number): Promise<boolean>
  /** Lists it again; false when the row has changed since it was read, or its removal for good has begun. */
  restore(video: Video): Promise<boolean>
  /** Begins its removal for good; false when the row has changed since it was read, or it is not deleted. */
  markPurging(video: Video, at: number): Promise<boolean>
  /** Some of all videos, in the order of their ids. */
  page(from: string, limit: number): Promise<{ videos: Video[]; next: string | undefined }>
  /** Forgets it; everything that belongs to it must be gone before. Repeatable. */
  remove(videoId: string): Promise<void>
}

export function videosTable(client: TableClient): VideosTable {
  const keyOf = (videoId: string) => [['video_id', videoId]] as const
  const sameVersion = (video: Video) => [{ column: 'version', op: '=', value: video.version }] as const
  return {
    create: (video) =>
      winWrite(client, { table: 'videos', key: keyOf(video.videoId), expect: 'absent', put: toColumns(video) }),
    async find(videoId) {
      const row = await client.get('videos', keyOf(videoId))
      return row && fromRow(row)
    },
    async listByOwner(ownerId, limit, from) {
      const page = await client.range({
        table: 'videos_by_owner',
        prefix: [['owner_id', ownerId]],
        keyColumns: ['owner_id', 'listed_at', 'video_id'],
        reverse: true,
        limit,
        ...(from ? { from } : {}),
      })
      const keys = page.rows.map((row) => keyOf(String(row.video_id)))
      const rows = await client.getBatch('videos', keys)
      const videos = rows.flatMap((row) => (row ? [fromRow(row)] : []))
      return { videos: videos.filter((video) => video.deletedAt === 0), next: page.next }
    },
    saveDerived: (video, derived) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: sameVersion(video),
        update: { ...derivedColumns(derived), version: video.version + 1 },
      }),
    rename: (video, title) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: sameVersion(video),
        update: { title, version: video.version + 1 },
      }),
    markDeleted: (video, at) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: sameVersion(video),
        update: { deleted_at: at, version: video.version + 1 },
        remove: ['listed_at'],
      }),
    restore: (video) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: [...sameVersion(video), ...deletedOnly],
        update: { deleted_at: 0, listed_at: video.createdAt, version: video.version + 1 },
      }),
    markPurging: (video, at) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: [...sameVersion(video), ...deletedOnly],
        update: { purging_at: at, version: video.version + 1 },
      }),
    async page(from, limit) {
      const request = { table: 'videos', prefix: [], keyColumns: ['video_id'], limit }
      const { rows, next } = await client.range({ ...request, ...(from === '' ? {} : { from: keyOf(from) }) })
      return { videos: rows.map(fromRow), next: next && String(next[0]?.[1]) }
    },
    async remove(videoId) {
      await client.write({ table: 'videos', key: keyOf(videoId), expect: 'any', delete: true })
    },
  }
}

const deletedOnly: readonly Test[] = [
  { column: 'deleted_at', op: '>', value: 0 },
  { column: 'purging_at', op: '=', value: 0 },
]

function toColumns(video: NewVideo) {
  return {
    owner_id: video.ownerId,
    media_id: video.mediaId,
    title: video.title,
    source_context: video.sourceContext,
    class_id: video.classId,
    playbacks: JSON.stringify(video.playbackIds),
    size_bytes: video.sizeBytes,
    source_key: video.sourceKey,
    listed_at: video.createdAt,
    created_at: video.createdAt,
    deleted_at: 0,
    purging_at: 0,
    version: 1,
    ...derivedColumns(NOTHING_YET),
  }
}

function derivedColumns(derived: Derived) {
  return {
    status: derived.status,
    playable: derived.playable,
    progress: derived.progress,
    duration_ms: derived.durationMs,
    width: derived.width,
    height: derived.height,
    engine: derived.engine,
    engine_reason: derived.engineReason,
    error: derived.error ? JSON.stringify(derived.error) : '',
  }
}

function fromRow(row: Row): Video {
  const error = String(row.error ?? '')
  return {
    videoId: String(row.video_id),
    ownerId: String(row.owner_id),
    mediaId: String(row.media_id),
    title: String(row.title),
    sourceContext: String(row.source_context ?? ''),
    classId: String(row.class_id ?? ''),
    playbackIds: JSON.parse(String(row.playbacks)) as string[],
    sizeBytes: Number(row.size_bytes),
    sourceKey: String(row.source_key),
    listedAt: Number(row.listed_at ?? 0),
    createdAt: Number(row.created_at),
    deletedAt: Number(row.deleted_at ?? 0),
    purgingAt: Number(row.purging_at ?? 0),
    version: Number(row.version),
    derived: {
      status: String(row.status) as VideoStatus,
      playable: row.playable === true,
      progress: Number(row.progress),
      durationMs: Number(row.duration_ms),
      width: Number(row.width),
      height: Number(row.height),
      engine: String(row.engine),
      engineReason: String(row.engine_reason),
      error: error === '' ? undefined : (JSON.parse(error) as VideoError),
    },
  }
}
