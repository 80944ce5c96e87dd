import { expect, test } from 'vitest'
import { speedometer } from '../../../web/upload/speed.ts'

test('nothing is claimed before there is something to tell', () => {
  const speed = speedometer()
  expect(speed.rate(0)).toBe(0)
  speed.note(0, 0)
  speed.note(100_000, 100)
  expect(speed.rate(100)).toBe(0)
})

test('the pace is that of the last eight seconds', () => {
  const speed = speedometer()
  for (let second = 0; second <= 20; second += 1) speed.note(second * 1000, second * 1000)
  for (let second = 1; second <= 10; second += 1) speed.note(20_000 + second * 5000, 20_000 + second * 1000)
  expect(speed.rate(30_000)).toBe(5000)
})

test('while nothing moves the pace falls', () => {
  const speed = speedometer()
  speed.note(0, 0)
  speed.note(4000, 1000)
  expect(speed.rate(4000)).toBe(1000)
})

test('a part that is sent again makes no negative pace', () => {
  const speed = speedometer()
  speed.note(5000, 0)
  speed.note(9000, 1000)
  speed.note(6000, 1100)
  speed.note(7000, 2100)
  expect(speed.rate(2100)).toBe(1000)
})
