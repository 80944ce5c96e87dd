import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openClock } from '../../../local/controls/clock.ts'

const START = 1_800_000_000_000

/** A clock over a machine whose time only the test moves. */
function openTestClock() {
  const dir = mkdtempSync(join(tmpdir(), 'clock-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const machine = { now: START }
  const path = join(dir, 'clock')
  const open = () => openClock(path, () => machine.now)
  const clock = open()
  onTestFinished(() => clock.close())
  return { clock, machine, path, open }
}

test('what falls due on the way is done in the order of its times, each at its own', async () => {
  const { clock } = openTestClock()
  const seen: [string, number][] = []
  const note = (name: string) => async () => {
    await Promise.resolve()
    seen.push([name, clock.now() - START])
  }
  clock.at(START + 3000, note('third'))
  clock.at(START + 1000, note('first'))
  clock.at(START + 2000, async () => {
    await note('second')()
    clock.at(clock.now() + 500, note('between'))
  })
  clock.at(START + 1000, note('first too'))
  clock.at(START + 9000, note('later'))
  const off = clock.at(START + 1500, note('never'))
  off()
  await clock.advance(5000)
  expect(seen).toEqual([
    ['first', 1000],
    ['first too', 1000],
    ['second', 2000],
    ['between', 2500],
    ['third', 3000],
  ])
  expect(clock.now()).toBe(START + 5000)
})

test('moves that are asked for at once add up', async () => {
  const { clock } = openTestClock()
  await Promise.all([clock.advance(1000), clock.advance(2000)])
  expect(clock.now()).toBe(START + 3000)
})

test('skew is judged by the nearer of the two times', async () => {
  const { clock } = openTestClock()
  await clock.advance(100_000)
  expect([START - 5, START + 49_000, START + 51_000, START + 200_000].map(clock.nearest)).toEqual([
    START,
    START,
    START + 100_000,
    START + 100_000,
  ])
})

test('the clock stays ahead over a restart, and its file says by how much', async () => {
  const { clock, machine, path, open } = openTestClock()
  await clock.advance(3_600_000)
  clock.close()
  machine.now += 1000
  const again = open()
  onTestFinished(() => again.close())
  expect(again.now()).toBe(START + 3_601_000)
  expect(readFileSync(path).readDoubleLE()).toBe(3_600_000)
})

test('what is due by the machine alone is done too', async () => {
  const { clock } = openTestClock()
  const done = new Promise((resolve) => clock.at(START - 1, () => resolve('done')))
  expect(await done).toBe('done')
  clock.at(START, () => {})
  expect(clock.hasDue()).toBe(true)
  await clock.settled()
  expect(clock.hasDue()).toBe(false)
})

test.each([[-1], [Number.NaN], [Number.POSITIVE_INFINITY], [1e15]])('it does not move by %s', (ms) => {
  expect(() => openTestClock().clock.advance(ms)).toThrow(RangeError)
})
