import { join } from 'node:path'
import type { Database } from 'lmdb'
import { openDatabase, transact } from '../data/database.ts'
import { OssError } from './errors.ts'
import type {
  BucketRecord,
  ChannelRecord,
  DeleteMarker,
  FetchRecord,
  ObjectRecord,
  PartRecord,
  UploadRecord,
} from './records.ts'

/** Names one object. */
export interface ObjectName {
  readonly bucket: string
  readonly key: string
}

/** Names one multipart upload. */
export interface UploadName extends ObjectName {
  readonly uploadId: string
}

/** The tables of the index; keys are bytes, so that ranges run in the byte order of UTF-8. */
export interface Tables {
  readonly buckets: Database<BucketRecord, Buffer>
  /** The current version of each key that has one which is no delete marker. */
  readonly objects: Database<ObjectRecord, Buffer>
  /** All other versions, the latest of a key first. */
  readonly versions: Database<ObjectRecord | DeleteMarker, Buffer>
  readonly uploads: Database<UploadRecord, Buffer>
  readonly parts: Database<PartRecord, Buffer>
  /** Live channels, by the keys of objects. */
  readonly channels: Database<ChannelRecord, Buffer>
  /** Fetches by bucket and id. */
  readonly fetches: Database<FetchRecord, Buffer>
  /** Bodies of a few kilobytes, by the names of their blobs. */
  readonly small: Database<Buffer, string>
  /**
   * Runs in one write transaction, after everything written before; resolves when its writes are on the disk. What it
   * throws undoes them.
   */
  transaction<Result>(action: () => Result): Promise<Result>
  close(): Promise<void>
}

/** Opens the index in a folder. */
export function openTables(dir: string): Tables {
  const root = openDatabase({ path: join(dir, 'index'), maxDbs: 16 })
  return {
    buckets: root.openDB({ name: 'buckets', keyEncoding: 'binary' }),
    objects: root.openDB({ name: 'objects', keyEncoding: 'binary' }),
    versions: root.openDB({ name: 'versions', keyEncoding: 'binary' }),
    uploads: root.openDB({ name: 'uploads', keyEncoding: 'binary' }),
    parts: root.openDB({ name: 'parts', keyEncoding: 'binary' }),
    channels: root.openDB({ name: 'channels', keyEncoding: 'binary' }),
    fetches: root.openDB({ name: 'fetches', keyEncoding: 'binary' }),
    small: root.openDB({ name: 'small', encoding: 'binary' }),
    transaction: (action) => transact(root, action),
    close: () => root.close(),
  }
}

/** Key of a bucket's row. */
export function bucketKey(bucket: string): Buffer {
  return Buffer.from(bucket)
}

// Neither a bucket nor a key can hold NUL, so it separates them without escapes and sorts before everything else.

/** Key of an object's row. */
export function objectKey({ bucket, key }: ObjectName): Buffer {
  return Buffer.from(`${bucket}\0${key}`)
}

/** Key of a version's row; later versions of a key come first. */
export function versionKey({ bucket, key }: ObjectName, sequence: number): Buffer {
  return Buffer.from(`${bucket}\0${key}\0${(Number.MAX_SAFE_INTEGER - sequence).toString(16).padStart(14, '0')}`)
}

/** Key of an upload's row; uploads of one key lie together. */
export function uploadKey({ bucket, key, uploadId }: UploadName): Buffer {
  return Buffer.from(`${bucket}\0${key}\0${uploadId}`)
}

/** Key of a part's row, in the order of part numbers. */
export function partKey(uploadId: string, number: number): Buffer {
  return Buffer.from(`${uploadId}\0${String(number).padStart(5, '0')}`)
}

/** Rows of one bucket whose key has a prefix, from a key on (inclusive). */
export function bucketRange(bucket: string, prefix: string, from: Buffer): { start: Buffer; end: Buffer } {
  const lowest = Buffer.from(`${bucket}\0${prefix}`)
  const wanted = Buffer.concat([Buffer.from(`${bucket}\0`), from])
  return { start: Buffer.compare(lowest, wanted) < 0 ? wanted : lowest, end: following(lowest) }
}

/** The first byte string after all that begin with this one; a last byte of 0xff does not occur in UTF-8. */
export function following(bytes: Buffer): Buffer {
  const next = Buffer.from(bytes)
  const last = next.length - 1
  next[last] = (next[last] ?? 0) + 1
  return next
}

/** The bucket's row, or the service's refusal. */
export function existingBucket(tables: Tables, bucket: string): BucketRecord {
  const record = tables.buckets.get(bucketKey(bucket))
  if (record === undefined) throw new OssError('NoSuchBucket', { BucketName: bucket })
  return record
}
