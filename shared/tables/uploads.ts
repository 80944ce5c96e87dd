import { type Row, type TableClient, winWrite } from './client.ts'

export type UploadState = 'waiting' | 'uploading' | 'verifying' | 'done' | 'errored' | 'cancelled' | 'expired'

/** One upload; the ids of everything it leads to are made with it, so that finishing it twice cannot make two videos. */
export interface Upload {
  readonly uploadId: string
  readonly ownerId: string
  readonly videoId: string
  readonly mediaId: string
  readonly playbackId: string
  readonly key: string
  readonly fileName: string
  readonly title: string
  readonly sizeBytes: number
  readonly contentType: string
  readonly sourceContext: string
  readonly classId: string
  readonly state: UploadState
  /** Why it ended as `errored`; empty otherwise. */
  readonly error: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly expiresAt: number
}

/** States in which fresh credentials may be had and the upload may be cancelled. */
const OPEN: readonly UploadState[] = ['waiting', 'uploading']

/** Whether bytes may still arrive. */
export function isOpen(upload: Upload): boolean {
  return OPEN.includes(upload.state)
}

export interface UploadsTable {
  create(upload: Upload): Promise<boolean>
  find(uploadId: string): Promise<Upload | undefined>
  /** Moves from one state to another; false when it was no longer in `from`. */
  move(uploadId: string, from: UploadState, to: UploadState, error?: string): Promise<boolean>
  /** Some of all uploads, in the order of their ids. */
  page(from: string, limit: number): Promise<{ uploads: Upload[]; next: string | undefined }>
  /** Forgets it; repeatable. */
  remove(uploadId: string): Promise<void>
}

/** The upload whose bytes are stored under a key; `undefined` when the key is of another kind. */
export function uploadIdOf(key: string): string | undefined {
  return /^uploads\/([A-Za-z0-9]+)\//.exec(key)?.[1]
}

export function uploadsTable(client: TableClient): UploadsTable {
  const keyOf = (uploadId: string) => [['upload_id', uploadId]] as const
  return {
    create: (upload) =>
      winWrite(client, { table: 'uploads', key: keyOf(upload.uploadId), expect: 'absent', put: toColumns(upload) }),
    async find(uploadId) {
      const row = await client.get('uploads', keyOf(uploadId))
      return row && fromRow(row)
    },
    move: (uploadId, from, to, error = '') =>
      winWrite(client, {
        table: 'uploads',
        key: keyOf(uploadId),
        expect: [{ column: 'state', op: '=', value: from }],
        update: { state: to, error },
      }),
    async page(from, limit) {
      const request = { table: 'uploads', prefix: [], keyColumns: ['upload_id'], limit }
      const { rows, next } = await client.range({ ...request, ...(from === '' ? {} : { from: keyOf(from) }) })
      return { uploads: rows.map(fromRow), next: next && String(next[0]?.[1]) }
    },
    async remove(uploadId) {
      await client.write({ table: 'uploads', key: keyOf(uploadId), expect: 'any', delete: true })
    },
  }
}

function toColumns(upload: Upload) {
  return {
    owner_id: upload.ownerId,
    video_id: upload.videoId,
    media_id: upload.mediaId,
    playback_id: upload.playbackId,
    object_key: upload.key,
    file_name: upload.fileName,
    title: upload.title,
    size_bytes: upload.sizeBytes,
    content_type: upload.contentType,
    source_context: upload.sourceContext,
    class_id: upload.classId,
    state: upload.state,
    error: upload.error,
    created_at: upload.createdAt,
    expires_at: upload.expiresAt,
  }
}

function fromRow(row: Row): Upload {
  return {
    uploadId: String(row.upload_id),
    ownerId: String(row.owner_id),
    videoId: String(row.video_id),
    mediaId: String(row.media_id),
    playbackId: String(row.playback_id),
    key: String(row.object_key),
    fileName: String(row.file_name),
    title: String(row.title),
    sizeBytes: Number(row.size_bytes),
    contentType: String(row.content_type),
    sourceContext: String(row.source_context ?? ''),
    classId: String(row.class_id ?? ''),
    state: String(row.state) as UploadState,
    error: String(row.error ?? ''),
    createdAt: Number(row.created_at),
    expiresAt: Number(row.expires_at),
  }
}
