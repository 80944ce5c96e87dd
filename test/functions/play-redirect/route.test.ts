import { describe, expect, test } from 'vitest'
import { type Deps, onRequest } from '../../../functions/play-redirect/route.ts'
import { newShelf } from '../../../functions/play-redirect/shelf.ts'
import { AppError } from '../../../shared/errors.ts'
import { parseMaster, parseMedia } from '../../../shared/hls.ts'
import type { MediaInfo } from '../../../shared/plan.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { playbacksTable } from '../../../shared/tables/playbacks.ts'
import { createProgress, progressTable } from '../../../shared/tables/progress.ts'
import { plannedRuns, segmentsTable } from '../../../shared/tables/segments.ts'
import { type Derived, NOTHING_YET, videosTable } from '../../../shared/tables/videos.ts'
import { askPlain } from '../../fakes/plain.ts'
import { memoryTables } from '../../fakes/tables.ts'
import { smallPlan } from '../../shared/plans.ts'

const PLAY = 'play000000000001'
const [videoId, mediaId] = ['video00000000001', 'media00000000001']
const plan = smallPlan()

/** A public video, so far only uploaded; `reads` counts requests to the tables. */
async function newWorld() {
  let reads = 0
  let now = 1_000_000
  const client = memoryTables({
    onOperation({ phase }) {
      if (phase === 'before') reads += 1
    },
  })
  const tables = {
    playbacks: playbacksTable(client),
    videos: videosTable(client),
    media: mediaTable(client),
    segments: segmentsTable(client),
    progress: progressTable(client),
  }
  const deps: Deps = {
    shelf: newShelf(),
    tables: () => tables,
    presign: (method, key) => `http://oss/b/${key}?for=${method}&signed-at=${now}`,
    async verifySession(token) {
      if (!token.startsWith('session-of-')) throw new AppError('token_expired', 'The session is over')
      return { accountId: token.slice('session-of-'.length) }
    },
    openSession: (playbackId) => `session of ${playbackId} at ${now}`,
    now: () => now,
    publicUrl: 'http://site',
  }
  await tables.media.create({ mediaId, sourceKey: 'k', sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await tables.playbacks.create({ playbackId: PLAY, videoId, mediaId, policy: 'public', revoked: false })
  const video = { videoId, ownerId: 'ann', mediaId, title: 'Summer', sourceContext: '', classId: '', sizeBytes: 1 }
  await tables.videos.create({ ...video, playbackIds: [PLAY], sourceKey: 'k', createdAt: 1 })
  return {
    client,
    tables,
    deps,
    reads: () => reads,
    pass(ms: number) {
      now += ms
    },
    get: (path = '', init: RequestInit = {}) =>
      askPlain(onRequest, new Request(`http://site/play/${PLAY}${path}`, init), deps),
    async plan() {
      await tables.media.savePlan(mediaId, plan, {} as MediaInfo)
      for (const run of plannedRuns(mediaId, plan)) await tables.segments.create(run)
    },
    async store(counts: Readonly<Record<string, number>>) {
      const stored = Object.entries(counts).map(([rendition, count]) => ({
        ...{ rendition, firstSegment: 0 },
        sizesBytes: Array.from({ length: count }, () => 1000),
      }))
      await tables.segments.publish(mediaId, plan.planId, stored)
    },
    async derive(derived: Partial<Derived>) {
      const row = await tables.videos.find(videoId)
      if (row) await tables.videos.saveDerived(row, { ...NOTHING_YET, ...derived })
    },
  }
}

const everything = { '720p': 3, '360p': 3, audio: 3 }

async function ready() {
  const world = await newWorld()
  await world.plan()
  await world.store(everything)
  await world.derive({ status: 'ready', playable: true, durationMs: 12_000 })
  return world
}

describe('play info', () => {
  test('tells a player what it needs to start', async () => {
    const { get } = await ready()
    const response = await get()
    expect(await response.json()).toEqual({
      data: {
        title: 'Summer',
        durationMs: 12_000,
        status: 'ready',
        playable: true,
        progress: 0,
        hlsUrl: `http://site/play/${PLAY}/master.m3u8`,
        posterUrl: null,
        storyboardUrl: null,
        resumeMs: 0,
        session: `session of ${PLAY} at 1000000`,
        locked: false,
      },
    })
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('shows at once what has changed', async () => {
    const { get, derive } = await newWorld()
    expect(await (await get()).json()).toMatchObject({ data: { status: 'processing', playable: false } })
    await derive({ status: 'errored' })
    expect(await (await get()).json()).toMatchObject({ data: { status: 'errored' } })
  })
})

describe('play info for a viewer who has been here', () => {
  const stranger = 'a-viewer-id-of-24-chars.'
  const place = { videoId, positionMs: 7_000, sessionId: 's', seq: 1, effectiveAt: 1, ended: false }

  async function returning(viewerKey: string, part: Partial<typeof place> = {}) {
    const world = await ready()
    await world.client.write(createProgress({ ...place, ...part, viewerKey }))
    const resumeMs = async (query: string, headers: Record<string, string> = {}) =>
      ((await (await world.get(query, { headers })).json()) as { data: { resumeMs: number } }).data.resumeMs
    return { ...world, resumeMs }
  }

  test('says where that was', async () => {
    const { resumeMs } = await returning(`a:${stranger}`)
    expect(await resumeMs(`?viewerId=${stranger}`)).toBe(7_000)
    expect(await resumeMs('?viewerId=another-viewer-id-24-chr')).toBe(0)
    expect(await resumeMs('')).toBe(0)
  })

  test('goes by the account of who is signed in, not by the id of the browser', async () => {
    const { resumeMs } = await returning('u:ann')
    expect(await resumeMs('', { authorization: 'Bearer session-of-ann' })).toBe(7_000)
    expect(await resumeMs(`?viewerId=${stranger}`, { authorization: 'Bearer session-of-ann' })).toBe(7_000)
    expect(await resumeMs(`?viewerId=${stranger}`)).toBe(0)
  })

  test('plays from the start for one whose session is over, rather than not at all', async () => {
    const { resumeMs } = await returning('u:ann')
    expect(await resumeMs('', { authorization: 'Bearer expired' })).toBe(0)
  })

  test.each([
    ['has ended it', { ended: true }],
    ['was at its end', { positionMs: 12_000 }],
  ])('begins again for one who %s', async (_, part) => {
    const { resumeMs } = await returning(`a:${stranger}`, part)
    expect(await resumeMs(`?viewerId=${stranger}`)).toBe(0)
  })

  test.each(['short', 'x'.repeat(65), '', 'with%20a%20blank%20inside%20it'])(
    'refuses the viewer id "%s"',
    async (id) => {
      await expect((await ready()).get(`?viewerId=${id}`)).rejects.toMatchObject({ code: 'invalid_request' })
    },
  )

  test('is one request more than for a stranger', async () => {
    const { get, reads } = await ready()
    await get()
    const before = reads()
    await get()
    const plain = reads() - before
    await get(`?viewerId=${stranger}`)
    expect(reads() - before - plain).toBe(plain + 1)
  })
})

describe('a finished video', () => {
  test('has a master playlist and one playlist for each rendition, which a strict parser accepts', async () => {
    const { get } = await ready()
    const response = await get('/master.m3u8')
    expect(response.headers.get('content-type')).toBe('application/vnd.apple.mpegurl')
    expect(response.headers.get('cache-control')).toBe('max-age=3600')
    const master = await parseMaster(await response.text())
    for (const uri of [...master.variantUris, ...master.audioUris]) {
      const media = await parseMedia(await (await get(`/${uri}`)).text())
      expect(media).toMatchObject({ final: true, uris: ['0.ts', '1.ts', '2.ts'] })
    }
  })

  test('sends every segment to a signed URL of its immutable object', async () => {
    const { get } = await ready()
    const response = await get('/720p/2.ts')
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe(`http://oss/b/m/${mediaId}/plan1/720p/2.ts?for=GET&signed-at=1000000`)
    expect(response.headers.get('cache-control')).toBe('max-age=3000')
  })

  test('is signed anew for each request', async () => {
    const { get, pass } = await ready()
    await get('/720p/2.ts')
    pass(10)
    expect((await get('/720p/2.ts')).headers.get('location')).toMatch(/signed-at=1000010$/)
  })

  test('once warm, redirects and writes playlists without reading a table', async () => {
    const { get, reads, pass } = await ready()
    await get('/audio/0.ts')
    const before = reads()
    pass(29_999)
    await get('/720p/1.ts')
    await get('/360p/index.m3u8')
    await get('/master.m3u8')
    expect(reads()).toBe(before)
  })

  test('is read once however many viewers come at the same moment', async () => {
    const { get, reads } = await ready()
    const before = reads()
    await Promise.all(Array.from({ length: 50 }, (_, n) => get(`/720p/${n % 3}.ts`)))
    // The playback, then video and media, then the segments.
    expect(reads() - before).toBe(4)
  })

  test.each(['/720p/3.ts', '/audio/99999999.ts', '/1080p/0.ts'])('has no segment %s', async (path) => {
    await expect((await ready()).get(path)).rejects.toMatchObject({ code: 'segment_not_found' })
  })

  test.each(['/1080p/index.m3u8', '/720p/00.ts', '/720p/-1.ts', '/720p/1e0.ts', '/720p/0.m4s', '/720p', '/other.m3u8'])(
    'has nothing at %s',
    async (path) => {
      await expect((await ready()).get(path)).rejects.toMatchObject({ code: 'not_found' })
    },
  )

  test('answers HEAD like GET, without a body', async () => {
    const { get } = await ready()
    const segment = await get('/720p/0.ts', { method: 'HEAD' })
    expect([segment.status, await segment.text()]).toEqual([302, ''])
    const playlist = await get('/master.m3u8', { method: 'HEAD' })
    expect([playlist.status, await playlist.text()]).toEqual([200, ''])
  })

  test('sends who asks by HEAD to a URL that is signed for HEAD, and no cache keeps it', async () => {
    const { headers } = await (await ready()).get('/720p/0.ts', { method: 'HEAD' })
    expect(headers.get('location')).toContain('?for=HEAD&')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test('answers 405 to what cannot be done with it', async () => {
    expect((await (await ready()).get('/master.m3u8', { method: 'POST' })).status).toBe(405)
  })
})

describe('a playlist that a player has already', () => {
  test.each([
    ['its tag', (etag: string) => etag],
    ['its tag among others', (etag: string) => `"a", W/${etag}`],
    ['any', () => '*'],
  ])('is not sent again for %s', async (_, header) => {
    const { get } = await ready()
    const etag = (await get('/720p/index.m3u8')).headers.get('etag') ?? ''
    const again = await get('/720p/index.m3u8', { headers: { 'if-none-match': header(etag) } })
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
  })

  test('is sent again once it has changed', async () => {
    const { get, plan: makePlan, store, pass } = await newWorld()
    await makePlan()
    await store({ '720p': 1, '360p': 1, audio: 1 })
    const etag = (await get('/720p/index.m3u8')).headers.get('etag') ?? ''
    await store({ '720p': 2, '360p': 2, audio: 2 })
    pass(1000)
    expect((await get('/720p/index.m3u8', { headers: { 'if-none-match': etag } })).status).toBe(200)
  })
})

describe('a video that is being made', () => {
  test('cannot be played before it has a plan, and says when to ask again', async () => {
    const { get } = await newWorld()
    for (const path of ['/master.m3u8', '/720p/index.m3u8']) {
      const response = await get(path)
      expect([response.status, response.headers.get('retry-after')]).toEqual([409, '1'])
      expect(await response.json()).toMatchObject({ code: 'not_playable' })
    }
  })

  test('cannot be played before every rendition has a segment', async () => {
    const { get, plan: makePlan, store, pass } = await newWorld()
    await makePlan()
    await store({ '720p': 3, '360p': 3 })
    expect((await get('/master.m3u8')).status).toBe(409)
    await store({ audio: 1 })
    pass(1000)
    expect((await get('/master.m3u8')).status).toBe(200)
  })

  test('can be played within a second of its first segments, and of each that follows', async () => {
    const { get, plan: makePlan, store, pass } = await newWorld()
    const segments = async () => (await parseMedia(await (await get('/360p/index.m3u8')).text())).uris.length
    expect((await get('/master.m3u8')).status).toBe(409)
    await makePlan()
    await store({ '720p': 1, '360p': 1, audio: 1 })
    pass(1000)
    expect(await segments()).toBe(1)
    expect((await get('/360p/index.m3u8')).headers.get('cache-control')).toBe('max-age=1')
    await store({ '720p': 2, '360p': 2, audio: 2 })
    expect(await segments()).toBe(1)
    pass(1000)
    expect(await segments()).toBe(2)
  })

  test('serves no segment that is not listed yet, but says that it is coming', async () => {
    const { get, plan: makePlan, store } = await newWorld()
    await makePlan()
    await store({ '720p': 2, '360p': 1, audio: 3 })
    expect((await get('/720p/0.ts')).status).toBe(302)
    const early = await get('/720p/1.ts')
    expect([early.status, early.headers.get('retry-after')]).toEqual([404, '1'])
    expect(await early.json()).toMatchObject({ code: 'segment_not_found' })
  })

  test('has final playlists a quarter of a second after its last segment', async () => {
    const { get, plan: makePlan, store, pass } = await newWorld()
    await makePlan()
    await store({ '720p': 1, '360p': 1, audio: 1 })
    await get('/master.m3u8')
    await store(everything)
    pass(250)
    expect((await parseMedia(await (await get('/720p/index.m3u8')).text())).final).toBe(true)
  })

  test('redirects to a segment that was listed before without reading a table', async () => {
    const { get, plan: makePlan, store, pass, reads } = await newWorld()
    await makePlan()
    await store({ '720p': 2, '360p': 2, audio: 2 })
    await get('/720p/0.ts')
    const before = reads()
    pass(15_000)
    expect((await get('/720p/1.ts')).status).toBe(302)
    expect(reads()).toBe(before)
  })

  test('that failed with nothing to show says so, and not to ask again', async () => {
    const { get, derive } = await newWorld()
    await derive({ status: 'errored' })
    await expect(get('/master.m3u8')).rejects.toMatchObject({
      code: 'not_playable',
      message: expect.stringMatching(/could not be made/),
    })
  })

  test('that failed half-way can be played as far as it goes', async () => {
    const { get, plan: makePlan, store, derive } = await newWorld()
    await makePlan()
    await store({ '720p': 1, '360p': 1, audio: 1 })
    await derive({ status: 'errored', playable: true })
    expect((await parseMedia(await (await get('/720p/index.m3u8')).text())).final).toBe(false)
  })
})

describe('a playback that has ended', () => {
  const paths = ['', '/master.m3u8', '/720p/index.m3u8', '/720p/0.ts']

  test.each(paths)('because it was revoked is gone within 30 seconds: %s', async (path) => {
    const { get, tables, pass } = await ready()
    await get('/720p/0.ts')
    await tables.playbacks.revoke(PLAY)
    pass(30_000)
    await expect(get(path)).rejects.toMatchObject({ code: 'playback_not_found' })
  })

  test.each(paths)('because its video was deleted is gone within 30 seconds: %s', async (path) => {
    const { get, tables, pass } = await ready()
    await get('/720p/0.ts')
    const video = await tables.videos.find(videoId)
    if (video) await tables.videos.markDeleted(video, 5)
    pass(30_000)
    await expect(get(path)).rejects.toMatchObject({ code: 'playback_not_found' })
  })

  test('or never existed is not found, and may begin to exist at once', async () => {
    const { deps, tables } = await ready()
    const other = () => askPlain(onRequest, new Request('http://site/play/other'), deps)
    await expect(other()).rejects.toMatchObject({ code: 'playback_not_found' })
    await tables.playbacks.create({ playbackId: 'other', videoId, mediaId, policy: 'public', revoked: false })
    expect((await other()).status).toBe(200)
  })
})

test('answers its health check without a table', async () => {
  const { deps, reads } = await newWorld()
  const before = reads()
  expect((await askPlain(onRequest, new Request('http://site/healthz/play-redirect'), deps)).status).toBe(200)
  expect(reads()).toBe(before)
})
