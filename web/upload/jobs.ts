/** What tells two files apart without reading them. */
export interface Fingerprint {
  readonly name: string
  readonly size: number
  readonly lastModified: number
}

/** A begun upload, with all that is needed to go on after the page was closed. */
export interface Job extends Fingerprint {
  readonly uploadId: string
  /** Opens this upload only, and nothing else of its owner. */
  readonly uploadToken: string
  readonly videoId: string
  readonly playbackId: string
  readonly partSizeBytes: number
  /** The name that OSS gave to the multipart upload, as soon as there is one. */
  readonly multipartId?: string
  /** How much OSS had acknowledged when it was last heard of; only for display, OSS is asked again. */
  readonly storedBytes: number
  readonly expiresAt: number
}

/** The part of `Storage` that is used. */
export interface KeyValue {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** Begun uploads of one user in this browser. */
export interface Jobs {
  all(now: number): Job[]
  find(file: Fingerprint, now: number): Job | undefined
  save(job: Job): void
  remove(uploadId: string): void
}

/** Keeps begun uploads in the browser's storage; what cannot be read or has expired is forgotten. */
export function jobsOf(owner: string, storage: KeyValue): Jobs {
  const key = `yunbo.uploads.${owner}`
  const read = () => jobsIn(storage.getItem(key))
  function write(jobs: readonly Job[]): void {
    try {
      if (jobs.length === 0) storage.removeItem(key)
      else storage.setItem(key, JSON.stringify(jobs))
    } catch {
      // Full or forbidden: the upload itself goes on, it only cannot be resumed after a reload.
    }
  }
  const all: Jobs['all'] = (now) => read().filter(({ expiresAt }) => expiresAt > now)
  return {
    all,
    find: (file, now) => all(now).find((job) => isSame(job, file)),
    save: (job) => write([...read().filter(({ uploadId }) => uploadId !== job.uploadId), job]),
    remove: (gone) => write(read().filter(({ uploadId }) => uploadId !== gone)),
  }
}

/** Whether two files are one, as far as can be told without reading them. */
export function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified
}

function jobsIn(text: string | null): Job[] {
  try {
    const value: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(value) ? value.filter(isJob) : []
  } catch {
    return []
  }
}

const TEXTS = ['name', 'uploadId', 'uploadToken', 'videoId', 'playbackId']
const NUMBERS = ['size', 'lastModified', 'partSizeBytes', 'storedBytes', 'expiresAt']

function isJob(value: unknown): value is Job {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<string, unknown>
  return (
    TEXTS.every((name) => typeof fields[name] === 'string') && NUMBERS.every((name) => typeof fields[name] === 'number')
  )
}
