import type { Blob } from './blobs.ts'

/** What a browser may do with a bucket from other origins. */
export interface CorsRule {
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders?: readonly string[]
  readonly exposeHeaders?: readonly string[]
  readonly maxAgeSeconds?: number
}

/** Who may use a bucket without being its owner. */
export type BucketAcl = 'private' | 'public-read' | 'public-read-write'

/** The same for one object; `default` means what the bucket says. */
export type ObjectAcl = BucketAcl | 'default'

export interface BucketRecord {
  readonly createdAt: number
  readonly acl: BucketAcl
  readonly cors: readonly CorsRule[]
}

/** Names in lower case and values as the bytes on the wire (latin1), so that they come back exactly as they were sent. */
export type StoredHeaders = readonly (readonly [name: string, value: string])[]

/** What is set when an upload starts and belongs to the object later. */
export interface ObjectSettings {
  /** `content-type` and its kin, and `x-oss-meta-*`. */
  readonly headers: StoredHeaders
  readonly acl: ObjectAcl
  readonly storageClass: StorageClass
}

export type StorageClass = 'Standard' | 'IA'

export interface ObjectRecord extends ObjectSettings {
  readonly type: 'Normal' | 'Multipart' | 'Symlink'
  readonly size: number
  /** Upper-case hexadecimal, without quotes. */
  readonly eTag: string
  /** Decimal. */
  readonly crc64: string
  readonly blobs: readonly Blob[]
  readonly lastModifiedAt: number
  /** Key that a symbolic link leads to. */
  readonly target?: string
}

export interface UploadRecord extends ObjectSettings {
  readonly initiatedAt: number
}

export interface PartRecord {
  readonly size: number
  readonly eTag: string
  readonly crc64: string
  readonly blobs: readonly Blob[]
  readonly lastModifiedAt: number
}
