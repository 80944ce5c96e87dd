import { errorFields, log } from './log.ts'
import { advance, PIPELINE_LIMITS, type PipelineLimits, type Step, type StepWrite, type View } from './pipeline.ts'
import type { TaskMessage } from './plan.ts'
import type { TableClient } from './tables/client.ts'
import { AFTER_THE_FACT_MS, dueTable } from './tables/due.ts'
import { mediaTable } from './tables/media.ts'
import { renditionsTable } from './tables/renditions.ts'
import { segmentsTable } from './tables/segments.ts'
import { tasksTable } from './tables/tasks.ts'
import { videosTable } from './tables/videos.ts'

export interface DriveDeps {
  readonly tables: TableClient
  /** Hands one attempt to Function Compute; resolves as well when that attempt was handed over before. */
  dispatch(message: TaskMessage): Promise<void>
  now(): number
  /** Waits so that two who met on one row do not meet again at once. */
  pause(ms: number): Promise<void>
  readonly limits?: PipelineLimits
}

/** Rounds before the rest is left to a later look. */
const MAX_ROUNDS = 6
const HINT_GRID_MS = 10_000

/**
 * Looks at a media again: reads its rows, asks `advance` what comes next for each of its videos, carries it out, and
 * reads again until nothing is left to do. Safe to call at any time, any number of times, from several places at once.
 */
export async function drive(mediaId: string, deps: DriveDeps): Promise<void> {
  const tables = openTables(deps.tables)
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const views = await readViews(mediaId, tables)
    const steps = views.map((view) => ({ view, step: advance(view, deps.now(), deps.limits ?? PIPELINE_LIMITS) }))
    const wanted = steps.filter(({ step }) => hasWork(step))
    if (wanted.length === 0) return
    for (const { view, step } of wanted) {
      if (step.dispatches.length > 0) await tables.due.put(`video#${view.video.videoId}`, nextLook(deps.now()))
      await carryOut(step, tables, deps)
    }
    if (round > 1) await deps.pause(round * 40)
  }
  for (const view of await readViews(mediaId, tables)) {
    await tables.due.put(`video#${view.video.videoId}`, deps.now() + 5_000)
  }
}

/**
 * When to look again at what is handed out now: a lease that begins at once and is never renewed has ended by then. On a
 * grid, so that the hints of one busy minute are one row.
 */
function nextLook(now: number): number {
  return Math.ceil((now + AFTER_THE_FACT_MS) / HINT_GRID_MS) * HINT_GRID_MS
}

function hasWork(step: Step): boolean {
  return step.writes.length > 0 || step.dispatches.length > 0
}

type Tables = ReturnType<typeof openTables>

function openTables(client: TableClient) {
  return {
    videos: videosTable(client),
    media: mediaTable(client),
    tasks: tasksTable(client),
    renditions: renditionsTable(client),
    segments: segmentsTable(client),
    due: dueTable(client),
  }
}

async function readViews(mediaId: string, tables: Tables): Promise<View[]> {
  const [media, tasks, renditions, runs, videoIds] = await Promise.all([
    tables.media.find(mediaId),
    tables.tasks.all(mediaId),
    tables.renditions.all(mediaId),
    tables.segments.all(mediaId),
    tables.media.videoIds(mediaId),
  ])
  if (!media) return []
  const videos = await Promise.all(videoIds.map((videoId) => tables.videos.find(videoId)))
  return videos.flatMap((video) => (video ? [{ video, media, tasks, renditions, runs }] : []))
}

/** Rows first, so that a worker finds what it fills; a task whose row somebody else changed is left to the next look. */
async function carryOut(step: Step, tables: Tables, deps: DriveDeps): Promise<void> {
  const passed = new Set<string>()
  await Promise.all(step.writes.filter(isRow).map((write) => apply(write, tables)))
  for (const write of step.writes.filter((one) => !isRow(one))) {
    const won = await apply(write, tables)
    if (!won && (write.do === 'raise attempt' || write.do === 'revive task')) passed.add(write.task.taskId)
  }
  for (const message of step.dispatches) if (!passed.has(message.taskId)) await handOver(message, tables, deps)
}

function isRow(write: StepWrite): boolean {
  return write.do === 'create rendition' || write.do === 'create run'
}

function apply(write: StepWrite, tables: Tables): Promise<boolean> {
  switch (write.do) {
    case 'create rendition':
      return tables.renditions.create(write.rendition)
    case 'create run':
      return tables.segments.create(write.run)
    case 'create task':
      return tables.tasks.create(write.task)
    case 'raise attempt':
      return tables.tasks.raise(write.task)
    case 'revive task':
      return tables.tasks.revive(write.task)
    case 'settle task':
      return tables.tasks.settle(write.task)
    case 'fail task':
      return tables.tasks.fail(write.task, write.error)
    case 'save video':
      return tables.videos.saveDerived(write.video, write.derived)
  }
}

/** A task that could not be handed over stays queued and is found at the next look. */
async function handOver(message: TaskMessage, tables: Tables, deps: DriveDeps): Promise<void> {
  try {
    await deps.dispatch(message)
  } catch (error) {
    log('error', 'task not dispatched', { ...message, ...errorFields(error) })
    return
  }
  await tables.tasks.dispatched(message, deps.now())
}
