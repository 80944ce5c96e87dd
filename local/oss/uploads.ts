import type { Blobs } from './blobs.ts'
import { OssError } from './errors.ts'
import type { ObjectRecord, PartRecord, UploadRecord } from './records.ts'
import { bucketRange, existingBucket, partKey, type Tables, type UploadName, uploadKey } from './tables.ts'
import { type Overwrite, place, refuseOverwrite } from './versions.ts'

export interface ListedUpload extends UploadName {
  readonly record: UploadRecord
}

export interface NumberedPart {
  readonly number: number
  readonly part: PartRecord
}

/** Multipart uploads that are neither completed nor aborted, and their parts. */
export interface Uploads {
  /** The upload, or NoSuchUpload. */
  get(name: UploadName): UploadRecord
  start(name: UploadName, record: UploadRecord): Promise<void>
  /** Uploads of a bucket by key, then by id. */
  list(bucket: string, prefix: string, from: Buffer): Iterable<ListedUpload>
  /** Stores a part or replaces it; the blobs go if the upload is over meanwhile. */
  putPart(name: UploadName, number: number, part: PartRecord): Promise<void>
  parts(name: UploadName): readonly NumberedPart[]
  /** Turns an upload into the object that `build` makes of it; parts that are not in it go. */
  complete(
    name: UploadName,
    overwrite: Overwrite,
    build: (parts: readonly NumberedPart[], upload: UploadRecord) => ObjectRecord,
  ): Promise<ObjectRecord>
  abort(name: UploadName): Promise<void>
}

/** The uploads of a store. */
export function openUploads(tables: Tables, blobs: Blobs): Uploads {
  function get(name: UploadName): UploadRecord {
    existingBucket(tables, name.bucket)
    const record = tables.uploads.get(uploadKey(name))
    if (record === undefined) throw new OssError('NoSuchUpload', { UploadId: name.uploadId })
    return record
  }

  function parts({ uploadId }: UploadName): readonly NumberedPart[] {
    const range = { start: partKey(uploadId, 0), end: partKey(uploadId, 99_999) }
    return [...tables.parts.getRange(range)].map(({ key, value }) => ({
      number: Number(key.toString().slice(-5)),
      part: value,
    }))
  }

  function forget(name: UploadName, stored: readonly NumberedPart[]): void {
    for (const { number } of stored) void tables.parts.remove(partKey(name.uploadId, number))
    void tables.uploads.remove(uploadKey(name))
  }

  return {
    get,
    parts,
    start: (name, record) =>
      tables.transaction(() => {
        existingBucket(tables, name.bucket)
        void tables.uploads.put(uploadKey(name), record)
      }),
    *list(bucket, prefix, from) {
      for (const { key, value } of tables.uploads.getRange(bucketRange(bucket, prefix, from))) {
        const [, objectName = '', uploadId = ''] = key.toString().split('\0')
        yield { bucket, key: objectName, uploadId, record: value }
      }
    },
    async putPart(name, number, part) {
      const replaced = await blobs.commit(part.blobs, () => {
        get(name)
        const old = tables.parts.get(partKey(name.uploadId, number))
        void tables.parts.put(partKey(name.uploadId, number), part)
        return old
      })
      if (replaced) blobs.drop(replaced.blobs)
    },
    async complete(name, overwrite, build) {
      const { record, superfluous } = await tables.transaction(() => {
        const stored = parts(name)
        refuseOverwrite(tables, name, overwrite)
        const { result: record, dropped } = place(tables, name, build(stored, get(name)))
        forget(name, stored)
        const used = new Set(record.blobs.map((blob) => blob.name))
        const unused = stored.flatMap(({ part }) => part.blobs).filter((blob) => !used.has(blob.name))
        return { record, superfluous: [...unused, ...dropped] }
      })
      blobs.drop(superfluous)
      return record
    },
    async abort(name) {
      const stored = await tables.transaction(() => {
        get(name)
        const found = parts(name)
        forget(name, found)
        return found
      })
      blobs.drop(stored.flatMap(({ part }) => part.blobs))
    },
  }
}
