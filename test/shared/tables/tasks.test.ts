import { describe, expect, test } from 'vitest'
import { tasksTable } from '../../../shared/tables/tasks.ts'
import { videoError } from '../../../shared/video-errors.ts'
import { memoryTables } from '../../fakes/tables.ts'

const TASK = { mediaId: 'media00000000001', taskId: 'v0', planId: 'p1', kind: 'video', attempt: 1 } as const
const NEXT = { ...TASK, attempt: 2 }

async function created() {
  const tasks = tasksTable(memoryTables())
  await tasks.create(TASK)
  return tasks
}

describe('a lease', () => {
  test('is taken by one worker only', async () => {
    const tasks = await created()
    const claims = await Promise.all(['a', 'b', 'c'].map((owner) => tasks.claim(TASK, owner, 90_000, 1)))
    expect(claims.filter(Boolean)).toHaveLength(1)
  })

  test('is not renewed for somebody else, nor after the attempt was ended', async () => {
    const tasks = await created()
    await tasks.claim(TASK, 'a', 90_000, 1)
    expect(await tasks.renew(TASK, 'b', 99_000)).toBe(false)
    expect(await tasks.renew(TASK, 'a', 99_000)).toBe(true)
    await tasks.endAttempt(TASK, videoError('worker_lost'))
    expect(await tasks.renew(TASK, 'a', 99_000)).toBe(false)
  })

  test('may be taken again when it has run out', async () => {
    const tasks = await created()
    await tasks.claim(TASK, 'a', 90_000, 1)
    expect(await tasks.claim(TASK, 'b', 190_000, 89_000)).toBe(false)
    expect(await tasks.claim(TASK, 'b', 190_000, 90_001)).toBe(true)
    expect(await tasks.finish(TASK, 'a')).toBe(false)
  })

  test('passes to the same invocation when it is delivered again, and to no other', async () => {
    const tasks = await created()
    await tasks.claim(TASK, 'invocation1:a', 90_000, 1)
    expect(await tasks.claim(TASK, 'invocation2:b', 90_000, 2)).toBe(false)
    expect(await tasks.claim(TASK, 'invocation1:c', 90_000, 2)).toBe(true)
    expect(await tasks.renew(TASK, 'invocation1:a', 99_000)).toBe(false)
    expect(await tasks.finish(TASK, 'invocation1:c')).toBe(true)
    expect(await tasks.claim(TASK, 'invocation1:d', 90_000, 3)).toBe(false)
  })

  test('does not pass on when the attempt was given up', async () => {
    const tasks = await created()
    await tasks.claim(TASK, 'invocation1:a', 90_000, 1)
    await tasks.endAttempt(TASK, videoError('worker_lost'))
    expect(await tasks.claim(TASK, 'invocation1:b', 90_000, 2)).toBe(false)
  })

  test('cannot be had on an attempt that is over', async () => {
    const tasks = await created()
    await tasks.raise(TASK)
    expect(await tasks.claim(TASK, 'a', 90_000, 1)).toBe(false)
    expect(await tasks.claim(NEXT, 'a', 90_000, 1)).toBe(true)
  })
})

test('an attempt is raised once, however many ask', async () => {
  const tasks = await created()
  const raised = await Promise.all([tasks.raise(TASK), tasks.raise(TASK), tasks.raise(TASK)])
  expect(raised.filter(Boolean)).toHaveLength(1)
  expect((await tasks.all(TASK.mediaId))[0]).toMatchObject({ attempt: 2, endedAttempt: 1, dispatchedAt: 0 })
})

test('a finished task stays finished', async () => {
  const tasks = await created()
  await tasks.claim(TASK, 'a', 90_000, 1)
  await tasks.finish(TASK, 'a')
  expect(await tasks.raise(TASK)).toBe(false)
  expect(await tasks.fail(TASK, videoError('cancelled'))).toBe(false)
  expect(await tasks.endAttempt(TASK, videoError('worker_lost'))).toBe(false)
  expect((await tasks.all(TASK.mediaId))[0]).toMatchObject({ state: 'done', error: undefined })
})

test('giving up says why and frees the task for the next attempt', async () => {
  const tasks = await created()
  await tasks.claim(TASK, 'a', 90_000, 1)
  await tasks.giveUp(TASK, 'a', videoError('transcode_failed'), false)
  expect((await tasks.all(TASK.mediaId))[0]).toMatchObject({
    state: 'queued',
    endedAttempt: 1,
    leaseUntil: 0,
    error: { code: 'transcode_failed' },
  })
})

describe('a task that was ended with its video', () => {
  test('goes on with another attempt, once, and a worker of the one before stays refused', async () => {
    const tasks = await created()
    await tasks.claim(TASK, 'a', 90_000, 1)
    await tasks.fail(TASK, videoError('cancelled'))
    const revived = await Promise.all([tasks.revive(TASK), tasks.revive(TASK)])
    expect(revived.filter(Boolean)).toHaveLength(1)
    expect(await tasks.renew(TASK, 'a', 99_000)).toBe(false)
    expect(await tasks.claim(TASK, 'a', 99_000, 1)).toBe(false)
    expect(await tasks.claim(NEXT, 'b', 99_000, 1)).toBe(true)
  })

  test.each(['queued', 'done'])('is not one that is %s', async (state) => {
    const tasks = await created()
    if (state === 'done') await tasks.settle(TASK)
    expect(await tasks.revive(TASK)).toBe(false)
  })
})
