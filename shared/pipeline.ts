import type { Plan, TaskMessage } from './plan.ts'
import { type Published, publishedOf } from './published.ts'
import type { Media } from './tables/media.ts'
import { plannedRenditions, type Rendition } from './tables/renditions.ts'
import { plannedRuns, type SegmentRun } from './tables/segments.ts'
import type { Attempt, NewTask, Task } from './tables/tasks.ts'
import type { Derived, Video } from './tables/videos.ts'
import { type VideoError, videoError } from './video-errors.ts'

/** Everything that is known about one video at one moment. */
export interface View {
  readonly video: Video
  readonly media: Media
  readonly tasks: readonly Task[]
  readonly renditions: readonly Rendition[]
  readonly runs: readonly SegmentRun[]
}

/** What to write, in this order; each is conditional, and a lost condition means that somebody else wrote it. */
export type StepWrite =
  | { readonly do: 'create rendition'; readonly rendition: Rendition }
  | { readonly do: 'create run'; readonly run: SegmentRun }
  | { readonly do: 'create task'; readonly task: NewTask }
  | { readonly do: 'raise attempt'; readonly task: Attempt }
  | { readonly do: 'revive task'; readonly task: Attempt }
  | { readonly do: 'settle task'; readonly task: Attempt }
  | { readonly do: 'fail task'; readonly task: Attempt; readonly error: VideoError }
  | { readonly do: 'save video'; readonly video: Video; readonly derived: Derived }

/** What a video needs next; empty when there is nothing to do but wait. */
export interface Step {
  readonly writes: readonly StepWrite[]
  /** Attempts to hand to Function Compute after the writes; repeating one is harmless. */
  readonly dispatches: readonly TaskMessage[]
}

export interface PipelineLimits {
  /** How many tasks of one media may be at work at once. */
  readonly maxRunning: number
  readonly maxAttempts: number
  /** A dispatched attempt that nobody has taken for this long is dispatched again. */
  readonly redispatchMs: number
  /** After this long it counts as lost. */
  readonly abandonMs: number
}

export const PIPELINE_LIMITS: PipelineLimits = {
  maxRunning: 50,
  maxAttempts: 3,
  redispatchMs: 60_000,
  abandonMs: 900_000,
}

/**
 * Looks at a video and says what comes next. Pure and level-triggered: an event only says "look again", so events may
 * repeat, come late, out of order or never, and any process may die between two writes.
 */
export function advance(view: View, now: number, limits: PipelineLimits = PIPELINE_LIMITS): Step {
  if (view.video.deletedAt > 0) return { writes: [], dispatches: [] }
  const tasks = currentTasks(view)
  const fault = faultOf(view, tasks)
  const published = view.media.plan
    ? publishedOf(plannedRenditions(view.media.mediaId, view.media.plan), view.runs.filter(ofPlan(view.media.planId)))
    : undefined
  const derived = derive(view, tasks, published, fault)
  const saved: StepWrite[] = sameDerived(view.video.derived, derived)
    ? []
    : [{ do: 'save video', video: view.video, derived }]
  if (fault || derived.status === 'ready') return { writes: saved, dispatches: [] }

  const rows = missingRows(view)
  const work = workOn(view.media, tasks, now, limits)
  return { writes: [...rows, ...settled(view, tasks), ...work.writes, ...saved], dispatches: work.dispatches }
}

/** The probe belongs to every plan; other rows only to the one that was saved. */
function currentTasks(view: View): Task[] {
  return view.tasks.filter((task) => task.kind === 'probe' || task.planId === view.media.planId)
}

function ofPlan(planId: string) {
  return (row: { planId: string }) => row.planId === planId
}

function faultOf(view: View, tasks: readonly Task[]): VideoError | undefined {
  if (view.media.fault) return view.media.fault
  const failed = tasks.find(
    (task) => task.state === 'failed' && !isCancelled(task, view.media) && (task.kind !== 'probe' || !view.media.plan),
  )
  return failed && (failed.error ?? videoError('transcode_failed'))
}

/** Ended because a video was deleted. Whoever looks at it for a video that is not, as one that was restored, goes on. */
function isCancelled(task: Task, media: Media): boolean {
  return task.state === 'failed' && task.error?.code === 'cancelled' && media.state === 'live'
}

function derive(
  view: View,
  tasks: readonly Task[],
  published: Published | undefined,
  fault: VideoError | undefined,
): Derived {
  const { info, plan } = view.media
  const checked = tasks.some((task) => task.kind === 'check' && task.state === 'done')
  const ready = !fault && checked
  return {
    status: fault ? 'errored' : ready ? 'ready' : 'processing',
    playable: (published?.untilUs ?? 0) > 0,
    progress: ready ? 100 : progressOf(published),
    durationMs: info?.durationMs ?? 0,
    width: info?.video.width ?? 0,
    height: info?.video.height ?? 0,
    engine: plan?.engine ?? '',
    engineReason: plan?.reason ?? '',
    error: fault,
  }
}

/** Planning counts for 2 per cent and the last check for 3; segments make up the rest. */
function progressOf(published: Published | undefined): number {
  if (!published || published.planned === 0) return 0
  return 2 + Math.floor((95 * published.stored) / published.planned)
}

function sameDerived(a: Derived, b: Derived): boolean {
  const { error: errorA, ...restA } = a
  const { error: errorB, ...restB } = b
  const same = Object.entries(restA).every(([name, value]) => restB[name as keyof typeof restB] === value)
  return same && errorA?.code === errorB?.code
}

/** Rendition and segment rows of the plan that do not exist yet; they come before the workers that fill them. */
function missingRows(view: View): StepWrite[] {
  const { plan, mediaId } = view.media
  if (!plan) return []
  const renditions = new Set(view.renditions.map((row) => row.name))
  const runs = new Set(view.runs.map((row) => `${row.rendition}/${row.firstSegment}`))
  return [
    ...plannedRenditions(mediaId, plan)
      .filter((rendition) => !renditions.has(rendition.name))
      .map((rendition): StepWrite => ({ do: 'create rendition', rendition })),
    ...plannedRuns(mediaId, plan)
      .filter((run) => !runs.has(`${run.rendition}/${run.firstSegment}`))
      .map((run): StepWrite => ({ do: 'create run', run })),
  ]
}

/** A plan is all that a probe is for; one that died after saving it is done. */
function settled(view: View, tasks: readonly Task[]): StepWrite[] {
  const probe = tasks.find((task) => task.kind === 'probe' && task.state !== 'done' && task.state !== 'failed')
  return view.media.plan && probe ? [{ do: 'settle task', task: probe }] : []
}

/** What to do about every task that is wanted now, as far as there is room for more. */
function workOn(
  media: Media,
  tasks: readonly Task[],
  now: number,
  limits: PipelineLimits,
): { writes: StepWrite[]; dispatches: TaskMessage[] } {
  const moves = wantedTasks(media, tasks).map((task) => {
    const row = tasks.find((one) => one.taskId === task.taskId)
    return { task, row, move: row ? moveOf(row, media, now, limits) : 'create' }
  })
  const room = limits.maxRunning - moves.filter(({ row }) => row && isAtWork(row, now)).length
  const starting = moves.filter(({ move }) => STARTS.has(move)).slice(0, Math.max(0, room))
  const repeated = moves.filter(({ move }) => move === 'repeat')
  return {
    writes: [
      ...moves.flatMap(({ row, move }) => (row && move === 'fail' ? [failure(row)] : [])),
      ...starting.flatMap(({ task, row, move }) => startWrite(task, row, move)),
    ],
    dispatches: [...starting, ...repeated].map(({ task, row, move }) => messageOf(task, row, move)),
  }
}

type Move = 'create' | 'wait' | 'dispatch' | 'repeat' | 'raise' | 'revive' | 'fail'
/** Moves that put one more task to work. */
const STARTS: ReadonlySet<string> = new Set<Move>(['create', 'dispatch', 'raise', 'revive'])

function startWrite(task: NewTask, row: Task | undefined, move: string): StepWrite[] {
  if (!row) return [{ do: 'create task', task }]
  if (move === 'revive') return [{ do: 'revive task', task: row }]
  return move === 'raise' ? [{ do: 'raise attempt', task: row }] : []
}

function messageOf(task: NewTask, row: Task | undefined, move: string): TaskMessage {
  const attempt = (row?.attempt ?? 1) + (move === 'raise' || move === 'revive' ? 1 : 0)
  return { mediaId: task.mediaId, planId: task.planId, taskId: task.taskId, kind: task.kind, attempt }
}

function failure(row: Task): StepWrite {
  return { do: 'fail task', task: row, error: row.error ?? videoError('worker_lost') }
}

/** The probe makes the plan; the plan names the work; when all of it is done, one last check. */
function wantedTasks(media: Media, tasks: readonly Task[]): NewTask[] {
  const { mediaId, plan } = media
  if (!plan) return [{ mediaId, taskId: 'probe', planId: '', kind: 'probe' }]
  const work = plan.tasks.map((task) => newTask(mediaId, plan, task.taskId, task.kind))
  const done = work.every((task) => tasks.some((row) => row.taskId === task.taskId && row.state === 'done'))
  return done ? [...work, newTask(mediaId, plan, 'check', 'check')] : work
}

function newTask(mediaId: string, plan: Plan, taskId: string, kind: NewTask['kind']): NewTask {
  return { mediaId, taskId, planId: plan.planId, kind }
}

function isAtWork(task: Task, now: number): boolean {
  if (task.state === 'done' || task.state === 'failed' || isOver(task, now)) return false
  return task.state === 'running' || task.dispatchedAt > 0
}

/** Whether this attempt has ended without success: it said so, somebody saw it die, or its lease ran out. */
function isOver(task: Task, now: number): boolean {
  return task.endedAttempt >= task.attempt || (task.state === 'running' && task.leaseUntil < now)
}

function moveOf(task: Task, media: Media, now: number, limits: PipelineLimits): Move {
  if (isCancelled(task, media)) return 'revive'
  if (task.state === 'done' || task.state === 'failed') return 'wait'
  const next = task.attempt < limits.maxAttempts ? 'raise' : 'fail'
  if (isOver(task, now)) return next
  if (task.state === 'running') return 'wait'
  if (task.dispatchedAt === 0) return 'dispatch'
  const waited = now - task.dispatchedAt
  if (waited > limits.abandonMs) return next
  return waited > limits.redispatchMs ? 'repeat' : 'wait'
}
