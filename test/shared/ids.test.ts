import { expect, test } from 'vitest'
import { newId } from '../../shared/ids.ts'

test('an id is 16 letters or digits', () => {
  for (let n = 0; n < 200; n += 1) expect(newId()).toMatch(/^[A-Za-z0-9]{16}$/)
})

test('no two of many ids are the same', () => {
  expect(new Set(Array.from({ length: 5000 }, newId)).size).toBe(5000)
})

test('every character is about equally likely', () => {
  const counts = new Map<string, number>()
  for (const character of Array.from({ length: 4000 }, newId).join('')) {
    counts.set(character, (counts.get(character) ?? 0) + 1)
  }
  expect(counts.size).toBe(62)
  // 64,000 characters: 1032 of each on average; a character favoured by the remainder of a byte would come 25% more often.
  for (const count of counts.values()) expect(Math.abs(count - 1032)).toBeLessThan(200)
})
