import type { VideoError } from '../video-errors.ts'
import { type Key, type Row, type TableClient, winWrite } from './client.ts'

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

export type NewVideo = Omit<Video, 'version' | 'derived' | 'deletedAt' | 'listedAt'>

export interface VideosTable {
  /** Creates it listed and with nothing derived yet. */
  create(video: NewVideo): Promise<boolean>
  find(videoId: string): Promise<Video | undefined>
  /** Newest first; ids come from the index, rows from the table, so a page may be shorter than `limit`. */
  listByOwner(ownerId: string, limit: number, from?: Key): Promise<{ videos: Video[]; next: Key | undefined }>
  /** False when the row has changed since it was read. */
  saveDerived(video: Video, derived: Derived): Promise<boolean>
  /** Hides it and marks it deleted; false when the row has changed since it was read. */
  markDeleted(video: Video, at: number): Promise<boolean>
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
    markDeleted: (video, at) =>
      winWrite(client, {
        table: 'videos',
        key: keyOf(video.videoId),
        expect: sameVersion(video),
        update: { deleted_at: at, version: video.version + 1 },
        remove: ['listed_at'],
      }),
  }
}

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
