import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DriveDeps, drive } from '../../shared/drive.ts'
import { withLease } from '../../shared/lease.ts'
import { PIPELINE_LIMITS } from '../../shared/pipeline.ts'
import { invocationId, type TaskMessage } from '../../shared/plan.ts'
import type { TableClient } from '../../shared/tables/client.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { TaskFailure, type VideoErrorCode } from '../../shared/video-errors.ts'
import { memoryTables } from '../fakes/tables.ts'
import { SMALL_INFO, smallPlan } from './plans.ts'

const MEDIA = 'media00000000001'
const VIDEO = 'video00000000001'

/** A process dies at its nth call to the tables, before or after the call took effect. */
interface Death {
  readonly at: number
  readonly phase: 'before' | 'after'
}

interface WorkerFate {
  readonly death: Death | undefined
  /** The invocation never starts. */
  readonly lost: boolean
  /** Function Compute runs it twice. */
  readonly twice: boolean
  /** Nobody hears that it has ended. */
  readonly silent: boolean
}

const death = fc.option(fc.record({ at: fc.nat(14), phase: fc.constantFrom('before' as const, 'after' as const) }), {
  nil: undefined,
})
const fate = fc.record({ death, lost: fc.boolean(), twice: fc.boolean(), silent: fc.boolean() })
const schedule = fc.record({
  looks: fc.array(death, { minLength: 1, maxLength: 4 }),
  fates: fc.array(fate, { maxLength: 8 }),
  fault: fc.constant<VideoErrorCode | undefined>(undefined),
})

describe('a media driven through random deaths, losses, repeats and interleavings', { timeout: 60_000 }, () => {
  test('always ends in the same state', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, fc.scheduler(), async (chaos, scheduler) => {
        const world = await newWorld(scheduler, 100)
        await world.run(chaos)
        expect(world.endState()).toEqual(await peacefulEnd())
      }),
      { numRuns: 150 },
    )
  })

  test('ends ready, or errored with a reason, when attempts are limited', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, fc.scheduler(), async (chaos, scheduler) => {
        const world = await newWorld(scheduler, PIPELINE_LIMITS.maxAttempts)
        await world.run(chaos)
        const video = await videosTable(world.memory).find(VIDEO)
        expect(['ready', 'errored']).toContain(video?.derived.status)
        expect(video?.derived.error === undefined).toBe(video?.derived.status === 'ready')
      }),
      { numRuns: 60 },
    )
  })

  test('a fault of the source always ends the video with that fault', async () => {
    await fc.assert(
      fc.asyncProperty(schedule, fc.scheduler(), async (chaos, scheduler) => {
        const world = await newWorld(scheduler, 100)
        await world.run({ ...chaos, fault: 'not_a_video' })
        const video = await videosTable(world.memory).find(VIDEO)
        expect(video?.derived).toMatchObject({ status: 'errored', playable: false, error: { code: 'not_a_video' } })
      }),
      { numRuns: 40 },
    )
  })
})

interface Chaos {
  readonly looks: readonly (Death | undefined)[]
  readonly fates: readonly WorkerFate[]
  readonly fault: VideoErrorCode | undefined
}

async function peacefulEnd() {
  const world = await newWorld(undefined, 100)
  await world.run({ looks: [undefined], fates: [], fault: undefined })
  return world.endState()
}

async function newWorld(scheduler: fc.Scheduler | undefined, maxAttempts: number) {
  const memory = memoryTables()
  await mediaTable(memory).create({ mediaId: MEDIA, sourceKey: 'k', sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await mediaTable(memory).link(MEDIA, VIDEO)
  await videosTable(memory).create({
    videoId: VIDEO,
    ownerId: 'owner',
    mediaId: MEDIA,
    title: 't',
    sourceContext: '',
    classId: '',
    playbackIds: ['p'],
    sizeBytes: 1,
    sourceKey: 'k',
    createdAt: 1,
  })

  let clock = 1_000_000
  let workers = 0
  const queue: TaskMessage[] = []
  const taken = new Set<string>()
  const limits = { ...PIPELINE_LIMITS, maxAttempts }

  const depsOf = (fatal: Death | undefined): DriveDeps => ({
    tables: mortal(memory, fatal, scheduler),
    now: () => clock,
    pause: () => Promise.resolve(),
    limits,
    dispatch: async (message) => {
      const id = invocationId(message)
      if (taken.has(id)) return
      taken.add(id)
      queue.push(message)
    },
  })
  const look = (fatal: Death | undefined) => drive(MEDIA, depsOf(fatal)).catch(ignoreDeath)

  async function work(message: TaskMessage, mine: WorkerFate | undefined, fault: VideoErrorCode | undefined) {
    const tables = mortal(memory, mine?.death, scheduler)
    workers += 1
    const lease = { tasks: tasksTable(tables), now: () => clock, owner: `${invocationId(message)}:worker${workers}` }
    const done = await withLease(lease, message, () => effect(message, tables, fault)).catch(ignoreDeath)
    if (done !== undefined && !mine?.silent) await look(undefined)
  }

  async function deliver(fates: WorkerFate[], fault: VideoErrorCode | undefined) {
    while (queue.length > 0) {
      const batch = queue.splice(0).flatMap((message) => {
        const mine = fates.shift()
        if (mine?.lost) return []
        return mine?.twice
          ? [work(message, mine, fault), work(message, undefined, fault)]
          : [work(message, mine, fault)]
      })
      await settle(batch)
    }
  }

  async function settle(actors: Promise<unknown>[]) {
    const all = Promise.all(actors)
    if (scheduler) await scheduler.waitFor(all)
    else await all
  }

  return {
    memory,
    async run(chaos: Chaos) {
      const fates = [...chaos.fates]
      await settle(chaos.looks.map(look))
      await deliver(fates, chaos.fault)
      // What a timer does later: look again, until every lease and every patience has run out a few times.
      for (let hour = 0; hour < 14; hour += 1) {
        clock += 1_000_000
        await settle([look(undefined)])
        await deliver(fates, chaos.fault)
      }
    },
    endState: () => comparable(memory.dump()),
  }
}

/** What a worker of each kind leaves behind, in the order in which real workers write it. */
async function effect(message: TaskMessage, tables: TableClient, fault: VideoErrorCode | undefined): Promise<void> {
  const plan = smallPlan()
  if (message.kind === 'probe') {
    if (fault) throw new TaskFailure(fault)
    await mediaTable(tables).savePlan(MEDIA, plan, SMALL_INFO)
  }
  const task = plan.tasks.find((planned) => planned.taskId === message.taskId)
  for (let count = 1; task && count <= task.segmentCount; count += 1) {
    const sizesBytes = Array.from({ length: count }, () => 1000)
    const stored = task.renditions.map((rendition) => ({ rendition, firstSegment: 0, sizesBytes }))
    await segmentsTable(tables).publish(MEDIA, plan.planId, stored)
  }
}

class Died extends Error {}

function ignoreDeath(error: unknown): undefined {
  if (!(error instanceof Died)) throw error
}

/** A client whose owner dies at the nth call; with a scheduler, calls of all owners interleave at random. */
function mortal(tables: TableClient, fatal: Death | undefined, scheduler: fc.Scheduler | undefined): TableClient {
  let calls = 0
  let dead = false
  async function call<T>(effectOf: () => Promise<T>): Promise<T> {
    if (scheduler) await scheduler.schedule(Promise.resolve())
    if (dead) throw new Died()
    const mine = calls++
    dead = fatal !== undefined && mine === fatal.at
    if (dead && fatal?.phase === 'before') throw new Died()
    const result = await effectOf()
    if (dead) throw new Died()
    return result
  }
  return {
    get: (table, key) => call(() => tables.get(table, key)),
    write: (write) => call(() => tables.write(write)),
    writeBatch: (writes) => call(() => tables.writeBatch(writes)),
    getBatch: (table, keys) => call(() => tables.getBatch(table, keys)),
    range: (request) => call(() => tables.range(request)),
    newWriter: () => tables.newWriter(),
  }
}

/** End states are compared without what honestly differs: who wrote, how often it was tried, hints. */
function comparable(dump: Record<string, readonly Record<string, unknown>[]>) {
  const hidden = new Set([
    'writer',
    'version',
    'attempt',
    'ended_attempt',
    'dispatched_at',
    'lease_owner',
    'lease_until',
  ])
  const { due: _hints, ...rest } = dump
  return Object.fromEntries(
    Object.entries(rest).map(([table, rows]) => [
      table,
      rows.map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => !hidden.has(column)))),
    ]),
  )
}
