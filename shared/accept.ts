import type { UploadCompleted } from './api.ts'
import { AppError } from './errors.ts'
import { inspect, refusalOf, type SourceObjects, type StoredObject } from './source.ts'
import { AFTER_THE_FACT_MS, type DueTable } from './tables/due.ts'
import type { Media, MediaTable } from './tables/media.ts'
import type { PlaybacksTable } from './tables/playbacks.ts'
import type { Upload, UploadState, UploadsTable } from './tables/uploads.ts'
import type { VideosTable } from './tables/videos.ts'

export interface AcceptDeps {
  readonly uploads: UploadsTable
  readonly media: MediaTable
  readonly playbacks: PlaybacksTable
  readonly videos: VideosTable
  readonly due: DueTable
  readonly objects: SourceObjects & {
    /** Gives an object the bucket's own access rules, whatever its uploader had set. */
    resetAcl(key: string): Promise<void>
  }
  /** Looks at a media again and does what comes next. */
  drive(mediaId: string): Promise<void>
  now(): number
  readonly maxSourceBytes: number
  /** Origin of the pages, without a slash at the end. */
  readonly publicUrl: string
}

/**
 * "The bytes are there", said by the uploader, by an OSS event, by the timer that looks for them, or by all several times.
 * Every caller ends here and gets the same answer. Each write is conditional and may be repeated; a call that dies
 * half-way is finished by the next one, since the upload only becomes `done` when everything it leads to exists.
 */
export async function accept(upload: Upload, deps: AcceptDeps): Promise<UploadCompleted> {
  const object = await inspect(upload.key, deps.objects)
  // Before anything is refused, and at every look: rights to write live on, and each write may make the object public.
  if (object) await deps.objects.resetAcl(upload.key)
  refuseOver(upload)
  const refusal = object && refusalOf(object, deps.maxSourceBytes)
  if (upload.state === 'done') {
    if (object) await noticeChange(upload, object, refusal, deps)
    return answer(upload, deps)
  }
  if (!object) throw new AppError('upload_incomplete', 'The object does not exist yet; complete after its last byte')
  if (upload.state === 'verifying') return register(upload, object, refusal, deps)
  if (refusal === undefined) await deps.due.put(`upload#${upload.uploadId}`, deps.now() + AFTER_THE_FACT_MS)
  await close(upload, refusal === undefined ? 'verifying' : 'errored', refusal ?? '', deps)
  // Whoever closed it has decided: go on by what the row says now.
  const closed = await reread(upload, deps)
  return closed.state === 'verifying' ? register(closed, object, refusal, deps) : accept(closed, deps)
}

/** Uploads that can never become a video, each with its reason. */
function refuseOver(upload: Upload): void {
  if (upload.state === 'errored') throw new AppError('source_not_accepted', upload.error)
  if (upload.state === 'cancelled') throw new AppError('upload_closed', 'The upload was cancelled')
  if (upload.state === 'expired') throw new AppError('upload_closed', 'The upload has expired; begin a new one')
}

/** From here on no fresh credentials are handed out. An upload passes these states in one direction only. */
async function close(upload: Upload, to: UploadState, error: string, deps: AcceptDeps): Promise<void> {
  if (await deps.uploads.move(upload.uploadId, 'waiting', to, error)) return
  await deps.uploads.move(upload.uploadId, 'uploading', to, error)
}

async function reread(upload: Upload, deps: AcceptDeps): Promise<Upload> {
  const current = await deps.uploads.find(upload.uploadId)
  if (!current) throw new AppError('upload_not_found', 'There is no such upload')
  return current
}

/**
 * Makes what the upload leads to. A good object was seen before the state became `verifying`; if what is there now is
 * not acceptable it was put there since, which ends the video and not the upload, so that all callers agree.
 */
async function register(
  upload: Upload,
  object: StoredObject,
  refusal: string | undefined,
  deps: AcceptDeps,
): Promise<UploadCompleted> {
  const { uploadId, videoId, mediaId, playbackId } = upload
  const { etag: sourceEtag, size: sizeBytes, crc64 } = object
  await deps.media.create({ mediaId, sourceKey: upload.key, sourceEtag, sizeBytes, crc64 })
  const media = await noticeChange(upload, object, refusal, deps)
  if (!(await deps.media.link(mediaId, videoId))) throw gone()
  await deps.playbacks.create({ playbackId, videoId, mediaId, policy: 'public', revoked: false })
  await deps.due.put(`video#${videoId}`, deps.now() + AFTER_THE_FACT_MS)
  await deps.videos.create({
    videoId,
    ownerId: upload.ownerId,
    mediaId,
    title: upload.title,
    sourceContext: upload.sourceContext,
    classId: upload.classId,
    playbackIds: [playbackId],
    sizeBytes: media?.sizeBytes ?? sizeBytes,
    sourceKey: upload.key,
    createdAt: deps.now(),
  })
  await deps.uploads.move(uploadId, 'verifying', 'done')
  return answer(upload, deps)
}

/** A source that was overwritten while its video is being made cannot be finished: half of it would be another film. */
async function noticeChange(
  upload: Upload,
  object: StoredObject,
  refusal: string | undefined,
  deps: AcceptDeps,
): Promise<Media | undefined> {
  const [media, video] = await Promise.all([deps.media.find(upload.mediaId), deps.videos.find(upload.videoId)])
  const changed = refusal !== undefined || object.etag !== media?.sourceEtag
  if (changed && video?.derived.status !== 'ready') await deps.media.saveFault(upload.mediaId, 'source_changed')
  return media
}

/** Looks at the video again, then says how it stands. */
async function answer(upload: Upload, deps: AcceptDeps): Promise<UploadCompleted> {
  const { uploadId, videoId, playbackId } = upload
  await deps.drive(upload.mediaId)
  const video = await deps.videos.find(videoId)
  if (!video || video.deletedAt > 0) throw gone()
  const { status, playable } = video.derived
  const playUrl = `${deps.publicUrl}/watch/${playbackId}`
  return { uploadId, videoId, playbackId, status, playable, playUrl, coverUrl: null }
}

function gone(): AppError {
  return new AppError('video_not_found', 'The video of this upload was deleted')
}
