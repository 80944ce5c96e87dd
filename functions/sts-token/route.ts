import type { UploadCreated, UploadTarget } from '../../shared/api.ts'
import { authorizationOf } from '../../shared/authorization.ts'
import { AppError } from '../../shared/errors.ts'
import { jsonBody, ok } from '../../shared/http.ts'
import { firstWith, idempotencyKeyOf } from '../../shared/idempotency.ts'
import { routes } from '../../shared/routes.ts'
import type { DueTable } from '../../shared/tables/due.ts'
import type { IdempotencyTable } from '../../shared/tables/idempotency.ts'
import { isOpen, type Upload, type UploadsTable } from '../../shared/tables/uploads.ts'
import { titleOf, type UploadWish, uploadWish } from './request.ts'

export interface Deps {
  readonly uploads: UploadsTable
  readonly idempotency: IdempotencyTable
  readonly due: DueTable
  /** Whose session this is; throws `AppError`. */
  verifySession(token: string): Promise<{ readonly accountId: string }>
  /** A token that opens `/v1/uploads/{id}/…` of one upload until the given moment. */
  uploadToken(uploadId: string, expiresAt: number): string
  /** Fresh rights to write one key, and where to. */
  grant(key: string): Promise<UploadTarget>
  newId(): string
  now(): number
  readonly maxSourceBytes: number
  readonly uploadExpiresMs: number
}

/** When one looks first whether the bytes are there though nobody has said so. */
const FIRST_LOOK_MS = 600_000

/** `POST /v1/uploads`: who may upload what, and with which rights. */
export const onRequest = routes<Deps>((app) => {
  app.get('/healthz/sts-token', () => ok({ status: 'ok' }))
  app.post('/v1/uploads', async (c) => ok(await begin(c.req.raw, c.env), { status: 201 }))
})

async function begin(request: Request, deps: Deps): Promise<UploadCreated> {
  const { accountId } = await deps.verifySession(authorizationOf(request, ['Bearer']).value)
  const key = idempotencyKeyOf(request)
  const body = await request.clone().text()
  const wish = uploadWish(await jsonBody(request), deps.maxSourceBytes)
  const repeatable = { key: `${accountId}#uploads#${key}`, body, resourceId: deps.newId() }
  const uploadId = key === undefined ? repeatable.resourceId : await firstWith(repeatable, deps.idempotency, deps.now())
  const upload = await uploadFor(newUpload(uploadId, accountId, wish, deps), deps)
  return answer(upload, deps)
}

/** The key holds nothing but a fresh random id, so that the rights for it reach nothing else. */
function newUpload(uploadId: string, ownerId: string, wish: UploadWish, deps: Deps): Upload {
  return {
    uploadId,
    ownerId,
    videoId: deps.newId(),
    mediaId: deps.newId(),
    playbackId: deps.newId(),
    key: `uploads/${uploadId}/source`,
    fileName: wish.fileName,
    title: titleOf(wish),
    sizeBytes: wish.sizeBytes,
    contentType: wish.contentType,
    sourceContext: wish.sourceContext ?? '',
    classId: wish.classId ?? '',
    state: 'waiting',
    error: '',
    createdAt: deps.now(),
    expiresAt: deps.now() + deps.uploadExpiresMs,
  }
}

/** Makes the upload, or finds the one that an earlier request with the same idempotency key has made. */
async function uploadFor(wanted: Upload, deps: Deps): Promise<Upload> {
  await deps.due.put(`upload#${wanted.uploadId}`, Math.min(wanted.expiresAt, wanted.createdAt + FIRST_LOOK_MS))
  if (await deps.uploads.create(wanted)) return wanted
  const earlier = await deps.uploads.find(wanted.uploadId)
  if (earlier && isOpen(earlier) && earlier.expiresAt > deps.now()) return earlier
  throw new AppError('upload_closed', `The upload of this Idempotency-Key is over (${earlier?.state ?? 'gone'})`)
}

async function answer(upload: Upload, deps: Deps): Promise<UploadCreated> {
  const { uploadId, videoId, playbackId, state, expiresAt } = upload
  const uploadToken = deps.uploadToken(uploadId, expiresAt)
  const target = await deps.grant(upload.key)
  return { uploadId, videoId, playbackId, uploadToken, state, expiresAt: new Date(expiresAt).toISOString(), ...target }
}
