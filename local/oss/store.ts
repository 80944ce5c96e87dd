import { join } from 'node:path'
import { roomIn } from '../data/room.ts'
import { type Blob, type Blobs, openBlobs } from './blobs.ts'
import { type Channels, openChannels } from './channels.ts'
import { OssError } from './errors.ts'
import { type Fetches, forgetFetches, openFetches } from './fetches.ts'
import type { DiskHook } from './receive.ts'
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
import {
  bury,
  erase,
  type ListedVersion,
  listVersions,
  lookUp,
  type Overwrite,
  type Placed,
  place,
  type Removed,
  refuseOverwrite,
  replace,
  type Version,
} from './versions.ts'

export interface ListedBucket {
  readonly name: string
  readonly record: BucketRecord
}

export interface ListedObject {
  readonly key: string
  readonly record: ObjectRecord
}

/**
 * The index and the blobs that it names. Bytes are on disk before the index names them and every change of the index is
 * one transaction, so a crash leaves at worst blobs that nothing names; they are removed at the next start.
 */
export interface Store {
  readonly blobs: Blobs
  readonly uploads: Uploads
  readonly channels: Channels
  readonly fetches: Fetches
  /** The bucket, or NoSuchBucket. */
  bucket(name: string): BucketRecord
  findBucket(name: string): BucketRecord | undefined
  buckets(): readonly ListedBucket[]
  createBucket(name: string, record: BucketRecord): Promise<void>
  /** Changes what is known of a bucket, by values or by what `change` makes of the present ones. */
  changeBucket(
    name: string,
    change: Partial<BucketRecord> | ((old: BucketRecord) => Partial<BucketRecord>),
  ): Promise<void>
  removeBucket(name: string): Promise<void>
  /** The current version, unless that is a delete marker. */
  findObject(name: ObjectName): ObjectRecord | undefined
  /** A version by its name, or the latest; delete markers too. */
  findVersion(name: ObjectName, versionId?: string): Version | undefined
  /** Stores an object and tells what it became; if that is refused, its blobs go. */
  putObject(name: ObjectName, record: ObjectRecord, overwrite: Overwrite): Promise<ObjectRecord>
  /** Adds bytes to the current version, or makes it: `build` looks at what is there and may refuse. */
  appendObject(
    name: ObjectName,
    blobs: readonly Blob[],
    build: (existing: ObjectRecord | undefined) => ObjectRecord,
  ): Promise<ObjectRecord>
  /** Changes what is known of a version, not its bytes; `change` may refuse. */
  changeObject(
    name: ObjectName,
    versionId: string | undefined,
    change: (old: ObjectRecord) => Partial<ObjectRecord>,
  ): Promise<ObjectRecord>
  /** Deletes a key, or one version of it for good. */
  removeObject(name: ObjectName, versionId: string | undefined, at: number): Promise<Removed>
  /** All versions of a bucket by key, the latest of each first, from a key on (inclusive). */
  versions(bucket: string, prefix: string, from: Buffer): Iterable<ListedVersion>
  /** Objects of a bucket in the byte order of their keys, from a key on (inclusive). */
  objects(bucket: string, prefix: string, from: Buffer): Iterable<ListedObject>
  close(): Promise<void>
}

/** Opens the store in a folder of its own and removes what a crash left over. */
export async function openStore(dir: string, disk?: DiskHook): Promise<Store> {
  const tables = openTables(dir)
  const room = roomIn(dir)
  const blobs = openBlobs(join(dir, 'blobs'), tables, (step) => {
    if (step === 'write') room.require()
    disk?.(step)
  })
  await blobs.keepOnly(referencedBlobs(tables))
  const fetches = openFetches(tables)
  return {
    blobs,
    uploads: openUploads(tables, blobs),
    channels: openChannels(tables),
    fetches,
    ...bucketStore(tables),
    ...objectStore(tables, blobs),
    async close() {
      await fetches.close()
      await blobs.settled()
      await tables.close()
    },
  }
}

function referencedBlobs(tables: Tables): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { value } of tables.objects.getRange({})) for (const blob of value.blobs) names.add(blob.name)
  for (const { value } of tables.versions.getRange({})) {
    if (value.type !== 'DeleteMarker') for (const blob of value.blobs) names.add(blob.name)
  }
  for (const { value } of tables.parts.getRange({})) for (const blob of value.blobs) names.add(blob.name)
  return names
}

function bucketStore(tables: Tables) {
  const isEmpty = (bucket: string) => {
    const range = { ...bucketRange(bucket, '', Buffer.alloc(0)), limit: 1 }
    return [tables.objects, tables.versions, tables.uploads, tables.channels].every(
      (table) => table.getKeysCount(range) === 0,
    )
  }
  return {
    bucket: (name: string) => existingBucket(tables, name),
    findBucket: (name: string) => tables.buckets.get(bucketKey(name)),
    buckets: () => [...tables.buckets.getRange({})].map(({ key, value }) => ({ name: key.toString(), record: value })),
    createBucket: (name: string, record: BucketRecord) =>
      tables.transaction(() => {
        if (tables.buckets.get(bucketKey(name)) === undefined) void tables.buckets.put(bucketKey(name), record)
      }),
    changeBucket: (name: string, change: Partial<BucketRecord> | ((old: BucketRecord) => Partial<BucketRecord>)) =>
      tables.transaction(() => {
        const old = existingBucket(tables, name)
        void tables.buckets.put(bucketKey(name), { ...old, ...(typeof change === 'function' ? change(old) : change) })
      }),
    removeBucket: (name: string) =>
      tables.transaction(() => {
        existingBucket(tables, name)
        if (!isEmpty(name)) throw new OssError('BucketNotEmpty', { BucketName: name })
        forgetFetches(tables, name)
        void tables.buckets.remove(bucketKey(name))
      }),
  }
}

function objectStore(tables: Tables, blobs: Blobs) {
  const findObject = (name: ObjectName) => tables.objects.get(objectKey(name))

  /** Blobs that a change displaced go after it. */
  async function change<Result>(added: readonly Blob[], action: () => Placed<Result>): Promise<Result> {
    const { result, dropped } = await blobs.commit(added, action)
    blobs.drop(dropped)
    return result
  }

  return {
    findObject,
    findVersion: (name: ObjectName, versionId?: string) => lookUp(tables, name, versionId),
    putObject: (name: ObjectName, record: ObjectRecord, overwrite: Overwrite) =>
      change(record.blobs, () => {
        refuseOverwrite(tables, name, overwrite)
        return place(tables, name, record)
      }),
    appendObject: (name: ObjectName, added: readonly Blob[], build: (old?: ObjectRecord) => ObjectRecord) =>
      change(added, () => {
        const old = findObject(name)
        const record = build(old)
        if (old === undefined) return place(tables, name, record)
        replace(tables, name, record)
        return { result: record, dropped: [] }
      }),
    changeObject: (
      name: ObjectName,
      versionId: string | undefined,
      build: (old: ObjectRecord) => Partial<ObjectRecord>,
    ) =>
      tables.transaction(() => {
        const old = lookUp(tables, name, versionId)
        if (old === undefined || old.type === 'DeleteMarker') throw new OssError('NoSuchKey', { Key: name.key })
        const record = { ...old, ...build(old) }
        replace(tables, name, record)
        return record
      }),
    removeObject: (name: ObjectName, versionId: string | undefined, at: number) =>
      change([], () => (versionId === undefined ? bury(tables, name, at) : erase(tables, name, versionId, at))),
    versions: (bucket: string, prefix: string, from: Buffer) => listVersions(tables, bucket, prefix, from),
    *objects(bucket: string, prefix: string, from: Buffer): Iterable<ListedObject> {
      const nameBytes = Buffer.byteLength(bucket) + 1
      for (const { key, value } of tables.objects.getRange(bucketRange(bucket, prefix, from))) {
        yield { key: key.subarray(nameBytes).toString(), record: value }
      }
    },
  }
}
