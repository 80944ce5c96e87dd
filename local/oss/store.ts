import { join } from 'node:path'
import { type Blobs, type DiskHook, openBlobs } from './blobs.ts'
import { OssError } from './errors.ts'
import type { BucketRecord, ObjectRecord } from './records.ts'
import {
  bucketKey,
  bucketRange,
  existingBucket,
  type ObjectName,
  objectKey,
  openTables,
  type Tables,
} from './tables.ts'
import { openUploads, type Uploads } from './uploads.ts'

export interface ListedBucket {
  readonly name: string
  readonly record: BucketRecord
}

export interface ListedObject {
  readonly key: string
  readonly record: ObjectRecord
}

/** Whether an existing object may be replaced. */
export type Overwrite = 'allowed' | 'forbidden'

/**
 * The index and the blobs that it names. Bytes are on disk before the index names them and every change of the index is
 * one transaction, so a crash leaves at worst blobs that nothing names; they are removed at the next start.
 */
export interface Store {
  readonly blobs: Blobs
  readonly uploads: Uploads
  /** The bucket, or NoSuchBucket. */
  bucket(name: string): BucketRecord
  findBucket(name: string): BucketRecord | undefined
  buckets(): readonly ListedBucket[]
  createBucket(name: string, record: BucketRecord): Promise<void>
  changeBucket(name: string, change: Partial<BucketRecord>): Promise<void>
  removeBucket(name: string): Promise<void>
  findObject(name: ObjectName): ObjectRecord | undefined
  /** Stores an object; if that is refused, its blobs go. */
  putObject(name: ObjectName, record: ObjectRecord, overwrite: Overwrite): Promise<void>
  /** Changes what is known of an object, not its bytes. */
  changeObject(name: ObjectName, change: Pick<ObjectRecord, 'acl'>): Promise<void>
  removeObject(name: ObjectName): Promise<void>
  /** Objects of a bucket in the byte order of their keys, from a key on (inclusive). */
  objects(bucket: string, prefix: string, from: Buffer): Iterable<ListedObject>
  close(): Promise<void>
}

/** Opens the store in a folder of its own and removes what a crash left over. */
export async function openStore(dir: string, disk?: DiskHook): Promise<Store> {
  const blobs = openBlobs(join(dir, 'blobs'), disk)
  const tables = openTables(dir)
  await blobs.keepOnly(referencedBlobs(tables))
  return {
    blobs,
    uploads: openUploads(tables, blobs),
    ...bucketStore(tables),
    ...objectStore(tables, blobs),
    async close() {
      await blobs.settled()
      await tables.close()
    },
  }
}

function referencedBlobs(tables: Tables): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { value } of tables.objects.getRange({})) for (const blob of value.blobs) names.add(blob.name)
  for (const { value } of tables.parts.getRange({})) for (const blob of value.blobs) names.add(blob.name)
  return names
}

function bucketStore(tables: Tables) {
  const isEmpty = (bucket: string) => {
    const range = { ...bucketRange(bucket, '', Buffer.alloc(0)), limit: 1 }
    return tables.objects.getKeysCount(range) + tables.uploads.getKeysCount(range) === 0
  }
  return {
    bucket: (name: string) => existingBucket(tables, name),
    findBucket: (name: string) => tables.buckets.get(bucketKey(name)),
    buckets: () => [...tables.buckets.getRange({})].map(({ key, value }) => ({ name: key.toString(), record: value })),
    createBucket: (name: string, record: BucketRecord) =>
      tables.transaction(() => {
        if (tables.buckets.get(bucketKey(name)) === undefined) void tables.buckets.put(bucketKey(name), record)
      }),
    changeBucket: (name: string, change: Partial<BucketRecord>) =>
      tables.transaction(() => {
        void tables.buckets.put(bucketKey(name), { ...existingBucket(tables, name), ...change })
      }),
    removeBucket: (name: string) =>
      tables.transaction(() => {
        existingBucket(tables, name)
        if (!isEmpty(name)) throw new OssError('BucketNotEmpty', { BucketName: name })
        void tables.buckets.remove(bucketKey(name))
      }),
  }
}

function objectStore(tables: Tables, blobs: Blobs) {
  const findObject = (name: ObjectName) => tables.objects.get(objectKey(name))
  return {
    findObject,
    async putObject(name: ObjectName, record: ObjectRecord, overwrite: Overwrite) {
      const replaced = await tables
        .transaction(() => {
          existingBucket(tables, name.bucket)
          const old = findObject(name)
          if (old && overwrite === 'forbidden') throw new OssError('FileAlreadyExists')
          void tables.objects.put(objectKey(name), record)
          return old
        })
        .catch((error: unknown) => {
          blobs.drop(record.blobs)
          throw error
        })
      if (replaced) blobs.drop(replaced.blobs)
    },
    changeObject: (name: ObjectName, change: Pick<ObjectRecord, 'acl'>) =>
      tables.transaction(() => {
        const old = findObject(name)
        if (old === undefined) throw new OssError('NoSuchKey', { Key: name.key })
        void tables.objects.put(objectKey(name), { ...old, ...change })
      }),
    async removeObject(name: ObjectName) {
      const removed = await tables.transaction(() => {
        const old = findObject(name)
        if (old) void tables.objects.remove(objectKey(name))
        return old
      })
      if (removed) blobs.drop(removed.blobs)
    },
    *objects(bucket: string, prefix: string, from: Buffer): Iterable<ListedObject> {
      const nameBytes = Buffer.byteLength(bucket) + 1
      for (const { key, value } of tables.objects.getRange(bucketRange(bucket, prefix, from))) {
        yield { key: key.subarray(nameBytes).toString(), record: value }
      }
    },
  }
}
