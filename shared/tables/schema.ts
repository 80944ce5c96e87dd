/** Every table: key, indexes, life time. Created over the wire by whoever sets an installation up. */
export interface TableSchema {
  readonly table: string
  readonly key: readonly KeyColumn[]
  /** Columns that indexes use; they exist in the table's definition. */
  readonly indexed?: readonly KeyColumn[]
  readonly indexes?: readonly IndexSchema[]
  /** Seconds after which a row is gone; -1 keeps it. A table with an index must keep its rows. */
  readonly ttlSeconds: number
}

export interface KeyColumn {
  readonly name: string
  readonly type: 'string' | 'integer'
}

export interface IndexSchema {
  readonly index: string
  /** Index key; the table's own key columns that are missing here are appended by the service. */
  readonly key: readonly string[]
}

const text = (name: string): KeyColumn => ({ name, type: 'string' })
const integer = (name: string): KeyColumn => ({ name, type: 'integer' })
const forever = -1
const twoDays = 172_800

/** All tables of this version. The first key column is random or hashed, so that writes spread over partitions. */
export const TABLES: readonly TableSchema[] = [
  {
    table: 'videos',
    key: [text('video_id')],
    indexed: [text('owner_id'), integer('listed_at')],
    indexes: [{ index: 'videos_by_owner', key: ['owner_id', 'listed_at'] }],
    ttlSeconds: forever,
  },
  { table: 'media', key: [text('media_id')], ttlSeconds: forever },
  { table: 'media_refs', key: [text('media_id'), text('video_id')], ttlSeconds: forever },
  { table: 'uploads', key: [text('upload_id')], ttlSeconds: forever },
  { table: 'tasks', key: [text('media_id'), text('task_id')], ttlSeconds: forever },
  { table: 'renditions', key: [text('media_id'), text('rendition')], ttlSeconds: forever },
  { table: 'segments', key: [text('media_id'), text('rendition'), integer('first_segment')], ttlSeconds: forever },
  { table: 'playbacks', key: [text('playback_id')], ttlSeconds: forever },
  {
    table: 'progress',
    key: [text('viewer_key'), text('video_id')],
    indexes: [{ index: 'progress_by_video', key: ['video_id'] }],
    ttlSeconds: forever,
  },
  { table: 'sessions', key: [text('video_id'), text('session_id')], ttlSeconds: forever },
  { table: 'counters', key: [text('video_id'), integer('shard')], ttlSeconds: forever },
  { table: 'due', key: [integer('shard'), integer('due_at'), text('ref')], ttlSeconds: forever },
  { table: 'cursors', key: [text('name')], ttlSeconds: forever },
  { table: 'accounts', key: [text('username_key')], ttlSeconds: forever },
  { table: 'idempotency', key: [text('key')], ttlSeconds: twoDays },
  { table: 'nonces', key: [text('key')], ttlSeconds: twoDays },
]

/** The service's two schema operations, as an SDK offers them. */
export interface SchemaClient {
  /** Names of the tables that exist. */
  list(): Promise<readonly string[]>
  create(schema: TableSchema): Promise<void>
}

/** Creates what is missing and leaves what exists; safe to repeat. */
export async function createTables(client: SchemaClient): Promise<void> {
  const existing = new Set(await client.list())
  for (const schema of TABLES) if (!existing.has(schema.table)) await client.create(schema)
}
