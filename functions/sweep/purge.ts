import type { Media, MediaTable } from '../../shared/tables/media.ts'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import { type UploadsTable, uploadIdOf } from '../../shared/tables/uploads.ts'
import { videoError } from '../../shared/video-errors.ts'
import { type EmptyingDeps, emptyMedia, emptyUpload } from './empty.ts'

export interface PurgeDeps extends EmptyingDeps {
  readonly media: MediaTable
  readonly tasks: Pick<TasksTable, 'all' | 'fail'>
  readonly uploads: Pick<UploadsTable, 'find' | 'remove'>
  /** Removes the rows of tasks, renditions, segments and references. */
  eraseRows(mediaId: string): Promise<void>
  now(): number
  readonly purgeWaitMs: number
  readonly leaseGraceMs: number
}

const SOON_MS = 1_000
/** How long a media may wait for the video that it was made for. */
const UNHURRIED_MS = 600_000

/**
 * Removes a media that no video shows: condemn it, look for references once more, then there is no way back. Answers when
 * to look again; `undefined` when there is nothing more to do. Whoever dies in between is followed by somebody who goes on
 * where the row says.
 */
export async function lookAtMedia(mediaId: string, deps: PurgeDeps): Promise<number | undefined> {
  const media = await deps.media.find(mediaId)
  // What is stored for a media that nobody knows was stored by a worker that came too late.
  if (!media) return (await emptyMedia(mediaId, deps)) ? undefined : deps.now() + SOON_MS
  if (media.state === 'purging') return purge(media, deps)
  const isShown = (await deps.media.videoIds(mediaId)).length > 0
  if (media.state === 'live') return isShown ? undefined : condemn(media, deps)
  // Somebody has linked it between the look and the sentence, and was refused, or is about to be.
  if (isShown) await deps.media.move(mediaId, 'condemned', 'live')
  else await deps.media.move(mediaId, 'condemned', 'purging')
  return deps.now() + SOON_MS
}

/** A media is made a moment before its video, so one without may only be young. */
async function condemn(media: Media, deps: PurgeDeps): Promise<number> {
  const upload = await deps.uploads.find(uploadIdOf(media.sourceKey) ?? '')
  if (upload?.state === 'verifying') return deps.now() + UNHURRIED_MS
  await deps.media.move(media.mediaId, 'live', 'condemned')
  return deps.now() + SOON_MS
}

/**
 * Objects, then a pause in which even a forgotten worker must have ended, then whatever it has stored meanwhile, then the
 * rows; that of the media last, since everything else is found by it.
 */
async function purge(media: Media, deps: PurgeDeps): Promise<number | undefined> {
  const { mediaId, emptiedAt } = media
  const startAt = (await stopWork(mediaId, deps)) + deps.leaseGraceMs
  if (deps.now() < startAt) return startAt
  if (emptiedAt > 0 && deps.now() < emptiedAt + deps.purgeWaitMs) return emptiedAt + deps.purgeWaitMs
  const uploadId = uploadIdOf(media.sourceKey)
  if (!(await emptyMedia(mediaId, deps))) return deps.now() + SOON_MS
  if (uploadId !== undefined && !(await emptyUpload(uploadId, deps))) return deps.now() + SOON_MS
  if (emptiedAt === 0) {
    await deps.media.markEmptied(mediaId, deps.now())
    return deps.now() + deps.purgeWaitMs
  }
  await deps.eraseRows(mediaId)
  if (uploadId !== undefined) await deps.uploads.remove(uploadId)
  await deps.media.remove(mediaId)
  return undefined
}

/** Cancels what is unfinished, so that the next renewal is refused; answers when the last lease ends. */
async function stopWork(mediaId: string, deps: PurgeDeps): Promise<number> {
  const tasks = await deps.tasks.all(mediaId)
  for (const task of tasks) {
    if (task.state !== 'done' && task.state !== 'failed') await deps.tasks.fail(task, videoError('cancelled'))
  }
  return Math.max(0, ...tasks.map((task) => task.leaseUntil))
}
