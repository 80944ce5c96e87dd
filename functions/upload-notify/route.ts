import { accept } from '../../shared/accept.ts'
import type { UploadCredentials, UploadStatus, UploadTarget } from '../../shared/api.ts'
import { authorizationOf } from '../../shared/authorization.ts'
import { AppError } from '../../shared/errors.ts'
import { ok } from '../../shared/http.ts'
import { refuseOtherBody } from '../../shared/idempotency.ts'
import { routes } from '../../shared/routes.ts'
import { discard } from '../../shared/source.ts'
import type { IdempotencyTable } from '../../shared/tables/idempotency.ts'
import { isOpen, type Upload } from '../../shared/tables/uploads.ts'
import type { ObjectDeps } from './on-object.ts'

export interface Deps extends ObjectDeps {
  readonly idempotency: IdempotencyTable
  /** Whose session this is; throws `AppError`. */
  verifySession(token: string): Promise<{ readonly accountId: string }>
  /** Throws `AppError` unless this is a token of that upload. */
  verifyUploadToken(token: string, uploadId: string): void
  /** Fresh rights to write one key, and where to. */
  grant(key: string): Promise<UploadTarget>
}

/** `/v1/uploads/{id}` and below: a running upload, for its owner or whoever holds its token. */
export const onRequest = routes<Deps>((app) => {
  app.get('/healthz/upload-notify', () => ok({ status: 'ok' }))
  app.get('/v1/uploads/:id', async (c) => ok(statusOf(await uploadOf(c.req.raw, c.req.param('id'), c.env))))
  app.delete('/v1/uploads/:id', async (c) => cancel(await uploadOf(c.req.raw, c.req.param('id'), c.env), c.env))
  app.post('/v1/uploads/:id/credentials', async (c) =>
    ok(await renew(await uploadToChange('credentials', c.req.raw, c.req.param('id'), c.env), c.env)),
  )
  app.post('/v1/uploads/:id/complete', async (c) =>
    ok(await accept(await uploadToChange('complete', c.req.raw, c.req.param('id'), c.env), c.env)),
  )
})

/** Somebody else's upload is answered as if it did not exist. */
async function uploadOf(request: Request, uploadId: string, deps: Deps): Promise<Upload> {
  const { scheme, value } = authorizationOf(request, ['Bearer', 'Upload'])
  if (scheme === 'upload') deps.verifyUploadToken(value, uploadId)
  const accountId = scheme === 'bearer' ? (await deps.verifySession(value)).accountId : undefined
  const upload = await deps.uploads.find(uploadId)
  if (upload && (accountId === undefined || accountId === upload.ownerId)) return upload
  throw new AppError('upload_not_found', 'There is no such upload, or it belongs to somebody else')
}

/** For requests that may be repeated with an `Idempotency-Key` and without. */
async function uploadToChange(route: string, request: Request, uploadId: string, deps: Deps): Promise<Upload> {
  const upload = await uploadOf(request, uploadId, deps)
  await refuseOtherBody(request, `${uploadId}#${route}`, deps)
  return upload
}

/** Fresh rights for the same key, so that an upload can go on after its credentials have expired. */
async function renew(upload: Upload, deps: Deps): Promise<UploadCredentials> {
  if (!isOpen(upload)) throw closed(upload)
  if (upload.expiresAt <= deps.now()) throw new AppError('upload_closed', 'The upload has expired; begin a new one')
  await deps.uploads.move(upload.uploadId, 'waiting', 'uploading')
  const current = (await deps.uploads.find(upload.uploadId)) ?? upload
  if (!isOpen(current)) throw closed(current)
  const { uploadId, videoId, playbackId, state } = current
  const expiresAt = new Date(current.expiresAt).toISOString()
  return { uploadId, videoId, playbackId, state, expiresAt, ...(await deps.grant(current.key)) }
}

/**
 * Gives an upload up: first the state, so that nobody gets fresh credentials, then the bytes. May be repeated; an object
 * that still arrives later is removed when its event comes.
 */
async function cancel(upload: Upload, deps: Deps): Promise<Response> {
  for (const from of ['waiting', 'uploading'] as const) await deps.uploads.move(upload.uploadId, from, 'cancelled')
  const current = (await deps.uploads.find(upload.uploadId)) ?? upload
  if (current.state === 'verifying' || current.state === 'done') throw closed(current)
  await discard(current.key, deps.objects)
  return new Response(null, { status: 204 })
}

function closed(upload: Upload): AppError {
  const hint = upload.state === 'done' ? '; delete the video to undo it' : ''
  return new AppError(
    'upload_closed',
    `The upload is ${upload.state}, it was expected to be waiting or uploading${hint}`,
  )
}

function statusOf(upload: Upload): UploadStatus {
  const { uploadId, videoId, playbackId, state, fileName, title, sizeBytes, contentType, key } = upload
  return {
    ...{ uploadId, videoId, playbackId, state, fileName, title, sizeBytes, contentType, key },
    error: state === 'errored' ? { code: 'source_not_accepted', message: upload.error } : null,
    createdAt: new Date(upload.createdAt).toISOString(),
    expiresAt: new Date(upload.expiresAt).toISOString(),
  }
}
