import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type Listing, masterPlaylist, mediaPlaylist } from '../../shared/hls.ts'
import type { PlannedRendition } from '../../shared/plan.ts'
import { plannedRenditions } from '../../shared/tables/renditions.ts'
import { CLIP_DIR, type Clip } from './clips.ts'
import { type Bench, beeps, bench, decodedTimes, flashes, play, serveFile, shapeOf, timeBase } from './support.ts'

/** A worker whose source is this clip, and a folder for what it makes. */
export async function open(clip: Clip) {
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

/** Makes the clip and expects every frame at its time in every rendition, unbroken sound, and both together. */
export async function expectExact(clip: Clip): Promise<void> {
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
  for (const rendition of plan.renditions.filter(isVideo)) {
    await expectFrames(join(dir, `${rendition.name}.ts`), wanted)
    expect(await shapeOf(join(dir, `${rendition.name}.ts`))).toEqual({ size: sizeOf(rendition), squarePixels: true })
  }
  if (clip.expect.audio) await expectGaplessSound(join(dir, 'audio.ts'))
  if (clip.expect.marks) await expectMarksTogether(dir, names, worker.info().video.frameRate)
  await expectPlays(dir, worker, wanted.length)
}

/** As a player gets it: a master playlist, from which every rendition is read to its end. */
async function expectPlays(dir: string, worker: Bench, frames: number): Promise<void> {
  const listings: Listing[] = plannedRenditions('media1', worker.plan()).map((rendition, at) => ({
    rendition,
    durationsUs: worker.plan().renditions[at]?.durationsUs ?? [],
    sizesBytes: [],
    final: true,
  }))
  for (const listing of listings) {
    const { name } = listing.rendition
    await mkdir(join(dir, name))
    await writeFile(join(dir, name, 'index.m3u8'), mediaPlaylist(listing))
    for (const [at, bytes] of worker.segments(name).entries()) await writeFile(join(dir, name, `${at}.ts`), bytes)
  }
  await writeFile(join(dir, 'master.m3u8'), masterPlaylist(listings))
  expect(await play(join(dir, 'master.m3u8'))).toEqual({ frames, complaints: [] })
}

/** Probes the clip and expects that it is refused for good, with a sentence. */
export async function expectRefused(clip: Clip): Promise<void> {
  const { worker } = await open(clip)
  await worker.task('probe', 'probe')
  expect(worker.errors).toMatchObject([{ code: clip.expect.error, retryable: false }])
  expect(worker.errors[0]?.message).toMatch(/^[A-Z].*\.$/)
}

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
  // A second frame at one time has no place.
  const distinct = times.filter((time, at) => at === 0 || time > Math.max(...times.slice(0, at)))
  return distinct.map((time) => Math.round((time - (times[0] ?? 0)) * unit * 90_000) + 900_000)
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
