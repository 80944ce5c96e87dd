import { expect, test } from 'vitest'
import { onFailure } from '../../../functions/mps-callback/on-failure.ts'
import { tasksTable } from '../../../shared/tables/tasks.ts'
import { memoryTables } from '../../fakes/tables.ts'

const TASK = { mediaId: 'media00000000001', taskId: 'v0', planId: 'p1', kind: 'video', attempt: 1 } as const

async function failed(attempt: number, arrange: (tasks: ReturnType<typeof tasksTable>) => Promise<unknown>) {
  const tasks = tasksTable(memoryTables())
  const driven: string[] = []
  await tasks.create(TASK)
  await arrange(tasks)
  const event = { requestContext: {}, requestPayload: JSON.stringify({ ...TASK, attempt }), responseContext: {} }
  await onFailure(event, { tasks, drive: async (mediaId) => void driven.push(mediaId) })
  const [task] = await tasks.all(TASK.mediaId)
  return { task, driven }
}

test('frees the lease of a worker that was killed and looks again', async () => {
  const { task, driven } = await failed(1, (tasks) => tasks.claim(TASK, 'worker', 100_000, 1))
  expect(task).toMatchObject({ state: 'queued', endedAttempt: 1, leaseUntil: 0, error: { code: 'worker_lost' } })
  expect(driven).toEqual([TASK.mediaId])
})

test('leaves a later attempt alone', async () => {
  const { task } = await failed(1, (tasks) => tasks.raise(TASK))
  expect(task).toMatchObject({ attempt: 2, endedAttempt: 1, error: undefined })
})

test('leaves a task alone that was done before its instance died', async () => {
  const { task, driven } = await failed(1, async (tasks) => {
    await tasks.claim(TASK, 'worker', 100_000, 1)
    await tasks.finish(TASK, 'worker')
  })
  expect(task).toMatchObject({ state: 'done' })
  expect(driven).toEqual([TASK.mediaId])
})
