import { describe, expect, test } from 'vitest'
import { parseSchedule } from '../../../local/fc/schedule.ts'

const next = (expression: string, after: string) =>
  new Date(parseSchedule(expression, 'here').next(Date.parse(after))).toISOString()

describe('a timer fires next', () => {
  test.each([
    ['@every 30s', '2026-01-01T00:00:07.250Z', '2026-01-01T00:00:37.250Z'],
    ['@every 5m', '2026-01-01T00:00:07.000Z', '2026-01-01T00:05:07.000Z'],
    ['@every 2h', '2026-01-01T23:00:00.000Z', '2026-01-02T01:00:00.000Z'],
    ['* * * * * *', '2026-01-01T00:00:07.250Z', '2026-01-01T00:00:08.000Z'],
    ['0 0 4 * * *', '2026-01-01T04:00:00.000Z', '2026-01-02T04:00:00.000Z'],
    ['0 0 4 * * *', '2026-01-01T03:59:59.999Z', '2026-01-01T04:00:00.000Z'],
    ['30 */20 * * * *', '2026-01-01T00:20:30.000Z', '2026-01-01T00:40:30.000Z'],
    ['0 5/25 * * * *', '2026-01-01T00:06:00.000Z', '2026-01-01T00:30:00.000Z'],
    ['0 0 10-12,20 * * *', '2026-01-01T12:30:00.000Z', '2026-01-01T20:00:00.000Z'],
    ['0 0 0 29 FEB *', '2026-01-01T00:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['0 0 0 31 * ?', '2026-04-01T00:00:00.000Z', '2026-05-31T00:00:00.000Z'],
    ['0 0 9 ? * MON-FRI', '2026-01-02T10:00:00.000Z', '2026-01-05T09:00:00.000Z'],
    ['0 0 9 * * 7', '2026-01-01T00:00:00.000Z', '2026-01-04T09:00:00.000Z'],
    ['0 0 0 13 * FRI', '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'],
    ['CRON_TZ=Asia/Shanghai 0 0 8 * * *', '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'],
    ['CRON_TZ=Asia/Kolkata 0 15 6 * * *', '2026-01-01T00:00:00.000Z', '2026-01-01T00:45:00.000Z'],
    ['CRON_TZ=Europe/Berlin 0 0 0 * * *', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['CRON_TZ=Europe/Berlin 0 30 2 * * *', '2026-03-28T12:00:00.000Z', '2026-03-30T00:30:00.000Z'],
  ])('%s after %s at %s', (expression, after, expected) => {
    expect(next(expression, after)).toBe(expected)
  })
})

test.each([
  ['no number', '@every m'],
  ['a fraction', '@every 1.5h'],
  ['nothing', '@every 0m'],
  ['an unknown unit', '@every 5d'],
  ['five fields', '0 4 * * *'],
  ['seven fields', '0 0 4 * * * 2026'],
  ['a value that is too large', '0 60 * * * *'],
  ['a range backwards', '0 0 12-10 * * *'],
  ['an unknown name', '0 0 0 * * FREITAG'],
  ['a step of nothing', '0 */0 * * * *'],
  ['a range from everything', '0 *-5 * * * *'],
  ['a zone that is none', 'CRON_TZ=Mars/Olympus 0 0 0 * * *'],
  ['a day that never comes', '0 0 0 30 FEB *'],
])('a schedule with %s is refused at the start', (_what, expression) => {
  expect(() => parseSchedule(expression, 'here')).toThrow('s.yaml, here')
})
