import { describe, expect, test } from 'vitest'
import { advance, PIPELINE_LIMITS, type View } from '../../shared/pipeline.ts'
import { plannedRenditions } from '../../shared/tables/renditions.ts'
import { plannedRuns, type SegmentRun } from '../../shared/tables/segments.ts'
import type { Task } from '../../shared/tables/tasks.ts'
import { NOTHING_YET } from '../../shared/tables/videos.ts'
import { videoError } from '../../shared/video-errors.ts'
import { smallPlan } from './plans.ts'

const NOW = 10_000_000
const MEDIA = 'media00000000001'
const plan = smallPlan()
const cancelled = videoError('cancelled')

function task(over: Partial<Task>): Task {
  return {
    mediaId: MEDIA,
    taskId: 'v0',
    planId: plan.planId,
    kind: 'video',
    state: 'queued',
    attempt: 1,
    endedAttempt: 0,
    leaseOwner: '',
    leaseUntil: 0,
    dispatchedAt: NOW - 1000,
    error: undefined,
    ...over,
  }
}

const audioTask = (over: Partial<Task>) => task({ taskId: 'audio', kind: 'audio', ...over })

function runs(counts: Record<string, number>): SegmentRun[] {
  return plannedRuns(MEDIA, plan).map((run) => {
    const count = counts[run.rendition] ?? 0
    return { ...run, count, sizesBytes: run.durationsUs.slice(0, count).map(() => 1000) }
  })
}

function view(over: {
  planned?: boolean
  tasks?: Task[]
  runs?: SegmentRun[]
  deletedAt?: number
  fault?: boolean
}): View {
  const planned = over.planned ?? true
  return {
    video: {
      videoId: 'video00000000001',
      ownerId: 'o',
      mediaId: MEDIA,
      title: 't',
      sourceContext: '',
      classId: '',
      playbackIds: [],
      sizeBytes: 1,
      sourceKey: 'k',
      listedAt: 1,
      createdAt: 1,
      deletedAt: over.deletedAt ?? 0,
      purgingAt: 0,
      version: 1,
      derived: NOTHING_YET,
    },
    media: {
      mediaId: MEDIA,
      state: 'live',
      sourceKey: 'k',
      sourceEtag: 'e',
      sizeBytes: 1,
      crc64: '1',
      fault: over.fault ? videoError('source_changed') : undefined,
      planId: planned ? plan.planId : '',
      plan: planned ? plan : undefined,
      info: undefined,
      emptiedAt: 0,
    },
    tasks: over.tasks ?? [],
    renditions: planned ? plannedRenditions(MEDIA, plan) : [],
    runs: over.runs ?? runs({}),
  }
}

const derivedOf = (step: ReturnType<typeof advance>) =>
  step.writes.flatMap((write) => (write.do === 'save video' ? [write.derived] : []))[0]

test('a new media is probed first', () => {
  const step = advance(view({ planned: false }), NOW)
  expect(step.writes.map((write) => write.do)).toEqual(['create task'])
  expect(step.dispatches).toMatchObject([{ taskId: 'probe', kind: 'probe', planId: '', attempt: 1 }])
})

test('the sound is dispatched before the picture', () => {
  expect(advance(view({}), NOW).dispatches.map((message) => message.taskId)).toEqual(['audio', 'v0'])
})

test('rows of a plan are written before its tasks', () => {
  const step = advance({ ...view({}), renditions: [], runs: [] }, NOW)
  const kinds = [...new Set(step.writes.map((write) => write.do))]
  expect(kinds.slice(0, 3)).toEqual(['create rendition', 'create run', 'create task'])
})

test('rows and tasks of another plan do not count', () => {
  const other = { ...runs({ '720p': 3, '360p': 3, audio: 3 })[0], planId: 'other' } as SegmentRun
  const step = advance(view({ tasks: [task({ planId: 'other', state: 'done' })], runs: [other] }), NOW)
  expect(derivedOf(step)?.playable).toBe(false)
  expect(step.dispatches.map((message) => message.taskId)).toContain('v0')
})

describe('one task', () => {
  const only = (one: Task) => advance(view({ tasks: [audioTask({ state: 'done' }), one] }), NOW)

  test.each([
    ['dispatched a moment ago', task({}), []],
    ['dispatched over a minute ago and not taken: the same attempt again', task({ dispatchedAt: NOW - 61_000 }), [1]],
    ['never dispatched', task({ dispatchedAt: 0 }), [1]],
    ['running under a lease', task({ state: 'running', leaseUntil: NOW + 1 }), []],
    ['running past its lease: the next attempt', task({ state: 'running', leaseUntil: NOW - 1 }), [2]],
    ['given up: the next attempt', task({ endedAttempt: 1 }), [2]],
    [
      'cancelled with a video that is not deleted any more: the next attempt',
      task({ state: 'failed', error: cancelled }),
      [2],
    ],
    ['cancelled in its last attempt: one more', task({ state: 'failed', attempt: 3, error: cancelled }), [4]],
    ['not taken for fifteen minutes: the next attempt', task({ dispatchedAt: NOW - 901_000 }), [2]],
  ])('%s', (_name, one, attempts) => {
    expect(only(one).dispatches.map((message) => message.attempt)).toEqual(attempts)
  })

  test('fails with its last reason after three attempts', () => {
    const error = videoError('output_mismatch')
    const step = only(task({ attempt: 3, endedAttempt: 3, error }))
    expect(step.dispatches).toEqual([])
    expect(step.writes).toContainEqual({ do: 'fail task', task: expect.anything(), error })
  })
})

test('no more tasks are at work at once than allowed', () => {
  const step = advance(view({ tasks: [] }), NOW, { ...PIPELINE_LIMITS, maxRunning: 1 })
  expect(step.dispatches.map((message) => message.taskId)).toEqual(['audio'])
})

test('a video can be played once every rendition, sound included, has its first segment', () => {
  const two = advance(view({ runs: runs({ '720p': 1, '360p': 1 }) }), NOW)
  expect(derivedOf(two)?.playable).toBe(false)
  const all = advance(view({ runs: runs({ '720p': 1, '360p': 1, audio: 1 }) }), NOW)
  expect(derivedOf(all)).toMatchObject({ playable: true, status: 'processing', progress: 33 })
})

test('when all tasks are done the last check runs, and only then the video is ready', () => {
  const done = [audioTask({ state: 'done' }), task({ state: 'done' })]
  const full = runs({ '720p': 3, '360p': 3, audio: 3 })
  const checking = advance(view({ tasks: done, runs: full }), NOW)
  expect(checking.dispatches).toMatchObject([{ taskId: 'check', kind: 'check' }])
  expect(derivedOf(checking)).toMatchObject({ status: 'processing', progress: 97 })
  const checked = task({ taskId: 'check', kind: 'check', state: 'done' })
  const ready = advance(view({ tasks: [...done, checked], runs: full }), NOW)
  expect(derivedOf(ready)).toMatchObject({ status: 'ready', progress: 100, playable: true })
  expect(ready.dispatches).toEqual([])
})

test('a task that failed for good ends the video with its reason, and what is there stays playable', () => {
  const failed = task({ state: 'failed', error: videoError('source_damaged') })
  const step = advance(view({ tasks: [failed], runs: runs({ '720p': 1, '360p': 1, audio: 1 }) }), NOW)
  expect(derivedOf(step)).toMatchObject({ status: 'errored', playable: true, error: { code: 'source_damaged' } })
  expect(step.dispatches).toEqual([])
})

test('a fault of the source ends the video whatever its tasks say', () => {
  const step = advance(view({ fault: true, tasks: [audioTask({ state: 'running', leaseUntil: NOW + 1 })] }), NOW)
  expect(derivedOf(step)).toMatchObject({ status: 'errored', error: { code: 'source_changed' } })
  expect(step.dispatches).toEqual([])
})

test('a task that was cancelled is no reason why a video failed, unless its media is being removed', () => {
  const tasks = [audioTask({ state: 'done' }), task({ state: 'failed', error: cancelled })]
  const restored = view({ tasks })
  const step = advance(restored, NOW)
  expect(derivedOf(step)?.error).toBeUndefined()
  expect(step.writes).toContainEqual({ do: 'revive task', task: tasks[1] })
  const removed = advance({ ...restored, media: { ...restored.media, state: 'purging' } }, NOW)
  expect(derivedOf(removed)).toMatchObject({ status: 'errored', error: { code: 'cancelled' } })
  expect(removed.dispatches).toEqual([])
})

test('a deleted video needs nothing', () => {
  expect(advance(view({ deletedAt: 1 }), NOW)).toEqual({ writes: [], dispatches: [] })
})
