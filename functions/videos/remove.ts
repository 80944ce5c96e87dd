import { AFTER_THE_FACT_MS, type DueTable } from '../../shared/tables/due.ts'
import type { PlaybacksTable } from '../../shared/tables/playbacks.ts'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'
import { videoError } from '../../shared/video-errors.ts'
import { change } from './change.ts'

export interface RemoveDeps {
  readonly videos: VideosTable
  readonly playbacks: PlaybacksTable
  readonly tasks: Pick<TasksTable, 'all' | 'fail'>
  readonly due: DueTable
  now(): number
}

/**
 * Deletes a video for everybody but the operator: it is in no list, its playbacks stop, and its unfinished tasks are
 * cancelled, so that the next renewal of a worker's lease is refused. The mark comes last: until it is written, the same
 * request finds the video again and finishes what an earlier one had begun.
 */
export async function remove(video: Video, deps: RemoveDeps): Promise<void> {
  await deps.due.put(`video#${video.videoId}`, deps.now() + AFTER_THE_FACT_MS)
  for (const playbackId of video.playbackIds) await deps.playbacks.revoke(playbackId)
  await cancelTasks(video.mediaId, deps)
  await change(video, deps.videos, isDeleted, (current) => deps.videos.markDeleted(current, deps.now()))
  // A look at the video that was under way may have started a task between the two.
  await cancelTasks(video.mediaId, deps)
}

async function cancelTasks(mediaId: string, deps: RemoveDeps): Promise<void> {
  const unfinished = (await deps.tasks.all(mediaId)).filter((task) => task.state !== 'done' && task.state !== 'failed')
  for (const task of unfinished) await deps.tasks.fail(task, videoError('cancelled'))
}

function isDeleted({ deletedAt }: Video): boolean {
  return deletedAt > 0
}
