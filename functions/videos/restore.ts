import { AppError } from '../../shared/errors.ts'
import { AFTER_THE_FACT_MS, type DueTable } from '../../shared/tables/due.ts'
import type { PlaybacksTable } from '../../shared/tables/playbacks.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'
import { change } from './change.ts'

export interface RestoreDeps {
  readonly videos: VideosTable
  readonly playbacks: PlaybacksTable
  readonly due: DueTable
  /** Looks at a media again: tasks that the deletion had cancelled go on. */
  drive(mediaId: string): Promise<void>
  now(): number
}

/**
 * Takes a deletion back, as long as the removal for good has not begun: the video is listed again, its playbacks work, and
 * what was cancelled goes on. The playbacks come first: they show nothing of a deleted video, and a request that died
 * between the two is finished by a repeat. One of a video that is not deleted does no harm.
 */
export async function restore(video: Video, deps: RestoreDeps): Promise<Video> {
  await deps.due.put(`video#${video.videoId}`, deps.now() + AFTER_THE_FACT_MS)
  for (const playbackId of video.playbackIds) await deps.playbacks.restore(playbackId)
  await change(video, deps.videos, isListed, (current) => deps.videos.restore(current))
  await deps.drive(video.mediaId)
  return (await deps.videos.find(video.videoId)) ?? video
}

function isListed({ deletedAt, purgingAt }: Video): boolean {
  if (purgingAt > 0) throw new AppError('not_restorable', 'Its removal for good has begun')
  return deletedAt === 0
}
