import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Fault } from '../../local/controls/fault.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { segmentKey } from '../../shared/plan.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { clipNamed } from '../media/clips.ts'
import { clipFile, type Ticket, type VideoView } from './cloud.ts'
import { KilledCloud } from './killed-cloud.ts'
import { fetchRenditions, framePts } from './playback.ts'

/**
 * Everything may die at any moment and every message may be lost or doubled. A schedule is made from its number alone:
 * KILL_SEED=17 runs the one that failed, KILL_SCHEDULES=30 runs more of them.
 */
const FIRST = Number(process.env.KILL_SEED ?? 1)
const COUNT = Number(process.env.KILL_SCHEDULES ?? (process.env.KILL_SEED === undefined ? 5 : 1))
const CLIP = clipNamed('fps24')

const HANDLERS = ['yunbo-mps-callback', 'yunbo-upload-notify', 'yunbo-hls-index'] as const

/** Reasons that are not in the source. */
const FAILURES = ['worker_lost', 'transcode_failed', 'output_mismatch', 'output_incomplete']

let cloud: KilledCloud
let dir: string
let struck = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'yunbo-kills-out-'))
  cloud = await KilledCloud.open()
})
afterAll(async () => {
  await cloud?.close()
  await rm(dir, { recursive: true, force: true })
})

const SCHEDULES = Array.from({ length: COUNT }, (_, at) => {
  const faults = scheduleOf(FIRST + at)
  return [FIRST + at, faults.map(describe).join('; '), faults] as const
})

test.each(SCHEDULES)('schedule %i: %s', async (seed, _what, faults) => {
  await cloud.setFaults(faults)
  const ticket = await cloud.insist(() => cloud.upload(CLIP_FILE))
  await cloud.insist(() => cloud.complete(ticket))
  const video = await outcome(ticket)
  struck += await cloud.insist(cloud.struck)
  await cloud.insist(() => cloud.clearFaults())
  // Stragglers and hints that are left have their turn too.
  for (let minute = 0; minute < 3; minute += 1) await cloud.insist(() => cloud.advance(60_000).then(cloud.idle))

  // The clip is good, so nothing may be said against it.
  if (video.status === 'errored') expect(FAILURES).toContain(video.error?.code)
  else await expectEveryFrame(ticket, join(dir, String(seed)))
  await expectNothingAstray()
})

test('what was planned did happen', () => {
  expect(struck + cloud.restarts).toBeGreaterThanOrEqual(COUNT)
})

const CLIP_FILE = await clipFile(CLIP.name)

/** Waits for the end of a video, on the moved clock; nothing but the sweep helps it on. */
async function outcome(ticket: Ticket): Promise<VideoView> {
  for (let minute = 0; minute < 60; minute += 1) {
    await cloud.insist(cloud.idle)
    const video = await cloud.insist(() => cloud.video(ticket.videoId))
    if (video.status !== 'processing') return video
    await cloud.insist(() => cloud.advance(60_000))
  }
  throw new Error(`after an hour the video is still ${JSON.stringify(await cloud.video(ticket.videoId))}`)
}

async function expectEveryFrame(ticket: Ticket, folder: string): Promise<void> {
  const joined = await fetchRenditions(`${cloud.running.gateway}/play/${ticket.playbackId}/master.m3u8`, folder)
  expect(joined.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['video', 'audio']))
  for (const { kind, file, endList } of joined) {
    expect(endList).toBe(true)
    if (kind === 'video') expect(await framePts(file)).toHaveLength(CLIP.expect.frames ?? 0)
  }
}

/** What is listed and what is stored agree, for every media that there is. */
async function expectNothingAstray(): Promise<void> {
  const { accessKeyId, accessKeySecret, tablestore, oss } = cloud.running
  const tables = openTables(tablestore, { accessKeyId, accessKeySecret }, { requestId: 'kills' })
  const client = new OSS({
    endpoint: oss.endpoint,
    bucket: oss.bucket,
    sldEnable: true,
    accessKeyId,
    accessKeySecret,
  } as OSS.Options)
  const { objects = [] } = await client.listV2({ prefix: 'm/', 'max-keys': '1000' }, {})
  const stored = new Map(objects.map(({ name, size }) => [name, size]))

  const listed = new Map<string, number>()
  const open = new Set<string>()
  for (const mediaId of new Set([...stored.keys()].map((key) => key.split('/')[1] ?? ''))) {
    const media = await mediaTable(tables).find(mediaId)
    const [videoId = ''] = await mediaTable(tables).videoIds(mediaId)
    const status = (await videosTable(tables).find(videoId))?.derived.status
    for (const run of await segmentsTable(tables).all(mediaId)) {
      expect(run.planId).toBe(media?.planId)
      for (const at of run.durationsUs.keys()) {
        const key = segmentKey(mediaId, run.planId, run.rendition, run.firstSegment + at)
        if (at < run.count) listed.set(key, run.sizesBytes[at] ?? -1)
        // What a video that failed had got to is planned, and goes with it.
        else if (status === 'errored') open.add(key)
      }
    }
  }
  expect([...listed].filter(([key, size]) => stored.get(key) !== size)).toEqual([])
  expect([...stored.keys()].filter((key) => !listed.has(key) && !open.has(key))).toEqual([])
}

/** One to three things that go wrong, each once. */
function scheduleOf(seed: number): Fault[] {
  const next = random(seed)
  const upTo = (most: number) => 1 + Math.floor(next() * most)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const worker = 'yunbo-ffmpeg-transcode'
  const makers: (() => Fault)[] = [
    () => ({ fault: 'kill', function: worker, nth: upTo(40) }),
    () => ({
      fault: 'kill',
      function: worker,
      victim: 'children',
      operation: pick(['GetObject', 'PutObject']),
      nth: upTo(6),
    }),
    () => ({ fault: 'kill', function: worker, victim: 'cloud', nth: upTo(40) }),
    () => ({ fault: 'kill', function: pick(HANDLERS), nth: upTo(20) }),
    () => ({
      fault: 'delivery',
      of: 'invocation',
      target: worker,
      outcome: pick(['drop', 'duplicate', 'reorder']),
      nth: upTo(3),
    }),
    () => ({ fault: 'delivery', of: 'event', outcome: pick(['drop', 'duplicate']) }),
    () => ({
      fault: 'call',
      function: pick([worker, ...HANDLERS]),
      service: 'tablestore',
      when: pick(['before', 'after']),
      nth: upTo(30),
    }),
    () => ({ fault: 'call', function: worker, operation: 'PutObject', when: pick(['before', 'after']), nth: upTo(4) }),
    () => ({ fault: 'disk', step: pick(['write', 'fsync', 'rename']), nth: 1 + upTo(4) }),
  ]
  return Array.from({ length: upTo(3) }, () => pick(makers)())
}

function describe(fault: Fault): string {
  const { fault: kind, nth = 1, ...rest } = fault as Fault & { nth?: number }
  return `${kind} ${Object.values(rest).join(' ')} at ${nth}`
}

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
