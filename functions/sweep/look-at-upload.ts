import { type AcceptDeps, accept } from '../../shared/accept.ts'
import { AppError } from '../../shared/errors.ts'
import { log } from '../../shared/log.ts'
import { isOpen, type Upload, type UploadsTable } from '../../shared/tables/uploads.ts'
import { type EmptyingDeps, emptyUpload } from './empty.ts'

export interface UploadDeps extends Omit<AcceptDeps, 'objects'>, EmptyingDeps {
  readonly uploads: UploadsTable
  readonly objects: AcceptDeps['objects'] & EmptyingDeps['objects']
  readonly purgeAfterMs: number
  readonly purgeWaitMs: number
}

const SOON_MS = 1_000
/** How long an upload is left alone before one looks whether its bytes are there without anybody having said so. */
const UNHURRIED_MS = 600_000

/**
 * Whatever an upload is waiting for: its bytes, a `complete` that died half-way, or to be cleared away. Answers when to look
 * again; `undefined` when there is nothing more to wait for.
 */
export async function lookAtUpload(uploadId: string, deps: UploadDeps): Promise<number | undefined> {
  const upload = await deps.uploads.find(uploadId)
  // Bytes of an upload that nobody knows were written after its row was removed: rights outlive it by an hour.
  if (!upload) return (await emptyUpload(uploadId, deps)) ? undefined : deps.now() + SOON_MS
  return isOpen(upload) ? lookAtOpen(upload, deps) : lookAtClosed(upload, deps)
}

/** Bytes that are there become a video, however late; an upload whose time is over without them has expired. */
async function lookAtOpen(upload: Upload, deps: UploadDeps): Promise<number | undefined> {
  const { uploadId, key, createdAt, expiresAt } = upload
  const now = deps.now()
  const expired = now >= expiresAt
  // First the parts, so that nothing can be made of them after the look at what is there.
  if (expired) await deps.objects.abortUploads(key)
  await tryToAccept(upload, deps)
  if (expired) for (const from of ['waiting', 'uploading'] as const) await deps.uploads.move(uploadId, from, 'expired')
  const current = (await deps.uploads.find(uploadId)) ?? upload
  if (isOpen(current)) return Math.min(expiresAt, now + Math.max(UNHURRIED_MS, now - createdAt))
  return lookAtClosed(current, deps)
}

/** Also one that was completed a moment ago. */
async function lookAtClosed(upload: Upload, deps: UploadDeps): Promise<number | undefined> {
  if (upload.state === 'verifying') await tryToAccept(upload, deps)
  const { state } = (await deps.uploads.find(upload.uploadId)) ?? upload
  return state === 'done' || state === 'verifying' ? undefined : clearAway(upload, deps)
}

/** What the uploader would be told (nothing is there, or nothing that can be used) is no failure here. */
async function tryToAccept(upload: Upload, deps: UploadDeps): Promise<void> {
  try {
    await accept(upload, deps)
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error
    if (error.code === 'upload_incomplete') return
    log('info', 'object not accepted', { uploadId: upload.uploadId, code: error.code, reason: error.message })
  }
}

/**
 * An upload that came to nothing: its bytes go once it is over, and again when no rights to write can be left; its row
 * stays a while longer, to tell the uploader.
 */
async function clearAway(upload: Upload, deps: UploadDeps): Promise<number | undefined> {
  const now = deps.now()
  const { uploadId, expiresAt } = upload
  if (now < expiresAt) return expiresAt
  if (!(await emptyUpload(uploadId, deps))) return now + SOON_MS
  const rightsEndAt = expiresAt + deps.purgeWaitMs
  if (now < rightsEndAt) return rightsEndAt
  const forgetAt = Math.max(rightsEndAt, expiresAt + deps.purgeAfterMs)
  if (now < forgetAt) return forgetAt
  await deps.uploads.remove(uploadId)
  return undefined
}
