import { OpenApiError } from '../wire/acs3.ts'
import { openTurns } from '../wire/turns.ts'
import type { WorkCounter } from '../wire/work.ts'
import { mpsError } from './errors.ts'
import { inspect, snapshot, transcode, type Workshop } from './media.ts'
import type { Job, MessageResult, NotifyConfig, Store } from './store.ts'

/** Sends what a pipeline tells of its jobs. */
export interface Notifier {
  publish(topic: string, body: string): Promise<string>
  send(queue: string, body: string): Promise<string>
}

/** Runs jobs, the most urgent first, a few at a time. */
export interface Engine {
  /** Stores a job and lets it wait its turn. */
  submit(job: Job): Promise<void>
  /** Runs a job before those that wait, a few at a time; resolves with what became of it. */
  runNow(job: Job): Promise<Job>
  /** Takes back what has not begun. */
  cancel(id: string): Promise<void>
  /** Looks for jobs that may run. */
  wake(): void
  /** Goes on with what was left when the local cloud last stopped; what had begun begins again. */
  resume(): void
  /** Kills what runs; it begins again at the next start. */
  close(): Promise<void>
}

export interface EngineOptions extends Workshop {
  readonly store: Store
  readonly notifier: Notifier
  readonly concurrency: number
  readonly work: WorkCounter
  now(): number
}

/** Opens the engine; nothing runs before `resume`. */
export function openEngine(options: EngineOptions): Engine {
  const { store, work, now } = options
  const waiting = new Map<string, Job>()
  const running = new Set<Promise<void>>()
  const stop = new AbortController()
  // Whoever waits for an answer does not wait for a whole film.
  const urgent = openTurns(2 * options.concurrency)
  let isOpen = false

  function next(): Job | undefined {
    const ready = [...waiting.values()].filter(({ pipelineId }) => isActive(store, pipelineId))
    return ready.sort((a, b) => priorityOf(b) - priorityOf(a) || a.seq - b.seq)[0]
  }

  function wake(): void {
    while (isOpen && !stop.signal.aborted && running.size < options.concurrency) {
      const job = next()
      if (!job) return
      waiting.delete(job.id)
      work.count(1)
      const done: Promise<void> = perform(job)
        .then(() => {})
        .finally(() => {
          running.delete(done)
          wake()
          work.count(-1)
        })
      running.add(done)
    }
  }

  async function perform(job: Job): Promise<Job> {
    await store.jobs.put(job.id, { ...job, stage: 'running' })
    const outcome = await attempt(job)
    if (stop.signal.aborted) return job
    const ended = { ...job, ...outcome, finishedAt: now() } as Job
    await store.jobs.put(job.id, isAwaited(ended) ? { ...ended, isUntold: true } : ended)
    return tellOf(ended)
  }

  async function tellOf(ended: Job): Promise<Job> {
    const notified = await notify(ended)
    if (!notified) return ended
    const told = { ...ended, notified }
    await store.jobs.put(ended.id, told)
    return told
  }

  /** A job whose end was stored, and whose message was not sent any more. */
  async function tellLate({ isUntold: _, ...ended }: Job): Promise<void> {
    await store.jobs.put(ended.id, await tellOf(ended))
  }

  function targetsOf({ pipelineId }: Job): NotifyConfig {
    return (pipelineId && store.pipelines.get(pipelineId)?.notify) || {}
  }

  function isAwaited(job: Job): boolean {
    const { Topic, QueueName } = targetsOf(job)
    return Topic !== undefined || QueueName !== undefined
  }

  async function attempt(job: Job): Promise<Partial<Job>> {
    try {
      const made = await make(job)
      return { ...made, stage: 'success' } as Partial<Job>
    } catch (error) {
      if (!(error instanceof OpenApiError) && !stop.signal.aborted) options.log(`${job.id} failed: ${String(error)}`)
      const { code, message } = error instanceof OpenApiError ? error : mpsError('InternalError')
      return { stage: 'fail', code, message }
    }
  }

  function make(job: Job): Promise<Partial<Job>> {
    if (job.kind === 'transcode') return transcode(job, options, stop.signal)
    if (job.kind === 'snapshot') return snapshot(job, options, stop.signal)
    return inspect(job, options, stop.signal)
  }

  /** One message for each job, to wherever its pipeline says. */
  async function notify(job: Job): Promise<MessageResult | undefined> {
    const { Topic, QueueName } = targetsOf(job)
    if (Topic === undefined && QueueName === undefined) return undefined
    const body = JSON.stringify(completion(job))
    try {
      const inQueue = QueueName === undefined ? undefined : await options.notifier.send(QueueName, body)
      const onTopic = Topic === undefined ? undefined : await options.notifier.publish(Topic, body)
      return { MessageId: onTopic ?? inQueue ?? '' }
    } catch (error) {
      const { code = 'InternalError', message } = error as Error & { code?: string }
      return { ErrorCode: code, ErrorMessage: message }
    }
  }

  return {
    async submit(job) {
      await store.jobs.put(job.id, job)
      waiting.set(job.id, job)
      wake()
    },
    async runNow(job) {
      let ended = job
      await work.counted(async () => {
        ended = await urgent.take(() => perform(job))
      })
      return ended
    },
    async cancel(id) {
      const job = store.jobs.get(id)
      if (job?.kind !== 'transcode') throw mpsError('InvalidParameter.ResourceNotFound', id)
      if (job.stage === 'success' || job.stage === 'cancelled') throw mpsError('PermissionDenied.JobInComplete', id)
      if (job.stage === 'fail') throw mpsError('PermissionDenied.JobInFailure', id)
      if (!waiting.delete(id)) throw mpsError('PermissionDenied.JobInRunning', id)
      await store.jobs.put(id, { ...job, stage: 'cancelled', finishedAt: now() })
    },
    wake,
    resume() {
      isOpen = true
      const all = store.jobs.all()
      for (const job of all) if (job.isUntold) void work.counted(() => tellLate(job))
      const left = all.filter(({ stage }) => stage === 'submitted' || stage === 'running')
      for (const job of left) if (!waiting.has(job.id)) waiting.set(job.id, { ...job, stage: 'submitted' })
      wake()
    },
    async close() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

function isActive(store: Store, pipelineId: string | undefined): boolean {
  // Jobs of a pipeline that was deleted are done all the same.
  return pipelineId === undefined || store.pipelines.get(pipelineId)?.state !== 'Paused'
}

function priorityOf(job: Job): number {
  return job.kind === 'transcode' ? Number(job.output.Priority) : 6
}

const TYPES = { transcode: 'Transcode', snapshot: 'Snapshot', info: 'MediaInfo' } as const

/** Keys come in both cases. https://www.alibabacloud.com/help/doc-detail/44602.html */
function completion({ id, requestId, kind, stage, code, message }: Job): object {
  const state = stage === 'success' ? 'Success' : 'Fail'
  const type = TYPES[kind]
  return {
    jobId: id,
    requestId,
    Type: type,
    state,
    type,
    State: state,
    JobId: id,
    RequestId: requestId,
    ...(stage === 'fail' ? { code, msg: message } : {}),
  }
}
