import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_GAP_MS } from '../../../functions/heartbeat/beat.ts'
import { newWorld, START } from './world.ts'

/** What a player said once, and when that was. */
interface Said {
  readonly session: number
  readonly seq: number
  readonly at: number
  readonly playing: boolean
}

/** Beats of up to three sessions of one viewer, each at a time of its own. */
const spoken = fc
  .uniqueArray(fc.record({ session: fc.nat(2), at: fc.integer({ min: 1, max: 60_000 }), playing: fc.boolean() }), {
    selector: ({ at }) => at,
    minLength: 1,
    maxLength: 12,
  })
  .map((beats) => {
    const seqs = new Map<number, number>()
    return beats
      .sort((a, b) => a.at - b.at)
      .map((beat): Said => {
        const seq = (seqs.get(beat.session) ?? 0) + 1
        seqs.set(beat.session, seq)
        return { ...beat, seq }
      })
  })

/** The same beats as they arrive: some never, some twice, in any order, at any of three instances. */
const arriving = spoken.chain((beats) =>
  fc.record({
    beats: fc.constant(beats),
    order: fc.array(fc.record({ beat: fc.nat(beats.length - 1), instance: fc.nat(2) }), {
      minLength: 1,
      maxLength: 30,
    }),
  }),
)

test('in any order, with any loss and repetition, the latest beat that arrived is where the viewer is', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(arriving, async ({ beats, order }) => {
      const world = await newWorld({ instances: 3, durationMs: 600_000 })
      const sessions = [0, 1, 2].map(() => world.newSession())
      for (const [index, { beat, instance }] of order.entries()) {
        world.at(60_000 + index)
        await world.beat(beatOf(beats[beat], sessions, world.now()), {}, instance)
      }
      const arrived = new Set(order.map(({ beat }) => beats[beat]))
      const latest = beats.filter((beat) => arrived.has(beat)).at(-1)
      expect((await world.position()).positionMs).toBe(latest?.at)
      for (const row of world.sessions()) {
        expect(row.watched_ms).toBeLessThanOrEqual(Number(row.last_at) - Number(row.first_at))
      }
    }),
    { numRuns: 100 },
  )
})

test('with repetitions, lost answers and requests that die anywhere, each session that qualifies is one view', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      spoken,
      fc.array(fc.nat(3), { maxLength: 60 }),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }),
      async (beats, faults, instances) => {
        let step = 0
        let faulty = false
        const world = await newWorld({
          instances: 3,
          durationMs: 600_000,
          onOperation({ phase }) {
            if (!faulty) return
            const fault = faults[step++]
            if ((fault === 1 && phase === 'before') || (fault === 2 && phase === 'after')) throw new Error('died')
          },
        })
        const sessions = [0, 1, 2].map(() => world.newSession())
        for (const [index, said] of beats.entries()) {
          world.at(said.at)
          faulty = true
          // A player sends a beat again until it is answered, and sometimes once more.
          for (let tries = 0; tries < 3; tries += 1) {
            const instance = instances[(index + tries) % instances.length] ?? 0
            await world.beat(beatOf(said, sessions, world.now()), {}, instance).catch(() => undefined)
          }
          faulty = false
          await world.beat(beatOf(said, sessions, world.now()), {}, index % 3)
        }
        const watched = [0, 1, 2].map((session) => watchedOf(beats.filter((beat) => beat.session === session)))
        expect(await world.views()).toBe(watched.filter((ms) => ms >= 10_000).length)
        const rows = world.sessions().map((row) => Number(row.watched_ms))
        expect(sorted(rows)).toEqual(
          sorted(watched.filter((_, session) => beats.some((one) => one.session === session))),
        )
      },
    ),
    { numRuns: 100 },
  )
})

/** A beat as it is sent at `now`; its time is its position. */
function beatOf(said: Said | undefined, sessions: readonly string[], now: number) {
  if (!said) throw new Error('expected a beat')
  const ageMs = Math.max(0, now - (START + said.at))
  const event = said.playing ? 'timeupdate' : 'pause'
  return {
    sessionId: sessions[said.session] ?? '',
    seq: said.seq,
    positionMs: said.at,
    ageMs,
    event,
    playing: said.playing,
  } as const
}

function watchedOf(beats: readonly Said[]): number {
  return beats.slice(1).reduce((sum, { at }, index) => {
    const before = beats[index]
    return sum + (before?.playing ? Math.min(at - before.at, MAX_GAP_MS) : 0)
  }, 0)
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}
