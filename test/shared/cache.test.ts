import { expect, test } from 'vitest'
import { cache } from '../../shared/cache.ts'

const options = { maxWeight: 3, weigh: () => 1, lifeMs: () => 100 }

function counted() {
  let loads = 0
  return {
    load: async () => {
      loads += 1
      return loads
    },
    loads: () => loads,
  }
}

test('loads once while a value is fresh, and again at the end of its life', async () => {
  const { load } = counted()
  const memory = cache<number>(options)
  expect(await memory.get('a', 0, load)).toBe(1)
  expect(await memory.get('a', 99, load)).toBe(1)
  expect(await memory.get('a', 100, load)).toBe(2)
})

test('loads once for everybody who asks at the same time', async () => {
  const { load, loads } = counted()
  const memory = cache<number>(options)
  expect(await Promise.all([memory.get('a', 0, load), memory.get('a', 0, load), memory.get('a', 5, load)])).toEqual([
    1, 1, 1,
  ])
  expect(loads()).toBe(1)
})

test('counts the life of a value from the start of its load', async () => {
  const { load } = counted()
  const memory = cache<number>(options)
  let release: (value: number) => void = () => {}
  const slow = memory.get('a', 0, () => new Promise<number>((resolve) => (release = resolve)))
  release(7)
  await slow
  expect(await memory.get('a', 101, load)).toBe(1)
})

test('forgets a failed load', async () => {
  const { load } = counted()
  const memory = cache<number>(options)
  await expect(memory.get('a', 0, () => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer')
  expect(await memory.get('a', 0, load)).toBe(1)
})

test('still knows the latest value after its life and while the next one is loaded', async () => {
  const memory = cache<number>(options)
  await memory.get('a', 0, async () => 1)
  expect(memory.peek('a')).toBe(1)
  let release: (value: number) => void = () => {}
  const next = memory.get('a', 500, () => new Promise<number>((resolve) => (release = resolve)))
  expect(memory.peek('a')).toBe(1)
  release(2)
  await next
  expect(memory.peek('a')).toBe(2)
})

test('drops the oldest values beyond its weight, but never the one that was just loaded', async () => {
  const memory = cache<number>({ ...options, weigh: (value) => value })
  for (const key of ['a', 'b', 'c']) await memory.get(key, 0, async () => 1)
  await memory.get('d', 0, async () => 2)
  expect(['a', 'b', 'c', 'd'].map((key) => memory.peek(key))).toEqual([undefined, undefined, 1, 2])
  await memory.get('e', 0, async () => 50)
  expect(['c', 'd', 'e'].map((key) => memory.peek(key))).toEqual([undefined, undefined, 50])
})
