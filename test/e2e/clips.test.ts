import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BAD_CLIPS, type Clip, GOOD_CLIPS, LARGE_CLIP } from '../media/clips.ts'
import { beeps, flashes } from '../media/support.ts'
import { clipFile, openStage, type Stage } from './cloud.ts'
import { fetchRenditions, framePts, type Joined, play, soundPts } from './playback.ts'

let stage: Stage
let dir: string

beforeAll(async () => {
  stage = await openStage()
  dir = await mkdtemp(join(tmpdir(), 'yunbo-clips-'))
})
afterAll(async () => {
  await stage?.close()
  await rm(dir, { recursive: true, force: true })
})

/** Output starts at 10 s: 900,000 ticks of 90 kHz. */
const EPOCH = 900_000
/** One AAC frame of 1024 samples at 48 kHz. */
const AAC_TICKS = 1920

test.each([...GOOD_CLIPS, LARGE_CLIP])('$name goes up, is made and plays, every frame at its time', async (clip) => {
  const file = await clipFile(clip.name)
  const { ticket, video } = await stage.upload(file)
  expect(video).toMatchObject({ status: 'ready', playable: true, progress: 100, error: null })
  if (clip.expect.engine) expect(video.engine?.name).toBe(clip.expect.engine)
  expect(video.engine?.reason).not.toBe('')

  const master = `${stage.local.cloud.gateway}/play/${ticket.playbackId}/master.m3u8`
  const joined = await fetchRenditions(master, join(dir, clip.name))
  const source = await framePts(file)
  expect(joined.filter((one) => one.kind === 'audio')).toHaveLength(clip.expect.audio ? 1 : 0)
  for (const one of joined) {
    expect(one.endList).toBe(true)
    expect(Math.max(...one.durations.map(Math.round))).toBeLessThanOrEqual(one.targetDuration)
    if (one.kind === 'video') await expectSameFrames(one, source)
    else await expectUnbrokenSound(one)
  }
  if (clip.expect.marks) await expectMarksTogether(clip, joined, video.height)
  const played = await play(master)
  expect(played).toEqual({ frames: source.length, complaints: '' })
})

/** Count, first picture and every distance as in the source; one tick is what the change of time base may cost. */
async function expectSameFrames(one: Joined, source: readonly number[]): Promise<void> {
  const made = await framePts(one.file)
  expect(made.length).toBe(source.length)
  const shift = EPOCH - (source[0] ?? 0)
  const off = made.map((pts, at) => Math.abs(pts - (source[at] ?? 0) - shift))
  expect(Math.max(...off)).toBeLessThanOrEqual(1)
  expect((await play(one.file)).complaints).toBe('')
}

async function expectUnbrokenSound(one: Joined): Promise<void> {
  const pts = await soundPts(one.file)
  expect(pts.length).toBeGreaterThan(0)
  expect(pts).toEqual(pts.map((_, at) => EPOCH + at * AAC_TICKS))
}

async function expectMarksTogether(clip: Clip, joined: readonly Joined[], height: number): Promise<void> {
  expect(height).toBeGreaterThan(0)
  const sound = joined.find((one) => one.kind === 'audio')
  const tones = await beeps(sound?.file ?? '')
  for (const one of joined.filter((video) => video.kind === 'video')) {
    const lights = await flashes(one.file)
    const frameSeconds = 1 / 24
    const pairs = Math.min(tones.length, lights.length)
    expect(pairs, clip.name).toBeGreaterThan(1)
    for (let at = 0; at < pairs; at += 1) {
      expect(Math.abs((tones[at] ?? 0) - (lights[at] ?? 99))).toBeLessThanOrEqual(frameSeconds)
    }
  }
}

test.each(BAD_CLIPS.filter((clip) => clip.name !== 'empty'))('$name ends as $expect.error', async (clip) => {
  const { ticket, video } = await stage.upload(await clipFile(clip.name))
  expect(video).toMatchObject({
    status: 'errored',
    playable: false,
    error: { code: clip.expect.error, retryable: false },
  })
  expect(video.error?.message).toMatch(/^[A-Z].{20,}\.$/)
  const master = await fetch(`${stage.local.cloud.gateway}/play/${ticket.playbackId}/master.m3u8`)
  expect(master.status).toBe(409)
  expect(await stage.call('DELETE', `/v1/videos/${ticket.videoId}`)).toMatchObject({ status: 204 })
})
