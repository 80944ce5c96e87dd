import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPlayable, listingsOf, masterPlaylist, mediaPlaylist, parseMaster, parseMedia } from '../../shared/hls.ts'
import type { Plan } from '../../shared/plan.ts'
import { plannedRenditions } from '../../shared/tables/renditions.ts'
import { plannedRuns, type SegmentRun } from '../../shared/tables/segments.ts'
import { smallPlan } from './plans.ts'

const MEDIA = 'media00000000001'

/** Runs of a plan with so many segments of each rendition stored, `bytes` long each. */
function stored(plan: Plan, counts: Readonly<Record<string, number>>, bytes = 1000): SegmentRun[] {
  return plannedRuns(MEDIA, plan).map((run) => {
    const left = (counts[run.rendition] ?? 0) - run.firstSegment
    const count = Math.max(0, Math.min(left, run.durationsUs.length))
    return { ...run, count, sizesBytes: Array.from({ length: count }, () => bytes) }
  })
}

function listings(plan: Plan, counts: Readonly<Record<string, number>>, bytes?: number) {
  return listingsOf(plannedRenditions(MEDIA, plan), stored(plan, counts, bytes))
}

const everything = { '720p': 3, '360p': 3, audio: 3 }

describe('a media playlist', () => {
  test('of a finished rendition is on demand and ended', () => {
    expect(mediaPlaylist(first(listings(smallPlan(), everything)))).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:3',
        '#EXT-X-TARGETDURATION:4',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-PLAYLIST-TYPE:VOD',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXTINF:4.000000,\n0.ts',
        '#EXTINF:4.000000,\n1.ts',
        '#EXTINF:4.000000,\n2.ts',
        '#EXT-X-ENDLIST',
        '',
      ].join('\n'),
    )
  })

  test('that still grows is an event that begins at its start, without an end', () => {
    const text = mediaPlaylist(first(listings(smallPlan(), { '720p': 2, '360p': 2, audio: 2 })))
    expect(text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT\n')
    expect(text).toContain('#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n')
    expect(text).not.toContain('ENDLIST')
    expect(text.match(/\.ts/g)).toHaveLength(2)
  })

  test('writes every microsecond of a length', () => {
    const plan = withDurations(smallPlan(1), [3_003_001])
    expect(mediaPlaylist(first(listings(plan, { '720p': 1, '360p': 1, audio: 1 })))).toContain('#EXTINF:3.003001,')
  })

  test('of a rendition that is ahead lists only what starts before the slowest one ends', () => {
    const [video, small, audio] = listings(smallPlan(), { '720p': 1, '360p': 2, audio: 3 })
    expect([video, small, audio].map((listing) => listing?.durationsUs.length)).toEqual([1, 1, 1])
    expect(audio?.final).toBe(false)
  })

  test('of finished sound is not ended while the picture does not reach it', () => {
    const [, , audio] = listings(smallPlan(), { '720p': 2, '360p': 3, audio: 3 })
    expect(audio?.durationsUs).toHaveLength(2)
    expect(audio && mediaPlaylist(audio)).not.toContain('ENDLIST')
  })

  test('ends although another rendition is longer', () => {
    const plan = smallPlan()
    const long = {
      ...plan,
      renditions: plan.renditions.map((one) =>
        one.name === 'audio' ? { ...one, durationsUs: [...one.durationsUs, 900_000] } : one,
      ),
      tasks: plan.tasks.map((task) => (task.kind === 'audio' ? { ...task, segmentCount: 4 } : task)),
    }
    expect(listings(long, { ...everything, audio: 4 }).map((listing) => listing.final)).toEqual([true, true, true])
  })

  test('stops at a hole between two rows', () => {
    const plan = smallPlan(600)
    const runs = stored(plan, { '720p': 600, '360p': 600, audio: 600 }).map((run) =>
      run.rendition === '360p' && run.firstSegment === 256 ? { ...run, count: 10 } : run,
    )
    const found = listingsOf(plannedRenditions(MEDIA, plan), runs)
    expect(found.map((listing) => listing.durationsUs.length)).toEqual([266, 266, 266])
  })

  test('of ten thousand segments is written in milliseconds', () => {
    const count = 10_000
    const all = listings(smallPlan(count), { '720p': count, '360p': count, audio: count })
    const startedAt = performance.now()
    for (let round = 0; round < 5; round += 1) mediaPlaylist(first(all))
    expect((performance.now() - startedAt) / 5).toBeLessThan(50)
  })
})

describe('a master playlist', () => {
  test('gives the planned limits while anything is missing', () => {
    expect(masterPlaylist(listings(smallPlan(), { '720p': 3, '360p': 3, audio: 2 }))).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:4',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,URI="audio/index.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=3030000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio"',
        '720p/index.m3u8',
        '#EXT-X-STREAM-INF:BANDWIDTH=1590000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="audio"',
        '360p/index.m3u8',
        '',
      ].join('\n'),
    )
  })

  test('gives what was measured when everything is there', () => {
    const text = masterPlaylist(listings(smallPlan(), everything, 500_000))
    // 500,000 bytes in 4 s are 1,000,000 bit/s of picture, and as many of sound.
    expect(text).toContain('BANDWIDTH=2000000,AVERAGE-BANDWIDTH=2000000,')
  })

  test('measures the peak over any stretch of half to one and a half target durations', () => {
    const plan = withDurations(smallPlan(3), [4_000_000, 1_000_000, 1_000_000])
    const runs = stored(plan, everything).map((run) =>
      run.rendition === 'audio' ? run : { ...run, sizesBytes: [1000, 1000, 500_000] },
    )
    const text = masterPlaylist(listingsOf(plannedRenditions(MEDIA, plan), runs))
    // The last segment alone is too short to count; with the one before it, 501,000 bytes in 2 s.
    const sound = 1000 * 8
    expect(text).toContain(`BANDWIDTH=${(501_000 * 8) / 2 + sound},`)
  })

  test('of a film of one short segment measures the whole', () => {
    const plan = withDurations(smallPlan(1), [40_000])
    expect(masterPlaylist(listings(plan, { '720p': 1, '360p': 1, audio: 1 }, 5000))).toContain('BANDWIDTH=2000000,')
  })

  test('of a silent film has no sound group', () => {
    const silent = { ...smallPlan(), audio: null, renditions: smallPlan().renditions.slice(0, 2) }
    const text = masterPlaylist(listings(silent, everything))
    expect(text).not.toMatch(/AUDIO|mp4a/)
  })
})

describe('the strict parser', () => {
  test.each([
    ['no playlist', 'hello'],
    ['a media playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.ts\n'],
    ['a group that does not exist', '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nx.m3u8\n'],
  ])('refuses %s as a master playlist', async (_, text) => {
    await expect(parseMaster(text)).rejects.toThrow()
  })

  test.each([
    ['a master playlist', '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n'],
    ['a segment above the target duration', '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:5,\n0.ts\n'],
    ['decimal lengths in version 1', '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3.5,\n0.ts\n'],
  ])('refuses %s as a media playlist', async (_, text) => {
    await expect(parseMedia(text)).rejects.toThrow()
  })
})

const durations = fc.array(fc.integer({ min: 10_000, max: 9_000_000 }), { minLength: 1, maxLength: 300 })
const planned = fc.record({ video: durations, audio: fc.option(durations, { nil: undefined }) }).map(planOf)
const share = fc.double({ min: 0, max: 1, noNaN: true })
const progress = fc.record({ '720p': share, '360p': share, audio: share })

describe('any plan with any part of it stored', () => {
  test('has playlists that a strict parser reads back as they were meant, never beyond what is published', async () => {
    await fc.assert(
      fc.asyncProperty(planned, progress, async (plan, done) => {
        const found = listings(plan, countsOf(plan, done))
        const master = await parseMaster(masterPlaylist(found))
        expect(master.variantUris).toEqual(['720p/index.m3u8', '360p/index.m3u8'])
        const until = publishedUs(plan, countsOf(plan, done))
        for (const listing of found) {
          const parsed = await parseMedia(mediaPlaylist(listing))
          expect(parsed.durationsUs).toEqual(listing.durationsUs)
          expect(parsed.uris).toEqual(listing.durationsUs.map((_, index) => `${index}.ts`))
          const lastStartsUs = sum(parsed.durationsUs.slice(0, -1))
          if (parsed.uris.length > 0) expect(lastStartsUs).toBeLessThan(until)
          expect(parsed.final).toBe(parsed.uris.length === listing.rendition.segmentCount)
        }
        expect(isPlayable(found)).toBe(until > 0)
      }),
      { numRuns: 150 },
    )
  })

  test('never lists less than before when more is stored', () => {
    fc.assert(
      fc.property(planned, progress, progress, (plan, some, more) => {
        const before = countsOf(plan, some)
        const extra = countsOf(plan, more)
        const after = Object.fromEntries(
          Object.entries(before).map(([name, count]) => [name, Math.max(count, extra[name] ?? 0)]),
        )
        const then = listings(plan, before)
        for (const [index, now] of listings(plan, after).entries()) {
          const earlier = then[index]
          expect(now.durationsUs.slice(0, earlier?.durationsUs.length)).toEqual(earlier?.durationsUs)
          if (earlier?.final) expect(now.final).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
  })
})

function planOf({ video, audio }: { video: number[]; audio: number[] | undefined }): Plan {
  const base = smallPlan()
  const targetDuration = Math.max(...[...video, ...(audio ?? [])].map((us) => Math.round(us / 1_000_000)), 1)
  const renditions = base.renditions
    .map((one) => ({ ...one, durationsUs: one.kind === 'video' ? video : (audio ?? []) }))
    .filter((one) => one.durationsUs.length > 0)
  const tasks = base.tasks
    .filter((task) => task.kind === 'video' || audio)
    .map((task) => ({ ...task, segmentCount: (task.kind === 'video' ? video : (audio ?? [])).length }))
  return { ...base, targetDuration, renditions, tasks }
}

function withDurations(plan: Plan, durationsUs: number[]): Plan {
  return { ...plan, renditions: plan.renditions.map((one) => ({ ...one, durationsUs })) }
}

function countsOf(plan: Plan, done: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    plan.renditions.map(({ name, durationsUs }) => [name, Math.floor((done[name] ?? 0) * (durationsUs.length + 0.99))]),
  )
}

/** The rule once more, in other words: the earliest end of what is stored of a rendition that is not complete. */
function publishedUs(plan: Plan, counts: Readonly<Record<string, number>>): number {
  const open = plan.renditions.filter(({ name, durationsUs }) => (counts[name] ?? 0) < durationsUs.length)
  return Math.min(...open.map(({ name, durationsUs }) => sum(durationsUs.slice(0, counts[name] ?? 0))), Infinity)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function first<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined) throw new Error('expected an item')
  return item
}
