/** An uploaded object as it is stored. */
export interface StoredObject {
  readonly etag: string
  readonly size: number
  readonly crc64: string
  readonly type: 'Normal' | 'Multipart' | 'Appendable' | 'Symlink'
  readonly storageClass: string
}

/** The operations on the source bucket that tell what an object is. */
export interface SourceObjects {
  /** `undefined` when there is none. */
  head(key: string): Promise<StoredObject | undefined>
  isSymlink(key: string): Promise<boolean>
}

const SYMLINK: StoredObject = { etag: '', size: 0, crc64: '', type: 'Symlink', storageClass: '' }

/**
 * What is stored under a key; `undefined` when nothing is. HEAD follows a symbolic link and shows its target, so whether
 * it is one is asked apart, and afterwards: then the ETag is never that of a link that was put there in between.
 */
export async function inspect(key: string, objects: SourceObjects): Promise<StoredObject | undefined> {
  const [head] = await Promise.allSettled([objects.head(key)])
  if (await objects.isSymlink(key)) return SYMLINK
  if (head.status === 'rejected') throw head.reason
  return head.value
}

/**
 * Why an object cannot be a source; `undefined` when it can. A symbolic link needs only oss:PutObject and its target is not
 * checked by OSS, so it could show an object that the uploader may not read.
 */
export function refusalOf(object: StoredObject, maxSourceBytes: number): string | undefined {
  const { type, storageClass, size } = object
  if (type === 'Symlink') return 'The object is a symbolic link; upload the file itself'
  if (type === 'Appendable') return 'The object was written by appending; upload it whole or in parts'
  if (storageClass !== 'Standard') return `The object has storage class ${storageClass}; upload it as Standard`
  if (size < 1) return 'The object is empty'
  if (size > maxSourceBytes) return `The object has ${size} bytes; at most ${maxSourceBytes} are accepted`
  return undefined
}

/** The operations that remove an upload's bytes. */
export interface RemovableObjects {
  /** Ends every multipart upload under a prefix. */
  abortUploads(prefix: string): Promise<void>
  /** To remove what is not there is a success. */
  remove(key: string): Promise<void>
}

/** Removes whatever was written under a key: unfinished parts first, since finishing them would make the object. */
export async function discard(key: string, objects: RemovableObjects): Promise<void> {
  await objects.abortUploads(key)
  await objects.remove(key)
}
