import { describe, expect, test } from 'vitest'
import { nextLook } from '../../../functions/sweep/next-look.ts'
import { onTimer } from '../../../functions/sweep/on-timer.ts'
import { accept } from '../../../shared/accept.ts'
import { type Task, tasksTable } from '../../../shared/tables/tasks.ts'
import { DAY, film, HOUR, NOW, newWorld as newUsualWorld, type World, waiting } from '../world.ts'

const { uploadId, videoId, mediaId, key } = waiting

/** Gives up soon, since most of these are about something else than waiting. */
const newWorld = () => newUsualWorld({ limits: { abandonMs: 150_000 } })

async function withVideo(): Promise<World> {
  const world = newWorld()
  await world.deps.uploads.create(waiting)
  world.bucket.set(key, film)
  await accept(waiting, world.deps)
  return world
}

async function deletedAt(at: number): Promise<World> {
  const world = await withVideo()
  const video = await world.deps.videos.find(videoId)
  if (!video) throw new Error('expected the video')
  await world.deps.due.put(`video#${videoId}`, at)
  await world.deps.videos.markDeleted(video, at)
  return world
}

const statusOf = async (world: World) => (await world.deps.videos.find(videoId))?.derived.status

describe('a task', () => {
  test('whose worker died in silence is tried again soon after its lease has ended', async () => {
    const world = await withVideo()
    const probe = { mediaId, taskId: 'probe', attempt: 1 }
    await tasksTable(world.tables).claim(probe, 'w:1', NOW + 90_000, NOW)
    await world.settle(NOW + 180_000)
    expect(world.invocations).toEqual([`t-${mediaId}-none-probe-1`, `t-${mediaId}-none-probe-2`])
  })

  test('that was never handed out is handed out', async () => {
    const world = newWorld()
    await world.deps.uploads.create(waiting)
    world.bucket.set(key, film)
    await accept(waiting, { ...world.deps, drive: async () => {} })
    expect(world.invocations).toEqual([])
    await world.settle(NOW + 2 * 60_000)
    expect(world.invocations).toEqual([`t-${mediaId}-none-probe-1`])
  })

  test('that is renewed is left alone, and the video keeps one hint', async () => {
    const world = await withVideo()
    const tasks = tasksTable(world.tables)
    const probe = { mediaId, taskId: 'probe', attempt: 1 }
    await tasks.claim(probe, 'w:1', NOW + 90_000, NOW)
    await world.settle(NOW + HOUR, async () => {
      await tasks.renew(probe, 'w:1', world.clock.now + 90_000)
      await world.sweep()
    })
    expect(world.invocations).toHaveLength(1)
    expect(world.tables.rows('due').filter(({ ref }) => ref === `video#${videoId}`)).toHaveLength(1)
  })
})

describe('a video that has ended', () => {
  test('is no longer looked at', async () => {
    const world = await withVideo()
    await world.settle()
    expect(await statusOf(world)).toBe('errored')
    expect(world.tables.rows('due')).toEqual([])
  })
})

describe('a deleted video', () => {
  test('stays for as long as it can be restored, and can be', async () => {
    const world = await deletedAt(NOW)
    await world.settle(NOW + 7 * DAY - 1)
    const video = await world.deps.videos.find(videoId)
    expect(video).toMatchObject({ purgingAt: 0 })
    expect([...world.bucket.keys()]).toEqual([key])
    expect(video && (await world.deps.videos.restore(video))).toBe(true)
    await world.settle()
    expect(await world.deps.videos.find(videoId)).toMatchObject({ deletedAt: 0, listedAt: NOW })
    expect([...world.bucket.keys()]).toEqual([key])
  })

  test('cannot be restored once its removal has begun', async () => {
    const world = await deletedAt(NOW)
    const video = await world.deps.videos.find(videoId)
    if (!video) throw new Error('expected the video')
    await world.deps.videos.markPurging(video, NOW)
    const purging = await world.deps.videos.find(videoId)
    expect(await world.deps.videos.restore(video)).toBe(false)
    expect(purging && (await world.deps.videos.restore(purging))).toBe(false)
  })

  test('loses its objects only when every lease and a while more are past', async () => {
    const world = await deletedAt(NOW)
    const purgeAt = NOW + 7 * DAY
    const probe = { mediaId, taskId: 'probe', attempt: 1 }
    await tasksTable(world.tables).claim(probe, 'w:1', purgeAt + HOUR, NOW)
    await world.settle(purgeAt + HOUR + 119_000)
    expect([...world.bucket.keys()]).toEqual([key])
    expect(world.tables.rows('tasks')).toMatchObject([{ state: 'failed' }])
    await world.settle(purgeAt + HOUR + 5 * 60_000)
    expect(world.bucket.size).toBe(0)
  })

  test('takes along what a forgotten worker stores between the two looks', async () => {
    const world = await deletedAt(NOW)
    await world.settle(NOW + 7 * DAY + 10 * 60_000)
    expect(world.bucket.size).toBe(0)
    world.bucket.set(`m/${mediaId}/p1/360p/9.ts`, film)
    world.parts.add(`m/${mediaId}/p1/360p/10.ts`)
    await world.settle()
    expect([...world.bucket.keys(), ...world.parts]).toEqual([])
    expect(world.tables.rows('media')).toEqual([])
  })

  test('leaves what another video shows, until that goes too', async () => {
    const world = await deletedAt(NOW)
    await world.deps.media.link(mediaId, 'video00000000002')
    await world.settle()
    expect(await world.deps.videos.find(videoId)).toBeUndefined()
    expect([...world.bucket.keys()]).toEqual([key])
    expect(world.tables.rows('media')).toMatchObject([{ state: 'live' }])
    await world.deps.media.unlink(mediaId, 'video00000000002')
    await world.deps.due.put(`media#${mediaId}`, world.clock.now)
    await world.settle(world.clock.now + DAY)
    expect(world.bucket.size).toBe(0)
    expect(world.tables.rows('media')).toEqual([])
  })
})

describe('a condemned media', () => {
  test('lives again when it was linked before the second look, and refuses links from then on', async () => {
    const world = await withVideo()
    const { media } = world.deps
    await media.unlink(mediaId, videoId)
    await media.move(mediaId, 'live', 'condemned')
    expect(await media.link(mediaId, 'video00000000002')).toBe(false)
    await world.deps.due.put(`media#${mediaId}`, NOW)
    await world.sweep()
    expect(await media.find(mediaId)).toMatchObject({ state: 'live' })
    expect(await media.link(mediaId, 'video00000000002')).toBe(true)
  })
})

describe('an abandoned upload', () => {
  test('tells its uploader for a while that it has expired', async () => {
    const world = newWorld()
    await world.deps.due.put(`upload#${uploadId}`, NOW + HOUR)
    await world.deps.uploads.create(waiting)
    world.parts.add(key)
    await world.settle(NOW + DAY - 1)
    expect(world.parts.size).toBe(1)
    await world.settle(NOW + DAY + 5 * 60_000)
    expect(world.tables.rows('uploads')).toMatchObject([{ state: 'expired' }])
    expect(world.parts.size).toBe(0)
  })

  test('loses what is written with rights that had not run out', async () => {
    const world = newWorld()
    await world.deps.due.put(`upload#${uploadId}`, NOW + DAY)
    await world.deps.uploads.create(waiting)
    await world.settle(NOW + DAY + 5 * 60_000)
    world.bucket.set(key, film)
    await world.settle(NOW + DAY + 3 * HOUR)
    expect(world.bucket.size).toBe(0)
  })

  test('becomes a video long before that if its bytes are there', async () => {
    const world = newWorld()
    await world.deps.due.put(`upload#${uploadId}`, NOW + 600_000)
    await world.deps.uploads.create(waiting)
    await world.settle(NOW + 600_000)
    world.bucket.set(key, film)
    await world.settle(NOW + 2 * HOUR)
    expect(world.tables.rows('videos')).toMatchObject([{ video_id: videoId }])
  })
})

describe('a run', () => {
  test('goes on with the others when a look fails, and tries that one later, at growing distances', async () => {
    const world = await withVideo()
    await world.deps.due.put('video#broken0000000000', NOW)
    const broken = { ...world.deps.videos, find: world.deps.videos.find }
    const deps = {
      ...world.deps,
      videos: {
        ...broken,
        find: (id: string) => (id.startsWith('broken') ? Promise.reject(new Error('down')) : broken.find(id)),
      },
    }
    const waits: number[] = []
    for (let tries = 0; tries < 4; tries += 1) {
      await onTimer({ triggerTime: '', triggerName: 't' }, deps)
      const hint = world.tables.rows('due').find(({ ref }) => ref === 'video#broken0000000000')
      waits.push(Number(hint?.due_at) - world.clock.now)
      world.clock.now = Number(hint?.due_at)
    }
    expect(waits).toEqual([120_000, 240_000, 480_000, 960_000])
    expect(await statusOf(world)).not.toBe(undefined)
    expect(world.invocations.length).toBeGreaterThan(1)
  })

  test('that has used up its time leaves the rest to the next one', async () => {
    const world = newWorld()
    for (let n = 0; n < 40; n += 1) await world.deps.due.put(`video#gone${n}`, NOW)
    let reads = 0
    const find = async () => {
      reads += 1
      world.clock.now += 10_000
      return undefined
    }
    await onTimer({ triggerTime: '', triggerName: 't' }, { ...world.deps, videos: { ...world.deps.videos, find } })
    expect(reads).toBeLessThan(15)
    expect(world.tables.rows('due').length).toBe(40 - reads)
    expect(world.tables.rows('cursors')).toEqual([])
    await world.sweep()
    expect(world.tables.rows('due')).toEqual([])
  })

  test('refuses what is no event of a timer', async () => {
    await expect(onTimer({ events: [] }, newWorld().deps)).rejects.toThrow()
  })
})

describe('the audit', () => {
  test('walks through everything in small steps, once a day, and goes on after a break', async () => {
    const world = newWorld()
    for (let n = 0; n < 120; n += 1) {
      const id = `orphan${String(n).padStart(10, '0')}`
      world.bucket.set(`m/${id}/p1/360p/0.ts`, film)
    }
    const steps: number[] = []
    for (let run = 0; run < 12; run += 1) {
      world.clock.now += 60_000
      await world.sweep()
      steps.push(world.bucket.size)
    }
    expect(steps.slice(0, 4)).toEqual([120, 120, 120, 120])
    expect(steps.at(-1)).toBe(0)
    expect(Math.max(...steps.map((left, run) => (steps[run - 1] ?? 120) - left))).toBe(50)
    world.bucket.set('m/orphan/p1/360p/0.ts', film)
    await world.sweep()
    expect(world.bucket.size).toBe(1)
    world.clock.now += DAY
    for (let run = 0; run < 8; run += 1) {
      world.clock.now += 60_000
      await world.sweep()
    }
    expect(world.bucket.size).toBe(0)
  })

  test('leaves alone what is on its way', async () => {
    const world = await withVideo()
    for (const row of world.tables.rows('due')) {
      const ref = String(row.ref) as `video#${string}`
      await world.deps.due.remove([{ shard: Number(row.shard), dueAt: Number(row.due_at), ref, failures: 0 }])
    }
    for (let run = 0; run < 6; run += 1) await world.sweep()
    expect(world.tables.rows('due')).toEqual([])
    expect([...world.bucket.keys()]).toEqual([key])
  })
})

describe('a video that is being made is looked at again', () => {
  const task = {
    ...{ mediaId, taskId: 'v0', planId: 'p', kind: 'video' as const, attempt: 1, endedAttempt: 0, leaseOwner: '' },
    ...{ dispatchedAt: NOW, error: undefined },
  } satisfies Partial<Task>
  const running = { ...task, state: 'running', leaseUntil: NOW + 75_000 } as const
  const queued = { ...task, state: 'queued', leaseUntil: 0 } as const

  test.each([
    ['a minute after it was made', 0, [queued], 60_000],
    ['later when it has waited long', 10 * 60_000, [queued], 240_000],
    ['every eight minutes at last', 10 * HOUR, [queued], 480_000],
    ['every two minutes while somebody works on it', 10 * HOUR, [queued, running], 120_000],
  ])('%s', (_what, age, tasks, expected) => {
    expect(nextLook(NOW - age, tasks, NOW) - NOW).toBe(expected)
  })
})
