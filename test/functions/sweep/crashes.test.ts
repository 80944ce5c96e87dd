import { describe, expect, test } from 'vitest'
import { remove } from '../../../functions/videos/remove.ts'
import { accept } from '../../../shared/accept.ts'
import { segmentsTable } from '../../../shared/tables/segments.ts'
import { DAY, film, HOUR, NOW, newWorld as newUsualWorld, stateOf, type World, waiting } from '../world.ts'

const nothing = { tables: {}, objects: [], parts: [] }

/** Gives up soon, since a worker that never comes is waited for in most of these. */
const newWorld = () => newUsualWorld({ limits: { abandonMs: 150_000 } })

interface Scenario {
  readonly what: string
  prepare(world: World): Promise<void>
  /** What must be there in the end. */
  readonly end: object
}

async function begun(world: World): Promise<void> {
  await world.deps.due.put(`upload#${waiting.uploadId}`, NOW + HOUR)
  await world.deps.uploads.create(waiting)
}

/** A video whose worker died and whose every notice was lost. */
async function accepted(world: World): Promise<void> {
  await begun(world)
  world.bucket.set(waiting.key, film)
  await accept(waiting, world.deps)
}

async function deleted(world: World): Promise<void> {
  await accepted(world)
  const { mediaId, videoId } = waiting
  world.bucket.set(`m/${mediaId}/p1/360p/0.ts`, film)
  world.parts.add(waiting.key)
  const run = { mediaId, rendition: '360p', firstSegment: 0, planId: 'p1', durationsUs: [1], count: 1, sizesBytes: [1] }
  await segmentsTable(world.tables).create(run)
  const [key, put] = [[['video_id', videoId] as const, ['session_id', 's1'] as const], { watched_ms: 1 }]
  await world.tables.write({ table: 'sessions', key, expect: 'any', put })
  const video = await world.deps.videos.find(videoId)
  if (!video) throw new Error('expected the video')
  await remove(video, world.deps)
}

const scenarios: Scenario[] = [
  { what: 'an upload that is abandoned without a byte', prepare: begun, end: nothing },
  {
    what: 'an upload that is abandoned half-way',
    async prepare(world) {
      await begun(world)
      world.parts.add(waiting.key)
    },
    end: nothing,
  },
  {
    what: 'an upload that is cancelled while bytes still arrive',
    async prepare(world) {
      await begun(world)
      await world.deps.uploads.move(waiting.uploadId, 'waiting', 'cancelled')
      world.bucket.set(waiting.key, film)
    },
    end: nothing,
  },
  {
    what: 'a source that cannot be accepted',
    async prepare(world) {
      await begun(world)
      world.bucket.set(waiting.key, { ...film, size: 6000 })
    },
    end: nothing,
  },
  {
    what: 'an upload that nobody completed and whose event was lost',
    async prepare(world) {
      await begun(world)
      world.bucket.set(waiting.key, film)
    },
    end: {
      objects: [waiting.key],
      tables: { uploads: [{ state: 'done' }] },
    },
  },
  {
    what: 'a video whose workers all die in silence',
    prepare: accepted,
    end: {
      tables: { videos: [{ status: 'errored', error: expect.stringContaining('worker_lost') }] },
    },
  },
  { what: 'a deleted video', prepare: deleted, end: nothing },
]

async function ended(scenario: Scenario, run?: (world: World) => Promise<unknown>) {
  const world = newWorld()
  await scenario.prepare(world)
  await world.settle(NOW + 20 * DAY, run ? () => run(world) : world.sweep)
  return stateOf(world)
}

/** Runs on with a process that dies at its nth change, and with new ones from then on. */
async function endedAfterDeath(scenario: Scenario, nth: number, phase: 'before' | 'after') {
  const world = newWorld()
  await scenario.prepare(world)
  let changes = 0
  let dying = false
  world.observe(({ changes: isChange, phase: at }) => {
    if (!isChange) return
    if (at === 'before') changes += 1
    if (changes - 1 === nth && at === phase) dying = true
    if (dying) throw new Error('died')
  })
  await world.settle(NOW + 20 * DAY, async () => {
    await world.sweep().catch(() => {})
    dying = false
  })
  return { state: stateOf(world), died: changes > nth }
}

describe.each(scenarios)('$what', { timeout: 60_000 }, (scenario) => {
  test('comes to its end', async () => {
    expect(await ended(scenario)).toMatchObject(scenario.end)
  })

  test('comes to the same end when a run dies before or after any of its changes', async () => {
    const expected = await ended(scenario)
    let deaths = 0
    for (let nth = 0; ; nth += nth < 15 ? 1 : 4) {
      const before = await endedAfterDeath(scenario, nth, 'before')
      if (!before.died) break
      const after = await endedAfterDeath(scenario, nth, 'after')
      expect(before.state, `died before change ${nth}`).toEqual(expected)
      expect(after.state, `died after change ${nth}`).toEqual(expected)
      deaths += 1
    }
    expect(deaths).toBeGreaterThan(3)
  })

  test('comes to the same end when every run comes twice', async () => {
    const twice = (world: World) => Promise.all([world.sweep(), world.sweep()])
    expect(await ended(scenario, twice)).toEqual(await ended(scenario))
  })

  test('comes to the same end when most runs are lost', async () => {
    let runs = 0
    const seldom = (world: World) => {
      runs += 1
      return runs % 5 === 0 ? world.sweep() : Promise.resolve()
    }
    expect(await ended(scenario, seldom)).toEqual(await ended(scenario))
  })

  test('comes to the same end by the audit alone, when its hints are lost', async () => {
    const world = newWorld()
    await scenario.prepare(world)
    for (const row of world.tables.rows('due')) {
      const key = [
        ['shard', Number(row.shard)] as const,
        ['due_at', Number(row.due_at)] as const,
        ['ref', String(row.ref)] as const,
      ]
      await world.tables.write({ table: 'due', key, expect: 'any', delete: true })
    }
    for (let day = 0; day < 40; day += 1) {
      for (let minute = 0; minute < 12; minute += 1) {
        world.clock.now += 60_000
        await world.sweep()
      }
      await world.settle(world.clock.now + DAY)
      world.clock.now = Math.max(world.clock.now, NOW + (day + 1) * DAY)
    }
    expect(stateOf(world)).toEqual(await ended(scenario))
  })
})
