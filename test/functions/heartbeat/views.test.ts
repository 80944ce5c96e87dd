import { describe, expect, test } from 'vitest'
import type { BeatEvent } from '../../../shared/api.ts'
import { shardOf } from '../../../shared/tables/counters.ts'
import { newWorld } from './world.ts'

/** A beat as a case says it: when, what, and how old it was when it came. */
type Line = readonly [second: number, event: BeatEvent, playing: boolean, ageSeconds?: number]

async function watch(lines: readonly Line[], durationMs = 60_000) {
  const world = await newWorld({ durationMs })
  const sessionId = world.newSession()
  for (const [index, [second, event, playing, ageSeconds = 0]] of lines.entries()) {
    world.at(second * 1000)
    await world.beat({ sessionId, seq: index + 1, event, playing, ageMs: ageSeconds * 1000 })
  }
  return { views: await world.views(), watchedMs: world.sessions()[0]?.watched_ms }
}

describe('a session', () => {
  test.each<[string, readonly Line[], number, number]>([
    [
      'of ten seconds is a view',
      [
        [0, 'play', true],
        [10, 'timeupdate', true],
      ],
      10_000,
      1,
    ],
    [
      'of less is none',
      [
        [0, 'play', true],
        [9.999, 'timeupdate', true],
      ],
      9_999,
      0,
    ],
    [
      'that ends with a pause counts up to it',
      [
        [0, 'play', true],
        [12, 'pause', false],
      ],
      12_000,
      1,
    ],
    [
      'that pauses counts what was played',
      [
        [0, 'play', true],
        [6, 'pause', false],
        [100, 'play', true],
        [105, 'ended', false],
      ],
      11_000,
      1,
    ],
    [
      'that stands still for long is no view',
      [
        [0, 'play', true],
        [1, 'pause', false],
        [60, 'timeupdate', false],
      ],
      1_000,
      0,
    ],
    [
      'that waits for bytes does not watch',
      [
        [0, 'play', true],
        [1, 'waiting', true],
        [30, 'timeupdate', true],
      ],
      1_000,
      0,
    ],
    [
      'that only seeks does not watch',
      [
        [0, 'seeked', false],
        [20, 'seeked', false],
      ],
      0,
      0,
    ],
    [
      'that falls silent is believed for half a minute',
      [
        [0, 'play', true],
        [3_600, 'timeupdate', true],
      ],
      30_000,
      1,
    ],
    [
      'that comes whole out of a queue counts as it was',
      [
        [30, 'play', true, 25],
        [30, 'timeupdate', true, 10],
      ],
      15_000,
      1,
    ],
    [
      'cannot have begun before it was handed out',
      [
        [2, 'play', true, 600],
        [2, 'timeupdate', true],
      ],
      2_000,
      0,
    ],
    [
      'is not shortened by a beat that comes later and says that it is older',
      [
        [0, 'play', true],
        [8, 'timeupdate', true],
        [8, 'pause', false, 5],
      ],
      8_000,
      0,
    ],
    ['cannot be played at once', Array.from({ length: 50 }, () => [1, 'timeupdate', true] as const), 0, 0],
  ])('%s', async (_name, lines, watchedMs, views) => {
    expect(await watch(lines)).toEqual({ watchedMs, views })
  })

  test('of a short video is a view after half of it', async () => {
    expect(
      await watch(
        [
          [0, 'play', true],
          [2, 'timeupdate', true],
        ],
        4_001,
      ),
    ).toMatchObject({ views: 0 })
    expect(
      await watch(
        [
          [0, 'play', true],
          [2, 'timeupdate', true],
        ],
        4_000,
      ),
    ).toMatchObject({ views: 1 })
  })

  test.each([
    ['made up', () => 'S000000000000001.abc.0123456789012345678901'],
    ['of another playback', (world: Awaited<ReturnType<typeof newWorld>>) => world.newSession('another-playback')],
    ['changed by a letter', (world: Awaited<ReturnType<typeof newWorld>>) => world.newSession().replace('S', 'T')],
  ])('%s keeps the position and is never a view', async (_name, make) => {
    const world = await newWorld()
    const sessionId = make(world)
    for (let seq = 1; seq <= 5; seq += 1) {
      world.at(seq * 10_000)
      await world.beat({ sessionId, seq, positionMs: seq })
    }
    expect(await world.views()).toBe(0)
    expect((await world.position()).positionMs).toBe(5)
  })

  test('is one view however long it goes on, and another viewing is another', async () => {
    const world = await newWorld()
    for (const round of [0, 1]) {
      const sessionId = world.newSession()
      for (let seq = 1; seq <= 10; seq += 1) {
        world.at((round * 10 + seq) * 10_000)
        await world.beat({ sessionId, seq })
      }
    }
    expect(await world.views()).toBe(2)
  })

  test('is one view when two instances see it qualify in the same moment', async () => {
    const world = await newWorld({ instances: 3 })
    const sessionId = world.newSession()
    await world.beat({ sessionId })
    world.at(15_000)
    await Promise.all([0, 1, 2].map((instance) => world.beat({ sessionId, seq: 2 + instance }, {}, instance)))
    expect(await world.views()).toBe(1)
  })

  test('of a hundred that qualify at once is one of a hundred views', async () => {
    const world = await newWorld({ instances: 2 })
    const sessions = Array.from({ length: 100 }, () => world.newSession())
    const all = (seq: number) =>
      Promise.all(
        sessions.map((sessionId, index) =>
          world.beat({ sessionId, seq, viewerId: `viewer-number-${1000 + index}` }, {}, index % 2),
        ),
      )
    await all(1)
    world.at(10_000)
    world.requests.length = 0
    await all(2)
    expect(await world.views()).toBe(100)
    // The beat and the mark of each session; but of the counter's rows, only a few reads and writes for all of them.
    const rest = world.requests.length - 2 * sessions.length
    expect(rest).toBeLessThan(100)
  })

  test('stays one view when so many others came that its counter has forgotten it', async () => {
    const world = await newWorld({ instances: 2 })
    const sessionId = world.newSession()
    await world.beat({ sessionId })
    world.at(10_000)
    await world.beat({ sessionId, seq: 2 })
    await world.others(1_000)
    for (const row of world.client.rows('counters')) expect(JSON.parse(String(row.recent))).toHaveLength(64)
    world.at(20_000)
    await world.beat({ sessionId, seq: 3 }, {}, 1)
    expect(await world.views()).toBe(1_001)
  })
})

test('sessions are spread over all rows of a counter', () => {
  const shards = Array.from({ length: 400 }, (_, index) => shardOf(`session-${index}`))
  for (let shard = 0; shard < 8; shard += 1) expect(shards.filter((one) => one === shard).length).toBeGreaterThan(20)
})
