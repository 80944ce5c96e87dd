import type { UploadCompleted, UploadTarget } from '../../shared/api.ts'
import type { Job } from './jobs.ts'
import { missingParts, type Part, partsOf, type StoredPart, usableParts } from './parts.ts'
import { persistently, type RetryDeps } from './retry.ts'
import type { Rights } from './rights.ts'
import { isGone, type Store, StoreError } from './store.ts'

/** Pieces of one file that are under way at a time. */
const LANES = 3
/** A multipart upload that vanished is begun again so often. */
const MOST_ROUNDS = 3

/** The part of `Blob` that is used. */
export interface Source {
  readonly type: string
  slice(start: number, end: number): Blob
}

export interface TransferDeps {
  readonly rights: Rights
  readonly retry: Omit<RetryDeps, 'onRefused'>
  storeOf(target: UploadTarget): Store
  /** `POST /v1/uploads/{id}/complete`. */
  complete(): Promise<UploadCompleted>
  /** Keeps what must survive a reload. */
  save(job: Job): void
  /** Bytes that have left, acknowledged or not. */
  onSent(bytes: number): void
  /** The last byte is stored. */
  onFinishing(): void
}

/** Sends what OSS does not have yet of a file, joins it, and completes the upload; may be called again after any end. */
export async function transfer(job: Job, source: Source, deps: TransferDeps): Promise<UploadCompleted> {
  try {
    return await sendAndComplete(job, source, deps)
  } catch (error) {
    // No more rights are given once the bytes are complete, which the event of OSS may have told before we could.
    if (codeOf(error) === 'upload_closed') return persistently(deps.complete, withoutRights(deps))
    throw error
  }
}

async function sendAndComplete(job: Job, source: Source, deps: TransferDeps): Promise<UploadCompleted> {
  let current = job
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    const known = await storedOf(current, deps)
    // What is gone may have become the object; if it has not, there is nothing to go on from.
    const completed = known === undefined ? await completedAnyway(current, deps) : undefined
    if (completed) return completed
    if (known === undefined) current = await begun(current, source, deps)
    const sent = await sendMissing(current, known ?? [], source, deps)
    deps.onFinishing()
    if (await joined(current, sent, deps)) return persistently(deps.complete, withoutRights(deps))
  }
  throw new StoreError('NoSuchUpload', 404, 'OSS lost the pieces of this upload.')
}

/** What OSS has acknowledged; `undefined` when there is no multipart upload, or none any more. */
async function storedOf({ multipartId }: Job, deps: TransferDeps): Promise<StoredPart[] | undefined> {
  if (multipartId === undefined) return undefined
  return unlessGone(() => withStore((store) => store.stored(multipartId), deps))
}

async function begun(job: Job, source: Source, deps: TransferDeps): Promise<Job> {
  const contentType = source.type || 'application/octet-stream'
  const multipartId = await withStore((store) => store.begin(contentType), deps)
  const next = { ...job, multipartId, storedBytes: 0 }
  deps.save(next)
  return next
}

/** Answers whether the pieces are an object now; a multipart upload that is gone may have become one before. */
async function joined(job: Job, parts: readonly StoredPart[] | undefined, deps: TransferDeps): Promise<boolean> {
  const { multipartId } = job
  if (parts === undefined || multipartId === undefined) return false
  const done = await unlessGone(() =>
    withStore(async (store) => {
      await store.finish(multipartId, parts)
      return true
    }, deps),
  )
  return done === true
}

/** The answer to an earlier join may have been lost: if the object is there, the upload can be completed. */
async function completedAnyway({ multipartId }: Job, deps: TransferDeps): Promise<UploadCompleted | undefined> {
  if (multipartId === undefined) return undefined
  try {
    return await persistently(deps.complete, withoutRights(deps))
  } catch (error) {
    if (codeOf(error) === 'upload_incomplete') return undefined
    throw error
  }
}

/** Sends the missing pieces, several at a time; `undefined` when the multipart upload vanished meanwhile. */
async function sendMissing(
  job: Job,
  known: readonly StoredPart[],
  source: Source,
  deps: TransferDeps,
): Promise<StoredPart[] | undefined> {
  const plan = partsOf(job.size, job.partSizeBytes)
  const stored = usableParts(plan, known)
  const queue = missingParts(plan, stored)
  const tally = tallyOf(stored, deps.onSent)
  const stop = new AbortController()
  const signal = AbortSignal.any([deps.retry.signal, stop.signal])
  const own: TransferDeps = { ...deps, retry: { ...deps.retry, signal } }
  const lane = async () => {
    for (let part = queue.shift(); part; part = queue.shift()) {
      stored.push(await sendPart(job, part, source, tally, own))
      deps.save({ ...job, storedBytes: stored.reduce((sum, { size }) => sum + size, 0) })
    }
  }
  return unlessGone(async () => {
    try {
      await Promise.all(Array.from({ length: LANES }, lane))
    } catch (error) {
      stop.abort(error)
      throw error
    }
    return stored
  })
}

async function sendPart(job: Job, part: Part, source: Source, tally: Tally, deps: TransferDeps): Promise<StoredPart> {
  const { number, start, end } = part
  const etag = await withStore(async (store) => {
    const bytes = source.slice(start, end)
    await assertReadable(bytes)
    tally.set(number, 0)
    const onSent = (sent: number) => tally.set(number, Math.min(sent, end - start))
    return store.put(job.multipartId ?? '', number, bytes, { signal: deps.retry.signal, onSent })
  }, deps)
  tally.set(number, end - start)
  return { number, etag, size: end - start }
}

/** A file that was changed or taken away cannot be read any more, which would otherwise look like a dead connection. */
async function assertReadable(bytes: Blob): Promise<void> {
  try {
    await bytes.slice(0, 1).arrayBuffer()
  } catch (error) {
    throw new StoreError('file_changed', 409, 'The file on this device was changed or removed.', { cause: error })
  }
}

interface Tally {
  set(number: number, bytes: number): void
}

function tallyOf(stored: readonly StoredPart[], onSent: (bytes: number) => void): Tally {
  const sent = new Map(stored.map(({ number, size }) => [number, size]))
  const tell = () => onSent([...sent.values()].reduce((sum, bytes) => sum + bytes, 0))
  tell()
  return {
    set(number, bytes) {
      sent.set(number, bytes)
      tell()
    },
  }
}

/** One operation of OSS with fresh rights, tried until it works. */
function withStore<Result>(action: (store: Store) => Promise<Result>, deps: TransferDeps): Promise<Result> {
  let used: UploadTarget | undefined
  const onRefused = () => {
    if (used) deps.rights.refuse(used)
  }
  return persistently(
    async () => {
      used = await deps.rights.current()
      return action(deps.storeOf(used))
    },
    { ...deps.retry, onRefused },
  )
}

/** For requests to the API, which have a token of their own. */
function withoutRights({ retry }: TransferDeps): RetryDeps {
  return { ...retry, onRefused: () => {} }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

async function unlessGone<Result>(action: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await action()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
