import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { missingParts, partSizeFor, partsOf, usableParts } from '../../../web/upload/parts.ts'

const MIB = 1024 * 1024
const sizes = fc.oneof(fc.integer({ min: 1, max: 64 * MIB }), fc.integer({ min: 1, max: 40 * 1024 ** 3 }))

test('the parts of any file follow one another without a gap, and are as many and as large as OSS allows', () => {
  fc.assert(
    fc.property(sizes, (size) => {
      const parts = partsOf(size, partSizeFor(size))
      expect(parts.length).toBeLessThanOrEqual(10_000)
      expect(parts[0]?.start).toBe(0)
      expect(parts.at(-1)?.end).toBe(size)
      parts.forEach((part, index) => {
        expect(part.number).toBe(index + 1)
        if (index > 0) expect(part.start).toBe(parts[index - 1]?.end)
        if (index < parts.length - 1) expect(part.end - part.start).toBeGreaterThanOrEqual(100 * 1024)
      })
    }),
    { numRuns: 30 },
  )
})

test('what OSS has and what is missing make the whole, and nothing is in both', () => {
  const plan = partsOf(20 * MIB + 5, MIB)
  fc.assert(
    fc.property(fc.subarray(plan), (kept) => {
      const stored = kept.map(({ number, start, end }) => ({ number, etag: `"${number}"`, size: end - start }))
      const missing = missingParts(plan, stored).map(({ number }) => number)
      const usable = usableParts(plan, stored).map(({ number }) => number)
      expect([...missing, ...usable].sort((a, b) => a - b)).toEqual(plan.map(({ number }) => number))
    }),
  )
})

test('a stored part of another length, or beyond the end, is sent again', () => {
  const plan = partsOf(2 * MIB + 10, MIB)
  const stored = [
    { number: 1, etag: 'a', size: MIB - 1 },
    { number: 2, etag: 'b', size: MIB },
    { number: 3, etag: 'c', size: 10 },
    { number: 9, etag: 'd', size: MIB },
  ]
  expect(missingParts(plan, stored).map(({ number }) => number)).toEqual([1])
  expect(usableParts(plan, stored).map(({ number }) => number)).toEqual([2, 3])
})
