import { randomBytes } from 'node:crypto'
import type { Blob } from './blobs.ts'
import { OssError } from './errors.ts'
import type { BucketRecord, DeleteMarker, ObjectRecord } from './records.ts'
import {
  bucketRange,
  existingBucket,
  following,
  type ObjectName,
  objectKey,
  type Tables,
  versionKey,
} from './tables.ts'

/*
 * Versions of objects in the index. The functions that change something run inside a transaction and look before they
 * write. https://help.aliyun.com/zh/oss/user-guide/overview-78
 */

/** One version of a key. */
export type Version = ObjectRecord | DeleteMarker

/** What a change displaced, which no one can reach any more. */
export interface Placed<Result> {
  readonly result: Result
  readonly dropped: readonly Blob[]
}

/** What a deletion did. */
export interface Removed {
  /** Absent where the bucket keeps no versions. */
  readonly versionId?: string
  /** A marker was made or removed. */
  readonly marker: boolean
  /** What can be read no more under its key, or not at all. */
  readonly gone: ObjectRecord | undefined
}

/** Whether an existing object may be replaced. */
export type Overwrite = 'allowed' | 'forbidden'

/** A bucket that keeps versions loses nothing by an overwrite, so there the wish is passed over. */
export function refuseOverwrite(tables: Tables, name: ObjectName, overwrite: Overwrite): void {
  const { versioning } = existingBucket(tables, name.bucket)
  if (overwrite === 'allowed' || versioning !== undefined) return
  if (tables.objects.doesExist(objectKey(name))) throw new OssError('FileAlreadyExists')
}

/** Name of a version, `null` for what was written while the bucket kept none. */
export function versionIdOf({ versionId }: Pick<Version, 'versionId'>): string {
  return versionId ?? 'null'
}

/** Makes a record the current version of its key. */
export function place(tables: Tables, name: ObjectName, record: ObjectRecord): Placed<ObjectRecord> {
  const bucket = existingBucket(tables, name.bucket)
  const old = tables.objects.get(objectKey(name))
  if (old) refuseImmutable(bucket, old, record.lastModifiedAt)
  if (bucket.versioning === undefined) {
    void tables.objects.put(objectKey(name), record)
    return { result: record, dropped: old?.blobs ?? [] }
  }
  // What can still grow is never a version of its own.
  const unnamed = bucket.versioning === 'Suspended' || record.type === 'Appendable'
  const { versionId, sequence, nameless } = nextVersion(tables, name, unnamed, record.lastModifiedAt)
  const result = { ...record, versionId, sequence }
  if (nameless) forget(tables, name, nameless)
  if (old && !same(old, nameless)) keep(tables, name, old)
  void tables.objects.put(objectKey(name), result)
  return { result, dropped: nameless ? blobsOf(nameless) : [] }
}

/** Deletes a key: for good where the bucket keeps no versions, else behind a marker. */
export function bury(tables: Tables, name: ObjectName, at: number): Placed<Removed> {
  const bucket = existingBucket(tables, name.bucket)
  const old = tables.objects.get(objectKey(name))
  if (old) refuseImmutable(bucket, old, at)
  if (bucket.versioning === undefined) {
    if (old) void tables.objects.remove(objectKey(name))
    return { result: { marker: false, gone: old }, dropped: old?.blobs ?? [] }
  }
  const { versionId, sequence, nameless } = nextVersion(tables, name, bucket.versioning === 'Suspended', at)
  if (nameless) forget(tables, name, nameless)
  if (old && !same(old, nameless)) keep(tables, name, old)
  if (old) void tables.objects.remove(objectKey(name))
  keep(tables, name, { type: 'DeleteMarker', lastModifiedAt: at, versionId, sequence })
  return { result: { versionId, marker: true, gone: old }, dropped: nameless ? blobsOf(nameless) : [] }
}

/** Deletes one version for good; the latest that is left becomes the current one. */
export function erase(tables: Tables, name: ObjectName, versionId: string, at: number): Placed<Removed> {
  const bucket = existingBucket(tables, name.bucket)
  const found = lookUp(tables, name, versionId)
  if (found === undefined) return { result: { versionId, marker: false, gone: undefined }, dropped: [] }
  refuseImmutable(bucket, found, at)
  const current = tables.objects.get(objectKey(name))
  const left = current && !same(current, found) ? current : latestBut(tables, name, found)
  forget(tables, name, found)
  if (left && left !== current && left.type !== 'DeleteMarker') {
    void tables.versions.remove(versionKey(name, left.sequence ?? 0))
    void tables.objects.put(objectKey(name), left)
  }
  const gone = found.type === 'DeleteMarker' ? undefined : found
  return { result: { versionId, marker: gone === undefined, gone }, dropped: blobsOf(found) }
}

/** A version by its name, or the latest one. */
export function lookUp(tables: Tables, name: ObjectName, versionId?: string): Version | undefined {
  const current = tables.objects.get(objectKey(name))
  if (versionId === undefined) return current ?? latestBut(tables, name, undefined)
  if (current && versionIdOf(current) === versionId) return current
  if (versionId === 'null') return older(tables, name).find((version) => versionIdOf(version) === 'null')
  const sequence = sequenceOf(versionId)
  const found = sequence === undefined ? undefined : tables.versions.get(versionKey(name, sequence))
  return found?.versionId === versionId ? found : undefined
}

/** Stores a changed record of a version under the same name. */
export function replace(tables: Tables, name: ObjectName, record: ObjectRecord): void {
  const current = tables.objects.get(objectKey(name))
  const isCurrent = current !== undefined && versionIdOf(current) === versionIdOf(record)
  if (isCurrent) void tables.objects.put(objectKey(name), record)
  else void tables.versions.put(versionKey(name, record.sequence ?? 0), record)
}

export interface ListedVersion {
  readonly key: string
  readonly version: Version
  readonly latest: boolean
}

/** All versions of a bucket by key, the latest of each first, from a key on (inclusive, in bytes). */
export function* listVersions(tables: Tables, bucket: string, prefix: string, from: Buffer): Iterable<ListedVersion> {
  const range = bucketRange(bucket, prefix, from)
  const objects = tables.objects.getRange(range)[Symbol.iterator]()
  let object = objects.next()
  let last: string | undefined
  for (const { key, value } of tables.versions.getRange(range)) {
    const name = key.subarray(bucket.length + 1, key.length - SEQUENCE_BYTES)
    while (!object.done && Buffer.compare(object.value.key.subarray(bucket.length + 1), name) <= 0) {
      last = object.value.key.subarray(bucket.length + 1).toString()
      yield { key: last, version: object.value.value, latest: true }
      object = objects.next()
    }
    const text = name.toString()
    yield { key: text, version: value, latest: text !== last }
    last = text
  }
  for (; !object.done; object = objects.next()) {
    const { key, value } = object.value
    yield { key: key.subarray(bucket.length + 1).toString(), version: value, latest: true }
  }
}

/** NUL and the digits of the sequence. */
const SEQUENCE_BYTES = 15

/** In a bucket that keeps no more versions, the one without a name gives way. */
function nextVersion(tables: Tables, name: ObjectName, unnamed: boolean, at: number) {
  const latest = lookUp(tables, name)
  // Clocks may stand still or go back; the order of versions must not.
  const sequence = Math.max(Math.floor(at) * 1024, (latest?.sequence ?? 0) + 1)
  const versionId = unnamed ? 'null' : newVersionId(sequence)
  return { versionId, sequence, nameless: unnamed ? lookUp(tables, name, 'null') : undefined }
}

/** Of the versions of one key. */
function same(a: Version, b: Version | undefined): boolean {
  return b !== undefined && a.sequence === b.sequence
}

function older(tables: Tables, name: ObjectName): readonly Version[] {
  return [...tables.versions.getRange(versionRange(name))].map(({ value }) => value)
}

function latestBut(tables: Tables, name: ObjectName, but: Version | undefined): Version | undefined {
  for (const { value } of tables.versions.getRange({ ...versionRange(name), limit: 2 })) {
    if (!same(value, but)) return value
  }
  return undefined
}

function versionRange({ bucket, key }: ObjectName): { start: Buffer; end: Buffer } {
  const start = Buffer.from(`${bucket}\0${key}\0`)
  return { start, end: following(start) }
}

function keep(tables: Tables, name: ObjectName, version: Version): void {
  void tables.versions.put(versionKey(name, version.sequence ?? 0), version)
}

function forget(tables: Tables, name: ObjectName, version: Version): void {
  const current = tables.objects.get(objectKey(name))
  if (current && same(current, version)) void tables.objects.remove(objectKey(name))
  else void tables.versions.remove(versionKey(name, version.sequence ?? 0))
}

function blobsOf(version: Version): readonly Blob[] {
  return version.type === 'DeleteMarker' ? [] : version.blobs
}

const DAY_MS = 86_400_000

/** What a locked retention protects is neither overwritten nor deleted before its time. */
function refuseImmutable({ worm }: BucketRecord, version: Version, at: number): void {
  if (worm?.state !== 'Locked' || version.type === 'DeleteMarker') return
  if (at < version.lastModifiedAt + worm.days * DAY_MS) throw new OssError('FileImmutable')
}

/** Shaped like the service's: a small protobuf message with the sequence and random digits, in base64. */
function newVersionId(sequence: number): string {
  const head = Buffer.from([0x08, 0x01, 0x10, 0x26, 0x18])
  const tail = Buffer.from(randomBytes(16).toString('hex'))
  return Buffer.concat([head, varint(BigInt(sequence) << 10n), Buffer.from([0x22, tail.length]), tail]).toString(
    'base64',
  )
}

/** The sequence in such a name; undefined for a name that is none of ours. */
export function sequenceOf(versionId: string): number | undefined {
  const bytes = Buffer.from(versionId, 'base64')
  if (bytes.length < 16 || bytes.toString('base64') !== versionId || !versionId.startsWith('CAEQ')) return undefined
  let value = 0n
  for (let at = 5, shift = 0n; at < bytes.length; at++, shift += 7n) {
    const byte = bytes[at] ?? 0
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  const sequence = value >> 10n
  return sequence <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(sequence) : undefined
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}
