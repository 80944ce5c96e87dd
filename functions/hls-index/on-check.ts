import { AppError } from '../../shared/errors.ts'
import { type LeaseDeps, withLease } from '../../shared/lease.ts'
import { log } from '../../shared/log.ts'
import { planPrefix, type TaskMessage } from '../../shared/plan.ts'
import type { Media, MediaTable } from '../../shared/tables/media.ts'
import type { RenditionsTable } from '../../shared/tables/renditions.ts'
import type { SegmentsTable } from '../../shared/tables/segments.ts'
import { taskMessageOf } from '../../shared/task-message.ts'
import { type TellDeps, tell } from '../../shared/tell.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import { faultOf } from './output.ts'

export interface Deps extends LeaseDeps, TellDeps {
  readonly media: Pick<MediaTable, 'find'>
  readonly renditions: Pick<RenditionsTable, 'all'>
  readonly segments: Pick<SegmentsTable, 'all'>
  readonly objects: {
    /** `undefined` when there is none; throws `conflict` when its ETag is another. */
    head(key: string, options: { readonly ifMatch: string }): Promise<object | undefined>
    list(prefix: string): AsyncIterable<{ readonly key: string; readonly size: number }>
  }
}

/** The last task of a video: only when plan, rows, objects and playlists agree is it `ready`. */
export async function onCheck(event: unknown, deps: Deps): Promise<void> {
  const message = taskMessageOf(event)
  if (message.kind !== 'check') throw new Error(`expected a task of kind check, not ${message.kind}`)
  const outcome = await withLease(deps, message, (lost) => check(message, deps, lost))
  log('info', 'task over', { ...message, outcome })
  // Also when it was refused: whoever finished it may have died before it told anybody.
  if (outcome !== 'lost') await tell(message.mediaId, deps)
}

async function check(message: TaskMessage, deps: Deps, lost: AbortSignal): Promise<void> {
  const media = await deps.media.find(message.mediaId)
  if (media?.state !== 'live') throw new TaskFailure('cancelled')
  const { mediaId, plan } = media
  if (plan?.planId !== message.planId) {
    throw new TaskFailure('transcode_failed', 'The check belongs to another plan than the one that was saved.')
  }
  await assertSourceUnchanged(media, deps)
  const [renditions, runs, objects] = await Promise.all([
    deps.renditions.all(mediaId),
    deps.segments.all(mediaId),
    sizesUnder(planPrefix(mediaId, plan.planId), deps),
  ])
  lost.throwIfAborted()
  const ofPlan = (row: { readonly planId: string }) => row.planId === plan.planId
  const fault = await faultOf({
    mediaId,
    plan,
    renditions: renditions.filter(ofPlan),
    runs: runs.filter(ofPlan),
    objects,
  })
  if (fault !== undefined) throw new TaskFailure('output_incomplete', fault)
}

/** Everything was made of one and the same file only if it is still there at the end. */
async function assertSourceUnchanged(media: Media, deps: Deps): Promise<void> {
  try {
    if (await deps.objects.head(media.sourceKey, { ifMatch: media.sourceEtag })) return
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'conflict') throw error
    throw new TaskFailure('source_changed', undefined, { cause: error })
  }
  throw new TaskFailure('source_missing')
}

async function sizesUnder(prefix: string, deps: Deps): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  for await (const { key, size } of deps.objects.list(prefix)) sizes.set(key, size)
  return sizes
}
