import * as v from 'valibot'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import { taskMessageOf } from '../../shared/task-message.ts'
import { videoError } from '../../shared/video-errors.ts'

export interface Deps {
  readonly tasks: Pick<TasksTable, 'endAttempt'>
  drive(mediaId: string): Promise<void>
}

/** What Function Compute sends to an onFailure destination; only the original payload matters here. */
const Destination = v.object({ requestPayload: v.pipe(v.string(), v.parseJson()) })

/**
 * The worker of one attempt is gone (killed, out of time, out of memory): ends the attempt at once instead of waiting for
 * its lease, then looks at the media. An attempt that had reported by itself is left as it is.
 */
export async function onFailure(event: unknown, deps: Deps): Promise<void> {
  const task = taskMessageOf(v.parse(Destination, event).requestPayload)
  await deps.tasks.endAttempt(task, videoError('worker_lost'))
  await deps.drive(task.mediaId)
}
