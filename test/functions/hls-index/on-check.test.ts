import { describe, expect, test } from 'vitest'
import { type Deps, onCheck } from '../../../functions/hls-index/on-check.ts'
import { AppError } from '../../../shared/errors.ts'
import { type MediaInfo, type Plan, segmentKey } from '../../../shared/plan.ts'
import type { Row } from '../../../shared/tables/client.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { plannedRenditions, renditionsTable } from '../../../shared/tables/renditions.ts'
import { plannedRuns, segmentsTable } from '../../../shared/tables/segments.ts'
import { tasksTable } from '../../../shared/tables/tasks.ts'
import { memoryTables } from '../../fakes/tables.ts'
import { smallPlan } from '../../shared/plans.ts'

const MEDIA = 'media00000000001'
const SIZE = 1000
const message = { mediaId: MEDIA, planId: 'plan1', taskId: 'check', kind: 'check', attempt: 1 }

/** A video whose every segment is listed and stored, and whose check is due. */
async function finished(plan: Plan = smallPlan()) {
  const tables = memoryTables()
  const objects = new Map<string, number>()
  const notices: string[] = []
  const source = { etag: 'E1' as string | undefined }
  const deps: Deps = {
    tasks: tasksTable(tables),
    media: mediaTable(tables),
    renditions: renditionsTable(tables),
    segments: segmentsTable(tables),
    objects: {
      async head(_, { ifMatch }) {
        if (source.etag !== undefined && source.etag !== ifMatch) throw new AppError('conflict', 'another object')
        return source.etag === undefined ? undefined : source
      },
      async *list(prefix) {
        for (const [key, size] of objects) if (key.startsWith(prefix)) yield { key, size }
      },
    },
    notify: async (mediaId) => void notices.push(mediaId),
    now: () => 1_000_000,
    owner: 'me',
  }
  const media = mediaTable(tables)
  await media.create({ mediaId: MEDIA, sourceKey: 'k', sourceEtag: 'E1', sizeBytes: 1, crc64: '1' })
  await media.savePlan(MEDIA, plan, {} as MediaInfo)
  for (const rendition of plannedRenditions(MEDIA, plan)) await renditionsTable(tables).create(rendition)
  for (const run of plannedRuns(MEDIA, plan)) await segmentsTable(tables).create(run)
  const stored = plan.renditions.map(({ name, durationsUs }) => {
    for (const index of durationsUs.keys()) objects.set(segmentKey(MEDIA, plan.planId, name, index), SIZE)
    return { rendition: name, firstSegment: 0, sizesBytes: durationsUs.map(() => SIZE) }
  })
  await segmentsTable(tables).publish(MEDIA, plan.planId, stored)
  await deps.tasks.create({ mediaId: MEDIA, taskId: 'check', planId: plan.planId, kind: 'check' })
  const outcome = async () => {
    await onCheck(message, deps)
    const task = (await deps.tasks.all(MEDIA))[0]
    return { state: task?.state, code: task?.error?.code, message: task?.error?.message }
  }
  const alter = (table: string, key: Row, update: Row) =>
    tables.write({ table, key: Object.entries(key) as [string, string][], expect: 'present', update })
  return { tables, objects, notices, source, deps, outcome, alter }
}

const done = { state: 'done', code: undefined, message: undefined }

describe('an output that is whole', () => {
  test('passes, and whoever drives the video is told', async () => {
    const { outcome, notices } = await finished()
    expect(await outcome()).toEqual(done)
    expect(notices).toEqual([MEDIA])
  })

  test('passes in several rows for each rendition', async () => {
    expect(await (await finished(smallPlan(600))).outcome()).toEqual(done)
  })

  test('passes without sound', async () => {
    const { renditions, tasks, ...rest } = smallPlan()
    const silent = { ...rest, audio: null, renditions: renditions.slice(0, 2), tasks: tasks.slice(1) }
    expect(await (await finished(silent)).outcome()).toEqual(done)
  })

  test('passes when objects of another plan lie about', async () => {
    const { outcome, objects } = await finished()
    objects.set(segmentKey(MEDIA, 'plan0', '720p', 0), 1)
    expect(await outcome()).toEqual(done)
  })

  test('is told of again when the check is delivered again: the first one may have died in between', async () => {
    const { outcome, notices } = await finished()
    await outcome()
    expect(await outcome()).toEqual(done)
    expect(notices).toEqual([MEDIA, MEDIA])
  })

  test('passes although nobody could be told: it is found by whoever looks next', async () => {
    const { outcome, deps } = await finished()
    deps.notify = async () => Promise.reject(new Error('no answer'))
    expect(await outcome()).toEqual(done)
  })
})

describe('an output that is not', () => {
  const [rendition, first] = ['360p', 0]
  const run = { media_id: MEDIA, rendition, first_segment: first }
  type World = Awaited<ReturnType<typeof finished>>

  test.each<[string, (world: World) => unknown, RegExp]>([
    [
      'an object is missing',
      ({ objects }) => objects.delete(segmentKey(MEDIA, 'plan1', '360p', 1)),
      /1 of 360p is listed but not stored/,
    ],
    [
      'an object has another size',
      ({ objects }) => objects.set(segmentKey(MEDIA, 'plan1', 'audio', 2), 5),
      /2 of audio has 5 bytes/,
    ],
    ['a row lists less', ({ alter }) => alter('segments', run, { count: 2 }), /2 of 360p is not listed/],
    [
      'a row is of another plan',
      ({ alter }) => alter('segments', run, { plan_id: 'plan0' }),
      /0 of 360p is not listed/,
    ],
    [
      'a length is not the planned one',
      ({ alter }) => alter('segments', run, { durations: '[4000000,4000000,5]' }),
      /2 of 360p is listed with another length/,
    ],
    [
      'a rendition has no row',
      ({ alter }) => alter('renditions', { media_id: MEDIA, rendition }, { plan_id: 'plan0' }),
      /row of rendition 360p is missing/,
    ],
    [
      'a rendition is described differently',
      ({ alter }) => alter('renditions', { media_id: MEDIA, rendition }, { width: 2 }),
      /360p has another width/,
    ],
  ])('because %s is given up, and can be tried again', async (_, damage, sentence) => {
    const world = await finished()
    await damage(world)
    expect(await world.outcome()).toEqual({
      state: 'queued',
      code: 'output_incomplete',
      message: expect.stringMatching(sentence),
    })
    expect(world.notices).toEqual([MEDIA])
  })

  test('because its playlists break a rule of HLS is given up', async () => {
    const { outcome } = await finished({ ...smallPlan(), targetDuration: 2 })
    expect(await outcome()).toMatchObject({
      code: 'output_incomplete',
      message: expect.stringMatching(/target duration/),
    })
  })
})

describe('a source that is no longer the one that was accepted', () => {
  test.each([
    ['replaced', 'E2', 'source_changed'],
    ['removed', undefined, 'source_missing'],
  ])('because it was %s ends the task for good', async (_, etag, code) => {
    const { outcome, source } = await finished()
    source.etag = etag
    expect(await outcome()).toMatchObject({ state: 'failed', code })
  })

  test('may not be told from a broken bucket', async () => {
    const { outcome, deps } = await finished()
    deps.objects.head = async () => Promise.reject(new AppError('upstream_busy', 'OSS is busy'))
    expect(await outcome()).toMatchObject({ state: 'queued', code: 'transcode_failed' })
  })
})

describe('a check', () => {
  test('that another worker holds is left alone', async () => {
    const { deps } = await finished()
    await deps.tasks.claim({ mediaId: MEDIA, taskId: 'check', attempt: 1 }, 'other', 2_000_000, 1)
    await onCheck(message, deps)
    expect((await deps.tasks.all(MEDIA))[0]).toMatchObject({ state: 'running', leaseOwner: 'other' })
  })

  test('of another plan does not pass', async () => {
    const { deps } = await finished()
    await onCheck({ ...message, planId: 'plan0' }, deps)
    expect((await deps.tasks.all(MEDIA))[0]?.state).toBe('queued')
  })

  test.each([[{}], [{ ...message, kind: 'video' }], [null]])(
    'is asked for by its own kind of message, not %j',
    async (event) => {
      await expect(onCheck(event, (await finished()).deps)).rejects.toThrow()
    },
  )
})
