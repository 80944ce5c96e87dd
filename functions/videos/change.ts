import * as v from 'valibot'
import type { VideoPatch } from '../../shared/api.ts'
import { AppError } from '../../shared/errors.ts'
import { checked } from '../../shared/input.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'

/** The pipeline changes the row too, but only a few times in a video's life. */
const TRIES = 10

/**
 * Writes to a video on condition that it is still what was read, again and again from what it is by then, until `write`
 * wins or `isDone` says that there is nothing left to do. Throws `video_not_found` when it is removed meanwhile.
 */
export async function change(
  video: Video,
  videos: Pick<VideosTable, 'find'>,
  isDone: (video: Video) => boolean,
  write: (video: Video) => Promise<boolean>,
): Promise<void> {
  let current: Video | undefined = video
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (!current) throw new AppError('video_not_found', 'The video was removed meanwhile')
    if (isDone(current) || (await write(current))) return
    current = await videos.find(video.videoId)
  }
  throw new AppError('conflict', 'The video is changing right now; try again')
}

const title = 'must be a text of 1 to 255 characters without control characters'

/** The body of `PATCH /v1/videos/{id}`. */
export const Patch = v.strictObject(
  { title: v.pipe(v.string(title), v.trim(), v.regex(/^[^\p{Cc}]{1,255}$/u, title)) },
  'must be a JSON object',
)

/** Gives a video another title, and answers the video as it is then. */
export async function rename(video: Video, body: unknown, videos: VideosTable): Promise<Video> {
  const wanted: VideoPatch = checked(Patch, body)
  const isDeleted = ({ deletedAt }: Video) => deletedAt > 0
  await change(video, videos, isDeleted, (current) => videos.rename(current, wanted.title))
  const renamed = await videos.find(video.videoId)
  if (renamed && !isDeleted(renamed)) return renamed
  throw new AppError('video_not_found', 'The video was deleted meanwhile')
}
