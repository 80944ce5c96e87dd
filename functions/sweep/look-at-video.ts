import { AFTER_THE_FACT_MS, type DueTable } from '../../shared/tables/due.ts'
import type { MediaTable } from '../../shared/tables/media.ts'
import type { PlaybacksTable } from '../../shared/tables/playbacks.ts'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'
import { nextLook } from './next-look.ts'

export interface VideoDeps {
  readonly videos: VideosTable
  readonly media: Pick<MediaTable, 'unlink'>
  readonly playbacks: Pick<PlaybacksTable, 'remove'>
  readonly tasks: Pick<TasksTable, 'all'>
  readonly due: DueTable
  /** Looks at a media again and does what comes next. */
  drive(mediaId: string): Promise<void>
  /** Removes what viewers have left behind: their sessions, counts and positions. */
  eraseViewing(videoId: string): Promise<void>
  now(): number
  readonly purgeAfterMs: number
}

/**
 * Whatever a video is waiting for: its pipeline, or the end of the time in which it can be restored. Answers when to look
 * again; `undefined` when there is nothing more to wait for.
 */
export async function lookAtVideo(videoId: string, deps: VideoDeps): Promise<number | undefined> {
  const video = await deps.videos.find(videoId)
  if (!video) return undefined
  if (video.deletedAt > 0) return lookAtDeleted(video, deps)
  await deps.drive(video.mediaId)
  const after = await deps.videos.find(videoId)
  // Whoever deletes it meanwhile leaves a hint for that.
  if (!after || after.deletedAt > 0 || after.derived.status !== 'processing') return undefined
  return nextLook(after.createdAt, await deps.tasks.all(after.mediaId), deps.now())
}

/**
 * Removes a video for good: first the mark after which it cannot be restored, then everything that leads to it, its own
 * row last. What was made of it goes with the last video that shows it, for which there is a hint of its own.
 */
async function lookAtDeleted(video: Video, deps: VideoDeps): Promise<number | undefined> {
  const { videoId, mediaId } = video
  const purgeAt = video.deletedAt + deps.purgeAfterMs
  const now = deps.now()
  if (video.purgingAt === 0) {
    if (now < purgeAt) return purgeAt
    // Lost to somebody who restores it, or does the same as we: the row will say.
    if (!(await deps.videos.markPurging(video, now))) return now
  }
  for (const playbackId of video.playbackIds) await deps.playbacks.remove(playbackId)
  await deps.due.put(`media#${mediaId}`, now + AFTER_THE_FACT_MS)
  await deps.media.unlink(mediaId, videoId)
  await deps.eraseViewing(videoId)
  await deps.videos.remove(videoId)
  return undefined
}
