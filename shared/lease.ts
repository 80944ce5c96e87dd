import { errorFields, log } from './log.ts'
import type { Attempt, TasksTable } from './tables/tasks.ts'
import { TaskFailure, videoError } from './video-errors.ts'

/** How long a worker may be silent before its task is given to another. */
const LEASE_MS = 90_000
const RENEW_EVERY_MS = 20_000

export interface LeaseDeps {
  readonly tasks: TasksTable
  now(): number
  /** Names this worker as `{invocation}:{unique}`; no two share it, not even two deliveries of one invocation. */
  readonly owner: string
}

export type LeaseOutcome = 'done' | 'given up' | 'refused' | 'lost'

/**
 * Runs one attempt of a task while holding it. `refused`: another worker holds it or the attempt is over. `lost`: a
 * renewal was refused, so the signal was aborted and nothing is recorded. A thrown `TaskFailure` is recorded with its
 * reason; any other error is recorded as `transcode_failed` and may be tried again.
 */
export async function withLease(
  deps: LeaseDeps,
  task: Attempt,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<LeaseOutcome> {
  const { tasks, owner } = deps
  if (!(await tasks.claim(task, owner, deps.now() + LEASE_MS, deps.now()))) return 'refused'
  const lost = new AbortController()
  const timer = setInterval(() => void renew(deps, task, lost), RENEW_EVERY_MS)
  try {
    await work(lost.signal)
    return (await tasks.finish(task, owner)) ? 'done' : 'lost'
  } catch (error) {
    if (lost.signal.aborted) return 'lost'
    return await recordFailure(deps, task, error)
  } finally {
    clearInterval(timer)
  }
}

async function renew(deps: LeaseDeps, task: Attempt, lost: AbortController): Promise<void> {
  try {
    if (!(await deps.tasks.renew(task, deps.owner, deps.now() + LEASE_MS))) lost.abort(new Error('the lease is lost'))
  } catch (error) {
    // A failed request is not a refusal: the next renewal comes well before the lease ends.
    log('warn', 'lease not renewed', { ...task, ...errorFields(error) })
  }
}

async function recordFailure(deps: LeaseDeps, task: Attempt, error: unknown): Promise<LeaseOutcome> {
  const expected = error instanceof TaskFailure
  const failure = expected ? error.failure : videoError('transcode_failed')
  const why = expected && error.cause === undefined ? { error: failure.message } : errorFields(error)
  log(expected ? 'warn' : 'error', 'attempt failed', { ...task, code: failure.code, ...why })
  const recorded = await deps.tasks.giveUp(task, deps.owner, failure, !failure.retryable)
  return recorded ? 'given up' : 'lost'
}
