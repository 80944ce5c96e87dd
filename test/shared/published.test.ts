import { expect, test } from 'vitest'
import { publishedOf } from '../../shared/published.ts'
import type { SegmentRun } from '../../shared/tables/segments.ts'

function run(rendition: string, firstSegment: number, durationsUs: number[], count: number): SegmentRun {
  return { mediaId: 'm', rendition, firstSegment, planId: 'p', durationsUs, count, sizesBytes: [] }
}

test('the slowest rendition decides how much is shown', () => {
  const published = publishedOf(
    [
      { name: 'a', segmentCount: 3 },
      { name: 'b', segmentCount: 3 },
    ],
    [run('a', 0, [4, 4, 4], 2), run('b', 0, [4, 4, 4], 1)],
  )
  expect(published).toMatchObject({ untilUs: 4, stored: 3, planned: 6 })
})

test('a complete rendition does not hold back a longer one', () => {
  const published = publishedOf(
    [
      { name: 'short', segmentCount: 1 },
      { name: 'long', segmentCount: 2 },
    ],
    [run('short', 0, [4], 1), run('long', 0, [4, 4], 2)],
  )
  expect(published.untilUs).toBe(Number.POSITIVE_INFINITY)
})

test('nothing counts after a gap between runs or inside one', () => {
  const gapInside = publishedOf([{ name: 'a', segmentCount: 4 }], [run('a', 0, [4, 4], 1), run('a', 2, [4, 4], 2)])
  expect(gapInside.prefixes[0]).toMatchObject({ count: 1, endUs: 4, complete: false })
  const gapBetween = publishedOf([{ name: 'a', segmentCount: 4 }], [run('a', 2, [4, 4], 2)])
  expect(gapBetween.prefixes[0]).toMatchObject({ count: 0, endUs: 0 })
})

test('with no renditions nothing is published', () => {
  expect(publishedOf([], [])).toMatchObject({ untilUs: 0 })
})
