import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { PlannedRendition } from '../../shared/plan.ts'
import { BAD_CLIPS, CLIP_DIR, GOOD_CLIPS } from './clips.ts'
import { beeps, bench, decodedTimes, flashes, serveFile, timeBase } from './support.ts'

async function open(clip: (typeof GOOD_CLIPS)[number]) {
  await mkdir(CLIP_DIR, { recursive: true })
  const path = await clip.make(CLIP_DIR)
  const source = await serveFile(path)
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-media-'))
  onTestFinished(async () => {
    await source.close()
    await rm(dir, { recursive: true, force: true })
  })
  return { path, dir, worker: bench(source) }
}

test.each(GOOD_CLIPS)('$name keeps every frame at its time in every rendition', { timeout: 60_000 }, async (clip) => {
  const { path, dir, worker } = await open(clip)
  await worker.all()
  expect(worker.errors).toEqual([])
  const plan = worker.plan()
  const names = plan.renditions.map((one) => one.name)
  for (const name of names) await writeFile(join(dir, `${name}.ts`), worker.joined(name))
  expect(plan.engine).toBe(clip.expect.engine)
  if (clip.expect.sizes) expect(plan.renditions.filter(isVideo).map(sizeOf)).toEqual(clip.expect.sizes)
  expect(names.includes('audio')).toBe(clip.expect.audio)

  const wanted = await wantedTimes(path)
  if (clip.expect.frames) expect(wanted).toHaveLength(clip.expect.frames)
  for (const rendition of plan.renditions.filter(isVideo)) await expectFrames(join(dir, `${rendition.name}.ts`), wanted)
  if (clip.expect.audio) await expectGaplessSound(join(dir, 'audio.ts'))
  if (clip.expect.marks) await expectMarksTogether(dir, names, worker.info().video.frameRate)
})

function isVideo(rendition: PlannedRendition): boolean {
  return rendition.kind === 'video'
}

function sizeOf(rendition: PlannedRendition): string {
  return `${rendition.width}x${rendition.height}`
}

/** Where every frame of the source belongs, in ticks of 90 kHz. */
async function wantedTimes(path: string): Promise<number[]> {
  const { times } = await decodedTimes(path)
  const unit = await timeBase(path)
  return times.map((time) => Math.round((time - (times[0] ?? 0)) * unit * 90_000) + 900_000)
}

async function expectFrames(joined: string, wanted: readonly number[]): Promise<void> {
  const made = await decodedTimes(joined)
  expect(made.stderr).toBe('')
  expect(made.times).toHaveLength(wanted.length)
  expect(made.times[0]).toBe(900_000)
  const off = made.times.map((time, at) => Math.abs(time - (wanted[at] ?? 0)))
  expect(Math.max(...off)).toBeLessThanOrEqual(1)
}

async function expectGaplessSound(joined: string): Promise<void> {
  const { times, stderr } = await decodedTimes(joined, 'a:0')
  expect(stderr).toBe('')
  expect(times).toEqual(times.map((_, at) => 900_000 + at * 1920))
}

async function expectMarksTogether(dir: string, renditions: readonly string[], frameRate: number): Promise<void> {
  const tones = await beeps(join(dir, 'audio.ts'))
  for (const name of renditions.filter((one) => one !== 'audio')) {
    const lights = await flashes(join(dir, `${name}.ts`))
    const pairs = Math.min(tones.length, lights.length)
    expect(pairs).toBeGreaterThan(1)
    for (let at = 0; at < pairs; at += 1) {
      expect(Math.abs((tones[at] ?? 0) - (lights[at] ?? 99))).toBeLessThanOrEqual(1 / frameRate)
    }
  }
}

test.each(BAD_CLIPS)('$name is refused as $expect.error', { timeout: 30_000 }, async (clip) => {
  const { worker } = await open(clip)
  await worker.task('probe', 'probe')
  expect(worker.errors).toMatchObject([{ code: clip.expect.error, retryable: false }])
  expect(worker.errors[0]?.message).toMatch(/^[A-Z].*\.$/)
})
