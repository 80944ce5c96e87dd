import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LeaseDeps, withLease } from '../../shared/lease.ts'
import { errorFields, log } from '../../shared/log.ts'
import { type Plan, type PlannedTask, segmentKey, type TaskMessage } from '../../shared/plan.ts'
import type { Media, MediaTable } from '../../shared/tables/media.ts'
import type { SegmentsTable } from '../../shared/tables/segments.ts'
import { type TellDeps, tell } from '../../shared/tell.ts'
import { TaskFailure } from '../../shared/video-errors.ts'
import { copyJob, type FfmpegJob, videoJob } from './args.ts'
import { assertUnchanged, lostConnection, type SourceHead, sawDamage } from './faults.ts'
import { type MediaTools, ToolError } from './ffmpeg.ts'
import { makePlan } from './plan.ts'
import { identify } from './plan-id.ts'
import { probeSource, type SourceAccess } from './probe.ts'
import { byAddress } from './reach.ts'
import { ship } from './ship.ts'
import { audioJob } from './sound.ts'
import type { SourceLimits } from './source.ts'
import { decodeFromFirstPicture, recognisable } from './ts.ts'
import { verifySegment } from './verify.ts'

export interface Deps extends LeaseDeps, TellDeps {
  readonly media: Pick<MediaTable, 'find' | 'savePlan'>
  readonly segments: Pick<SegmentsTable, 'publish'>
  readonly sources: {
    /** A signed URL that stays valid at least this long. */
    url(key: string, lifeMs: number): Promise<string>
    /** What is stored now; `undefined` when there is nothing. */
    head(key: string): Promise<SourceHead | undefined>
  }
  readonly outputs: {
    /** Stores an object that does not exist yet; a stored twin is kept, and its size is the answer. */
    putNew(key: string, bytes: Uint8Array, contentType: string): Promise<{ readonly sizeBytes: number }>
  }
  readonly tools: MediaTools
  /** x264 threads. */
  readonly threads: number
  /** Bounds on what is accepted; the usual ones when missing. */
  readonly sourceLimits?: SourceLimits
  /** The whole task is stopped after this long; below the function's own timeout, so that the reason is recorded. */
  readonly deadlineMs: number
}

/** Carries out one attempt of one task, if it can be had; every reason to stop early is written to the task's row. */
export async function onTask(message: TaskMessage, deps: Deps): Promise<void> {
  const outcome = await withLease(deps, message, async (lost) => {
    const deadline = AbortSignal.timeout(deps.deadlineMs)
    const signal = AbortSignal.any([lost, deadline])
    try {
      await work(message, deps, signal)
    } catch (error) {
      if (!deadline.aborted || lost.aborted) throw error
      throw new TaskFailure('transcode_failed', 'The work took longer than a worker may run.', { cause: error })
    }
  })
  log('info', 'task over', { ...message, outcome })
  // Also when it was refused: whoever finished it may have died before it told anybody.
  if (outcome !== 'lost') await tell(message.mediaId, deps)
}

async function work(message: TaskMessage, deps: Deps, signal: AbortSignal): Promise<void> {
  const media = await deps.media.find(message.mediaId)
  if (media?.state !== 'live') throw new TaskFailure('cancelled')
  const source = await openSource(media, deps)
  if (message.kind === 'probe') return await probe(media, source, deps, signal)
  const { plan } = media
  if (!plan || plan.planId !== message.planId) {
    throw new TaskFailure('transcode_failed', 'The task belongs to another plan than the one that was saved.')
  }
  const task = plan.tasks.find((one) => one.taskId === message.taskId)
  if (!task) throw new TaskFailure('transcode_failed', `The plan has no task ${message.taskId}.`)
  await produce(media, plan, task, source, deps, signal)
}

async function openSource(media: Media, deps: Deps): Promise<SourceAccess> {
  const signed = { url: await deps.sources.url(media.sourceKey, deps.deadlineMs), etag: media.sourceEtag }
  const { features } = await deps.tools.binaries()
  const input = features.resolvesNames ? signed : await byAddress(signed)
  return { ...input, head: () => deps.sources.head(media.sourceKey) }
}

async function probe(media: Media, source: SourceAccess, deps: Deps, signal: AbortSignal): Promise<void> {
  const found = await probeSource(source, deps.tools, signal, { threads: deps.threads, limits: deps.sourceLimits })
  const plan = identify(makePlan(found, { threads: deps.threads }), media.sourceEtag)
  // Losing to another attempt is fine: a plan is saved, and it is the one that counts.
  await deps.media.savePlan(media.mediaId, plan, found.info)
}

async function produce(
  media: Media,
  plan: Plan,
  task: PlannedTask,
  source: SourceAccess,
  deps: Deps,
  signal: AbortSignal,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-'))
  const stop = new AbortController()
  try {
    for (const rendition of task.renditions) await mkdir(join(dir, rendition))
    const job = await jobOf(media, plan, task, source, dir, deps)
    const run = await deps.tools.transcode(job, { signal: AbortSignal.any([signal, stop.signal]) })
    try {
      const said = await ship(
        run,
        { dir, task, fileOffset: task.kind === 'audio' ? 1 : 0 },
        shipDeps(media, plan, deps),
      )
      if (lostConnection(said)) throw new ToolError('the connection to the source was lost', said)
    } catch (error) {
      stop.abort(error)
      const said = await run.done.catch((failed: unknown) => (failed instanceof ToolError ? failed.stderr : ''))
      throw signal.aborted ? error : await explain(error, said, source)
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function jobOf(
  media: Media,
  plan: Plan,
  task: PlannedTask,
  source: SourceAccess,
  dir: string,
  deps: Deps,
): Promise<FfmpegJob> {
  if (task.kind === 'copy') return copyJob(source, plan, task, dir)
  if (task.kind === 'audio') return audioJob(source, plan, task, dir)
  const traits = media.info?.video ?? { progressive: true, hdr: false }
  const { features } = await deps.tools.binaries()
  return videoJob(source, plan, task, dir, traits, features)
}

function shipDeps(media: Media, plan: Plan, deps: Deps) {
  return {
    now: deps.now,
    async store(rendition: string, index: number, bytes: Uint8Array): Promise<number> {
      verifySegment(bytes, plan, rendition, index)
      if (index === 0) decodeFromFirstPicture(bytes)
      const key = segmentKey(media.mediaId, plan.planId, rendition, index)
      const { sizeBytes } = await deps.outputs.putNew(key, recognisable(bytes), 'video/mp2t')
      return sizeBytes
    },
    async list(runs: Parameters<SegmentsTable['publish']>[2]): Promise<void> {
      await deps.segments.publish(media.mediaId, plan.planId, runs)
      await tell(media.mediaId, deps)
    },
  }
}

/** The reason behind a failed run: a source that was replaced or is damaged explains everything that follows from it. */
async function explain(error: unknown, said: string, source: SourceAccess): Promise<unknown> {
  log('warn', 'ffmpeg did not deliver', { ...errorFields(error), stderr: said })
  assertUnchanged(await source.head(), source.etag)
  const output = error instanceof TaskFailure && error.failure.code.startsWith('output_')
  if (!output && !(error instanceof ToolError)) return error
  if (lostConnection(said)) {
    return new TaskFailure('transcode_failed', 'The connection to the source was lost.', { cause: error })
  }
  if (sawDamage(said)) return new TaskFailure('source_damaged', undefined, { cause: error })
  return output ? error : new TaskFailure('transcode_failed', undefined, { cause: error })
}
