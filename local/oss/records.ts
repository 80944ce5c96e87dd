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

/** Whether overwritten and deleted objects are kept; absent where that was never asked for. */
export type Versioning = 'Enabled' | 'Suspended'

/** A retention that was begun, and has become final where it is locked. */
export interface WormRecord {
  readonly id: string
  readonly state: 'InProgress' | 'Locked'
  readonly days: number
  readonly createdAt: number
}

export interface BucketRecord {
  readonly createdAt: number
  readonly acl: BucketAcl
  readonly cors: readonly CorsRule[]
  readonly corsVary?: boolean
  /** Standard when absent. */
  readonly storageClass?: StorageClass
  /** LRS when absent. */
  readonly redundancy?: Redundancy
  readonly versioning?: Versioning
  readonly worm?: WormRecord | undefined
  /** Documents that are kept as they were checked, by the parameter that names them; some have an id behind a slash. */
  readonly settings?: Readonly<Record<string, string>>
}

/** How many zones hold the bytes. */
export type Redundancy = 'LRS' | 'ZRS'

/** Names in lower case and values as the bytes on the wire (latin1), so that they come back exactly as they were sent. */
export type StoredHeaders = readonly (readonly [name: string, value: string])[]

/** What is set when an upload starts and belongs to the object later. */
export interface ObjectSettings {
  /** `content-type` and its kin, and `x-oss-meta-*`. */
  readonly headers: StoredHeaders
  readonly acl: ObjectAcl
  readonly storageClass: StorageClass
  readonly tags?: Tags
  readonly encryption?: Encryption
}

export type StorageClass = 'Standard' | 'IA' | 'Archive' | 'ColdArchive' | 'DeepColdArchive'

/** Tags of a bucket or an object, in the order in which they were given. */
export type Tags = readonly (readonly [key: string, value: string])[]

/** What is answered about encryption at rest; the bytes themselves are stored as they came. */
export interface Encryption {
  readonly algorithm: string
  readonly keyId?: string
  readonly dataAlgorithm?: string
}

/** Makes an archived object readable from one moment to another. */
export interface Restoration {
  readonly readyAt: number
  readonly expiresAt: number
}

/** Which version of its key this is; absent on what was written while the bucket kept no versions. */
export interface VersionName {
  readonly versionId?: string
  /** Grows with each version of a key. */
  readonly sequence?: number
}

/** A version that says that there is no object. */
export interface DeleteMarker extends VersionName {
  readonly type: 'DeleteMarker'
  readonly lastModifiedAt: number
}

export interface ObjectRecord extends ObjectSettings, VersionName {
  readonly type: 'Normal' | 'Multipart' | 'Symlink' | 'Appendable'
  readonly restoration?: Restoration
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

/** A live channel: what is to become of a stream that nobody sends yet. */
export interface ChannelRecord {
  readonly description: string
  readonly status: 'enabled' | 'disabled'
  readonly fragDuration: number
  readonly fragCount: number
  readonly playlistName: string
  readonly snapshot?: ChannelSnapshot
  readonly lastModifiedAt: number
}

/** Where pictures of a live channel are to go. */
export interface ChannelSnapshot {
  readonly roleName: string
  readonly destBucket: string
  readonly notifyTopic: string
  readonly interval: number
}

/** An object that is, was or could not be brought from a URL. */
export interface FetchRecord {
  readonly url: string
  readonly object: string
  readonly host?: string
  readonly contentMd5?: string
  /** As it was sent, in base64. */
  readonly callback?: string
  readonly storageClass?: string
  /** An object that is there already is left as it is. */
  readonly ignoreSameKey: boolean
  readonly state: 'Running' | 'Success' | 'Failed' | 'FetchSuccessCallbackFailed'
  readonly error: string
}
