import { AppError } from '../../shared/errors.ts'
import type { DueTable } from '../../shared/tables/due.ts'
import type { PlaybacksTable } from '../../shared/tables/playbacks.ts'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'
import { videoError } from '../../shared/video-errors.ts'

export interface RemoveDeps {
  readonly videos: VideosTable
  readonly playbacks: PlaybacksTable
  readonly tasks: TasksTable
  readonly due: DueTable
  now(): number
}

/** The pipeline changes the row too, but only a few times in a video's life. */
const TRIES = 10

/**
 * Deletes a video for everybody but the operator: it is in no list, its playbacks stop, and its unfinished tasks are
 * cancelled, so that the next renewal of a worker's lease is refused. The mark comes last: until it is written, the same
 * request finds the video again and finishes what an earlier one had begun.
 */
export async function remove(video: Video, deps: RemoveDeps): Promise<void> {
  await deps.due.put(`video#${video.videoId}`, deps.now())
  for (const playbackId of video.playbackIds) await deps.playbacks.revoke(playbackId)
  await cancelTasks(video.mediaId, deps)
  await mark(video, deps)
  // A look at the video that was under way may have started a task between the two.
  await cancelTasks(video.mediaId, deps)
}

async function cancelTasks(mediaId: string, deps: RemoveDeps): Promise<void> {
  const unfinished = (await deps.tasks.all(mediaId)).filter((task) => task.state !== 'done' && task.state !== 'failed')
  for (const task of unfinished) await deps.tasks.fail(task, videoError('cancelled'))
}

async function mark(video: Video, deps: RemoveDeps): Promise<void> {
  let current: Video | undefined = video
  for (let tries = 0; tries < TRIES && current && current.deletedAt === 0; tries += 1) {
    if (await deps.videos.markDeleted(current, deps.now())) return
    current = await deps.videos.find(video.videoId)
  }
  if (current?.deletedAt === 0) throw new AppError('conflict', 'The video is changing right now; try again')
}
