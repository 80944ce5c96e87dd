import { expect, test } from 'vitest'
import { makePlan } from '../../../functions/ffmpeg-transcode/plan.ts'
import { identify } from '../../../functions/ffmpeg-transcode/plan-id.ts'
import { sourceOf } from './sources.ts'

const encoded = { video: { codec: 'hevc' } }

test('a copied top rung and encoded lower ones share every boundary', () => {
  const plan = makePlan(sourceOf(), { threads: 2 })
  expect(plan.tasks.map(({ taskId, kind, renditions }) => [taskId, kind, ...renditions])).toEqual([
    ['audio', 'audio', 'audio'],
    ['copy', 'copy', '720p'],
    ['v0', 'video', '480p', '360p', '240p'],
  ])
  const [top, ...lower] = plan.renditions.filter((one) => one.kind === 'video')
  expect(top?.encoder).toBeNull()
  for (const rung of lower) expect(rung.durationsUs).toEqual(top?.durationsUs)
})

test('an encoded source is one task for all rungs', () => {
  const plan = makePlan(sourceOf(encoded), { threads: 2 })
  expect(plan.tasks.map((task) => task.taskId)).toEqual(['audio', 'v0'])
  expect(plan.tasks[1]?.renditions).toEqual(['720p', '480p', '360p', '240p'])
  expect(plan.tasks[1]?.segmentCount).toBe(plan.video.frames.length)
})

test('a small source that is copied has nothing to encode', () => {
  const small = { width: 320, height: 240, codedWidth: 320, codedHeight: 240, bitRate: 200_000 }
  expect(makePlan(sourceOf({ video: small }), { threads: 2 }).tasks.map((task) => task.taskId)).toEqual([
    'audio',
    'copy',
  ])
})

test('a silent source has no sound to make', () => {
  const plan = makePlan(sourceOf({ sound: undefined }), { threads: 2 })
  expect(plan.audio).toBeNull()
  expect(plan.renditions.map((one) => one.kind)).not.toContain('audio')
})

test('no segment is longer than the target, sound included', () => {
  const plan = makePlan(sourceOf({ sound: { startUs: 0, endUs: 14_900_000 } }), { threads: 2 })
  const longest = Math.max(...plan.renditions.flatMap((one) => one.durationsUs))
  expect(longest).toBeGreaterThan(4_500_000)
  expect(plan.targetDuration).toBe(Math.ceil(longest / 1e6))
})

test('times are relative to the first frame, wherever the source begins', () => {
  const early = makePlan(sourceOf({ ...encoded, startUs: -200_000 }), { threads: 2 })
  const late = makePlan(sourceOf({ ...encoded, startUs: 3_600_000_000 }), { threads: 2 })
  expect(early.originUs).toBe(-200_000)
  expect(late.originUs).toBe(3_600_000_000)
  expect(late.video).toEqual(early.video)
  expect(late.audio).toEqual(early.audio)
})

test('the bandwidth of a copied rung is its largest segment and not its average', () => {
  const source = sourceOf()
  const uneven = { ...source, frameBytes: source.framesUs.map((_, at) => (at < 100 ? 50_000 : 1000)) }
  expect(makePlan(uneven, { threads: 2 }).renditions[0]?.maxBandwidth).toBeGreaterThan(50_000 * 25 * 8)
})

test('the same decisions have the same id, and a changed one another', () => {
  const plan = makePlan(sourceOf(encoded), { threads: 2 })
  const { planId } = identify(plan, '"etag"')
  expect(planId).toMatch(/^[0-9a-f]{12}$/)
  expect(identify(JSON.parse(JSON.stringify(plan)), 'etag').planId).toBe(planId)
  expect(identify({ ...plan, reason: 'Another sentence.' }, 'etag').planId).toBe(planId)
  expect(identify(plan, 'other').planId).not.toBe(planId)
  expect(identify(makePlan(sourceOf(encoded), { threads: 1 }), 'etag').planId).not.toBe(planId)
})
