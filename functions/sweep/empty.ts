export interface EmptyingDeps {
  readonly objects: {
    list(prefix: string): AsyncIterable<{ readonly key: string }>
    removeAll(keys: readonly string[]): Promise<void>
    /** Ends every multipart upload under a prefix. */
    abortUploads(prefix: string): Promise<void>
  }
  /** Whether this run has used up its time. */
  isLate(): boolean
}

const AT_ONCE = 1000

/** Removes whatever an uploader has stored; false when it took too long and has to go on later. */
export function emptyUpload(uploadId: string, deps: EmptyingDeps): Promise<boolean> {
  return empty(`uploads/${uploadId}/`, deps)
}

/** Removes whatever was made of a media; false when it took too long and has to go on later. */
export function emptyMedia(mediaId: string, deps: EmptyingDeps): Promise<boolean> {
  return empty(`m/${mediaId}/`, deps)
}

/** Unfinished parts first, since finishing them would make an object. */
async function empty(prefix: string, deps: EmptyingDeps): Promise<boolean> {
  await deps.objects.abortUploads(prefix)
  let keys: string[] = []
  for await (const { key } of deps.objects.list(prefix)) {
    keys.push(key)
    if (keys.length < AT_ONCE) continue
    await deps.objects.removeAll(keys)
    keys = []
    if (deps.isLate()) return false
  }
  if (keys.length > 0) await deps.objects.removeAll(keys)
  return true
}
