import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openClock } from '../../../local/controls/clock.ts'
import { readManifest } from '../../../local/fc/manifest.ts'
import { parseTimerTrigger, runTimer } from '../../../local/fc/timer-trigger.ts'
import { functionResource, makeProject, manifestText } from './project.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

function timer(config: object = {}, name = 'tick') {
  const triggerConfig = { cronExpression: '@every 1m', enable: true, ...config }
  return { triggerName: name, triggerType: 'timer', triggerConfig }
}

async function movableClock() {
  const dir = await mkdtemp(join(tmpdir(), 'timer-'))
  const clock = openClock(join(dir, 'clock'))
  onTestFinished(async () => {
    clock.close()
    await rm(dir, { recursive: true, force: true })
  })
  return clock
}

describe('a timer', () => {
  test('fires at its times as the clock is moved, each firing after the end of the one before', async () => {
    const clock = await movableClock()
    const startedAt = clock.now()
    const fired: number[] = []
    let running = 0
    const fire = async (at: number) => {
      running += 1
      expect(running).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      fired.push(Math.round((at - startedAt) / MINUTE))
      running -= 1
    }
    const stop = runTimer(parseTimerTrigger(timer(), 'here'), clock, { fire, count: () => {}, settled: async () => {} })
    await clock.advance(MINUTE - 5_000)
    expect(fired).toEqual([])
    await clock.advance(6_000)
    expect(fired).toEqual([1])
    stop()
    await clock.advance(10 * MINUTE)
    expect(fired).toEqual([1])
  })

  test('leaves out firings when the clock runs ahead by days, and makes up for the last', async () => {
    const clock = await movableClock()
    const fired: number[] = []
    let owed = 0
    const target = clock.now() + 8 * DAY
    let made = () => {}
    const madeUp = new Promise<void>((resolve) => {
      made = resolve
    })
    const stop = runTimer(parseTimerTrigger(timer(), 'here'), clock, {
      async fire() {
        fired.push(clock.now())
        if (clock.now() >= target) setImmediate(made)
      },
      count(change) {
        owed += change
      },
      settled: async () => {},
    })
    onTestFinished(stop)
    await clock.advance(8 * DAY)
    expect(owed).toBe(1)
    await madeUp
    expect(owed).toBe(0)
    expect(fired.length).toBeGreaterThan(8)
    expect(fired.length).toBeLessThan(150)
  })

  test('holds a clock that is moved until what it has started is done', async () => {
    const clock = await movableClock()
    const order: string[] = []
    const fire = async () => void order.push('fired')
    const settled = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      order.push('done')
    }
    onTestFinished(runTimer(parseTimerTrigger(timer(), 'here'), clock, { fire, count: () => {}, settled }))
    await clock.advance(MINUTE)
    expect(order).toEqual(['fired', 'done'])
  })

  test('starts its function with the time, the name and the payload, and counts as work only meanwhile', async () => {
    const clock = await movableClock()
    const project = await makeProject({
      's.yaml': manifestText({
        sweep: functionResource('sweep', {
          triggers: [timer({ payload: 'hello' }), timer({ enable: false }, 'never')],
        }),
      }),
      'code/sweep/index.mjs': `
        import { appendFileSync } from 'node:fs'
        export const handler = async (event) => {
          await new Promise((resolve) => setTimeout(resolve, 50))
          appendFileSync(${JSON.stringify(join(tmpdir(), `timer-${process.pid}.log`))}, event + '\\n')
        }`,
    })
    onTestFinished(() => project.dispose())
    onTestFinished(() => rm(join(tmpdir(), `timer-${process.pid}.log`), { force: true }))
    const { fc } = await project.start({ clock })
    await fc.idle()
    const before = clock.now()
    await clock.advance(MINUTE)
    await fc.idle()
    const log = await project.read(join('..', `timer-${process.pid}.log`))
    const events = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events).toEqual([
      {
        triggerName: 'tick',
        payload: 'hello',
        triggerTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    ])
    expect(Date.parse(events[0].triggerTime)).toBeGreaterThan(before - 2_000)
    expect(Date.parse(events[0].triggerTime)).toBeLessThan(before + MINUTE + 1_000)
  })

  test.each([
    ['no expression', { cronExpression: undefined }],
    ['an expression that is none', { cronExpression: 'hourly' }],
    ['no word on whether it runs', { enable: undefined }],
    ['a payload that is no text', { payload: 5 }],
  ])('is refused with %s', (_what, change) => {
    const text = manifestText({ sweep: functionResource('sweep', { triggers: [timer(change)] }) })
    expect(() => readManifest(text, {})).toThrow(/s\.yaml/)
  })
})
