import type { Task } from '../async-queue.ts'
import { ManifestError, oneOf } from '../manifest-error.ts'
import { type ApiCall, type ApiContext, notFound, type Operation, page, part } from './call.ts'
import { functionArn, functionOf } from './functions.ts'

/** GetAsyncTask. */
export const getAsyncTask: Operation = (call, context) => describe(taskOf(call, context), context, true)

/** ListAsyncTasks: the newest first, unless it is said otherwise. */
export const listAsyncTasks: Operation = (call, context) => {
  const { functionName } = functionOf(call, context)
  const { query } = call
  const order = oneOf(query.get('sortOrderByTime') || 'desc', 'sortOrderByTime', ['asc', 'desc'])
  const matches = filterOf(query)
  const ordered = context.queue
    .tasks(functionName)
    .filter(matches)
    .sort((a, b) => (a.startedAt - b.startedAt || (a.taskId < b.taskId ? -1 : 1)) * (order === 'asc' ? 1 : -1))
  const { items, ...next } = page(ordered, ({ taskId }) => taskId, call)
  const withPayload = query.get('includePayload') === 'true'
  return { tasks: items.map((task) => describe(task, context, withPayload)), ...next }
}

/** StopAsyncTask: what waits is taken back, what runs loses its instance. */
export const stopAsyncTask: Operation = (call, context) => {
  const { functionName, taskId } = taskOf(call, context)
  if (context.queue.stop(functionName, taskId)) return undefined
  throw new ManifestError('taskId', `the task ${taskId} is over`)
}

function filterOf(query: URLSearchParams): (task: Task) => boolean {
  const prefix = query.get('prefix') ?? ''
  const status = query.get('status') ?? ''
  const qualifier = query.get('qualifier') ?? ''
  const begin = readTime(query, 'startedTimeBegin') ?? 0
  const end = readTime(query, 'startedTimeEnd') ?? Number.POSITIVE_INFINITY
  return (task) =>
    task.taskId.startsWith(prefix) &&
    (status === '' || task.status === status) &&
    (qualifier === '' || (task.qualifier ?? 'LATEST') === qualifier) &&
    task.startedAt >= begin &&
    task.startedAt <= end
}

function readTime(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (!value) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new ManifestError(name, 'expected milliseconds since the epoch')
}

function taskOf(call: ApiCall, context: ApiContext): Task {
  const { functionName } = functionOf(call, context)
  const taskId = part(call, 'taskId')
  const found = context.queue.task(functionName, taskId)
  if (!found) throw notFound('AsyncTaskNotFound', `there is no task ${taskId} of ${functionName}`)
  return found
}

function describe(task: Task, context: ApiContext, withPayload: boolean): object {
  const { payload, returned, events = [] } = task
  return {
    taskId: task.taskId,
    requestId: task.requestId,
    functionArn: functionArn(context, task.functionName),
    qualifier: task.qualifier ?? 'LATEST',
    status: task.status,
    startedTime: task.startedAt,
    ...(task.endedAt === undefined ? {} : { endTime: task.endedAt, durationMs: task.endedAt - task.startedAt }),
    alreadyRetriedTimes: task.retries,
    ...(task.error === undefined ? {} : { taskErrorMessage: task.error }),
    ...(withPayload && payload !== undefined ? { taskPayload: payload } : {}),
    ...(withPayload && returned !== undefined ? { returnPayload: returned } : {}),
    events: events.map(({ status, at }, index) => ({ eventId: index + 1, status, timestamp: at, eventDetail: '' })),
  }
}
