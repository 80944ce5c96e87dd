import { expect, test } from 'vitest'
import { plannedRuns, segmentsTable } from '../../../shared/tables/segments.ts'
import { memoryTables } from '../../fakes/tables.ts'
import { smallPlan } from '../plans.ts'

const MEDIA = 'media00000000001'

test('a long rendition is cut into rows of 256 segments that together are the whole', () => {
  const runs = plannedRuns(MEDIA, smallPlan(600)).filter((run) => run.rendition === '720p')
  expect(runs.map((run) => [run.firstSegment, run.durationsUs.length])).toEqual([
    [0, 256],
    [256, 256],
    [512, 88],
  ])
})

test('what is published only grows, and a twin that is behind changes nothing', async () => {
  const segments = segmentsTable(memoryTables())
  for (const run of plannedRuns(MEDIA, smallPlan(3))) await segments.create(run)
  const publish = (sizesBytes: number[]) =>
    segments.publish(MEDIA, 'plan1', [{ rendition: '720p', firstSegment: 0, sizesBytes }])
  await publish([10, 20])
  await publish([99])
  const stored = (await segments.all(MEDIA)).find((run) => run.rendition === '720p')
  expect(stored).toMatchObject({ count: 2, sizesBytes: [10, 20] })
})

test('a publication of another plan changes nothing', async () => {
  const segments = segmentsTable(memoryTables())
  for (const run of plannedRuns(MEDIA, smallPlan(3))) await segments.create(run)
  await segments.publish(MEDIA, 'plan2', [{ rendition: '720p', firstSegment: 0, sizesBytes: [10] }])
  expect((await segments.all(MEDIA)).every((run) => run.count === 0)).toBe(true)
})

test('a publication that spans rows fills them in order', async () => {
  const segments = segmentsTable(memoryTables())
  for (const run of plannedRuns(MEDIA, smallPlan(300))) await segments.create(run)
  const sizesBytes = Array.from({ length: 258 }, (_, index) => index)
  await segments.publish(MEDIA, 'plan1', [{ rendition: 'audio', firstSegment: 0, sizesBytes }])
  const counts = (await segments.all(MEDIA)).filter((run) => run.rendition === 'audio').map((run) => run.count)
  expect(counts).toEqual([256, 2])
})
