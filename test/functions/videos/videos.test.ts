import { describe, expect, test } from 'vitest'
import { onRequest } from '../../../functions/videos/route.ts'
import type { MediaInfo } from '../../../shared/plan.ts'
import { countersTable } from '../../../shared/tables/counters.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { plannedRenditions, renditionsTable } from '../../../shared/tables/renditions.ts'
import { plannedRuns, segmentsTable } from '../../../shared/tables/segments.ts'
import { NOTHING_YET } from '../../../shared/tables/videos.ts'
import { videoError } from '../../../shared/video-errors.ts'
import { smallPlan } from '../../shared/plans.ts'
import { NOW, newVideo, newWorld } from './world.ts'

const film = newVideo(1)

describe('a video', () => {
  test('of which nothing is known yet has no renditions and no engine', async () => {
    const { deps, ask } = newWorld()
    await deps.videos.create(film)
    expect(await ask('GET', `/v1/videos/${film.videoId}`)).toMatchObject({
      status: 200,
      data: {
        videoId: film.videoId,
        title: 'film 1',
        status: 'processing',
        playable: false,
        progress: 0,
        engine: null,
        renditions: [],
        playbacks: [{ playbackId: film.playbackIds[0], policy: 'public' }],
        coverUrl: null,
        views: 0,
        source: { sizeBytes: 101, key: 'uploads/1/source' },
        sourceContext: 'ctx',
        classId: 'c1',
        error: null,
        createdAt: '2030-01-01T00:00:00.001Z',
      },
    })
  })

  test('that is being made shows how far each rendition is', async () => {
    const { ask } = await processing()
    const { data } = await ask('GET', `/v1/videos/${film.videoId}`)
    expect(data.engine).toEqual({ name: 'ffmpeg', reason: 'the source is not H.264' })
    expect(data.renditions).toEqual([
      { name: '720p', width: 1280, height: 720, bandwidth: 2_880_000, codecs: 'avc1.64001f', state: 'processing' },
      { name: '360p', width: 640, height: 360, bandwidth: 1_440_000, codecs: 'avc1.64001f', state: 'waiting' },
      { name: 'audio', width: 0, height: 0, bandwidth: 150_000, codecs: 'mp4a.40.2', state: 'ready' },
    ])
  })

  test('that is ready has only ready renditions, and its segments are not read', async () => {
    const reads: string[] = []
    const { ask, deps } = await processing(({ kind, table }) => void (kind === 'range' && reads.push(table)))
    const video = await deps.videos.find(film.videoId)
    if (!video) throw new Error('expected the video')
    await deps.videos.saveDerived(video, { ...video.derived, status: 'ready' })
    const { data } = await ask('GET', `/v1/videos/${film.videoId}`)
    expect(data.renditions.map(({ state }: { state: string }) => state)).toEqual(['ready', 'ready', 'ready'])
    expect(reads).not.toContain('segments')
  })

  test('that could not be made says why', async () => {
    const { deps, ask } = newWorld()
    await deps.videos.create(film)
    const video = await deps.videos.find(film.videoId)
    if (!video) throw new Error('expected the video')
    await deps.videos.saveDerived(video, { ...NOTHING_YET, status: 'errored', error: videoError('not_a_video') })
    expect((await ask('GET', `/v1/videos/${film.videoId}`)).data).toMatchObject({
      status: 'errored',
      error: { code: 'not_a_video', message: 'The file is not a video that we can read.', retryable: false },
    })
  })

  test('says how often it was viewed, in a list as well, in one request for the whole page', async () => {
    const { deps, ask, tables } = newWorld()
    const counters = countersTable(tables)
    for (const number of [1, 2, 3]) await deps.videos.create(newVideo(number))
    for (let n = 0; n < 20; n += 1) await counters.count(film.videoId, n % 8, [`session-${n}`])
    await counters.count(newVideo(3).videoId, 0, ['session-0'])
    await counters.count(newVideo(3).videoId, 0, ['session-0'])
    expect((await ask('GET', `/v1/videos/${film.videoId}`)).data.views).toBe(20)
    const { data } = await ask('GET', '/v1/videos')
    expect(data.map(({ views }: { views: number }) => views)).toEqual([1, 0, 20])
  })

  test('of somebody else, or of nobody, is not found', async () => {
    const { deps, ask } = newWorld()
    await deps.videos.create(film)
    for (const [path, owner] of [
      [film.videoId, 'bob'],
      ['none', 'ann'],
    ]) {
      await expect(ask('GET', `/v1/videos/${path}`, owner)).rejects.toMatchObject({ code: 'video_not_found' })
      await expect(ask('DELETE', `/v1/videos/${path}`, owner)).rejects.toMatchObject({ code: 'video_not_found' })
      const patch = ask('PATCH', `/v1/videos/${path}`, owner, { title: 'mine' })
      await expect(patch).rejects.toMatchObject({ code: 'video_not_found' })
      await expect(ask('POST', `/v1/videos/${path}/restore`, owner)).rejects.toMatchObject({ code: 'video_not_found' })
    }
    expect((await deps.videos.find(film.videoId))?.deletedAt).toBe(0)
  })

  test.each([
    'GET /v1/videos',
    'GET /v1/videos/x',
    'PATCH /v1/videos/x',
    'DELETE /v1/videos/x',
    'POST /v1/videos/x/restore',
  ])('is closed to whoever is not signed in: %s', async (line) => {
    const [method = '', path = ''] = line.split(' ')
    const request = new Request(`http://api${path}`, { method })
    await expect(onRequest(request, newWorld().deps)).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})

describe('the list of videos', () => {
  test('is one’s own, newest first, page by page', async () => {
    const { deps, ask } = newWorld()
    for (const number of [3, 1, 5, 2, 4]) await deps.videos.create(newVideo(number))
    await deps.videos.create(newVideo(9, { ownerId: 'bob' }))
    const titles: string[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof ask>> = await ask(
        'GET',
        `/v1/videos?limit=2${cursor && `&cursor=${cursor}`}`,
      )
      titles.push(page.data.map(({ title }: { title: string }) => title))
      cursor = page.nextCursor
    }
    expect(titles).toEqual([['film 5', 'film 4'], ['film 3', 'film 2'], ['film 1']])
  })

  test('of somebody who has none is empty', async () => {
    expect(await newWorld().ask('GET', '/v1/videos')).toEqual({ status: 200, data: [], nextCursor: null })
  })

  test('cannot be entered with the cursor of somebody else’s', async () => {
    const { deps, ask } = newWorld()
    for (const number of [1, 2]) await deps.videos.create(newVideo(number))
    await deps.videos.create(newVideo(3, { ownerId: 'bob' }))
    const { nextCursor } = await ask('GET', '/v1/videos?limit=1')
    const { data } = await ask('GET', `/v1/videos?cursor=${nextCursor}`, 'bob')
    expect(data.every(({ videoId }: { videoId: string }) => videoId === newVideo(3).videoId)).toBe(true)
  })

  test.each([
    ['limit=0'],
    ['limit=101'],
    ['limit=-1'],
    ['limit=1.5'],
    ['limit=x'],
    ['limit='],
    ['cursor='],
    ['cursor=%00'],
    ['cursor=!!!'],
    [`cursor=${Buffer.from('{}').toString('base64url')}`],
    [`cursor=${Buffer.from('["1","a"]').toString('base64url')}`],
    [`cursor=${Buffer.from('[1.5,"a"]').toString('base64url')}`],
    [`cursor=${Buffer.from('[1,"a",2]').toString('base64url')}`],
    [`cursor=${Buffer.from('[1,"../a"]').toString('base64url')}`],
    [`cursor=${Buffer.from('[1,"a"]').toString('base64url')}=`],
  ])('refuses %s', async (query) => {
    await expect(newWorld().ask('GET', `/v1/videos?${query}`)).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('another title', () => {
  test('is given, without blanks around it, and changes nothing else', async () => {
    const { ask } = await processing()
    const path = `/v1/videos/${film.videoId}`
    const { data: before } = await ask('GET', path)
    const { status, data } = await ask('PATCH', path, 'ann', { title: '  夏天 \u{1F3D6} ' })
    expect([status, data]).toEqual([200, { ...before, title: '夏天 \u{1F3D6}' }])
    expect((await ask('GET', path)).data).toEqual(data)
  })

  test('is given although the pipeline changes the video meanwhile, whose change stays', async () => {
    let meddle = true
    const { ask, deps } = await processing(async ({ phase, write }) => {
      if (!meddle || phase !== 'before' || !write || !('update' in write) || !('title' in write.update)) return
      meddle = false
      const video = await deps.videos.find(film.videoId)
      if (video) await deps.videos.saveDerived(video, { ...video.derived, progress: 50 })
    })
    const { data } = await ask('PATCH', `/v1/videos/${film.videoId}`, 'ann', { title: 'new' })
    expect(data).toMatchObject({ title: 'new', progress: 50 })
    expect(meddle).toBe(false)
  })

  test.each([
    [undefined, 'invalid_json'],
    [{}, 'title is missing'],
    [[], 'title is missing'],
    [null, 'The body must be a JSON object'],
    [{ title: '' }, 'title must be'],
    [{ title: '   ' }, 'title must be'],
    [{ title: 5 }, 'title must be'],
    [{ title: 'a\nb' }, 'title must be'],
    [{ title: 'x'.repeat(256) }, 'title must be'],
    [{ title: 'x', status: 'ready' }, 'status is not a known field'],
  ])('is refused in %j', async (body, reason) => {
    const { ask, deps } = await processing()
    const refusal = ask('PATCH', `/v1/videos/${film.videoId}`, 'ann', body)
    await expect(refusal.catch(({ code, message }) => `${code}: ${message}`)).resolves.toContain(reason)
    expect((await deps.videos.find(film.videoId))?.title).toBe('film 1')
  })
})

describe('a restored video', () => {
  const path = `/v1/videos/${film.videoId}`

  test('is listed again, its playback works, and its cancelled tasks go on with another attempt', async () => {
    const { ask, tables, sent } = await underWay()
    const { data: before } = await ask('GET', path)
    await ask('DELETE', path)
    const { status, data } = await ask('POST', `${path}/restore`)
    expect([status, data]).toEqual([200, before])
    expect((await ask('GET', '/v1/videos')).data).toEqual([before])
    expect(tables.rows('playbacks')).toMatchObject([{ revoked: false }])
    expect(sent).toMatchObject([{ taskId: 'v0', attempt: 2 }])
    const task = tables.rows('tasks').find((row) => row.task_id === 'v0')
    expect(task).toMatchObject({ state: 'queued', attempt: 2, ended_attempt: 1, error: '', lease_until: 0 })
  })

  test('may be deleted and restored again, and again', async () => {
    const { ask, sent } = await underWay()
    for (let round = 1; round <= 5; round += 1) {
      await ask('DELETE', path)
      expect((await ask('POST', `${path}/restore`)).data).toMatchObject({ status: 'processing', error: null })
      expect(sent).toHaveLength(round)
    }
  })

  test('keeps a playback revoked that was revoked for another reason', async () => {
    const { ask, tables } = await underWay()
    const key = [['playback_id', String(film.playbackIds[0])]] as const
    await tables.write({ table: 'playbacks', key, expect: 'present', update: { revoked: true } })
    await ask('DELETE', path)
    await ask('POST', `${path}/restore`)
    expect(tables.rows('playbacks')).toMatchObject([{ revoked: true }])
  })

  test('was not deleted, and stays as it is', async () => {
    const { ask } = await underWay()
    const { data: before } = await ask('GET', path)
    expect(await ask('POST', `${path}/restore`)).toMatchObject({ status: 200, data: before })
  })

  test('cannot be brought back once its removal for good has begun', async () => {
    const { ask, deps, tables } = await underWay()
    await ask('DELETE', path)
    const video = await deps.videos.find(film.videoId)
    if (!video) throw new Error('expected the video')
    await deps.videos.markPurging(video, NOW)
    await expect(ask('POST', `${path}/restore`)).rejects.toMatchObject({ code: 'not_restorable' })
    expect((await ask('GET', '/v1/videos')).data).toEqual([])
    expect(tables.rows('tasks').find((row) => row.task_id === 'v0')).toMatchObject({ state: 'failed' })
  })

  test('may be asked for again with the same Idempotency-Key, but not with another body', async () => {
    const { ask, post, deps } = await underWay()
    await ask('DELETE', path)
    const headers = { authorization: 'Bearer session-of-ann', 'idempotency-key': 'k' }
    const first = await post(`${path}/restore`, undefined, headers)
    expect(first).toMatchObject({ status: 200, data: { videoId: film.videoId } })
    expect(await post(`${path}/restore`, undefined, headers)).toEqual(first)
    await ask('DELETE', path)
    await expect(post(`${path}/restore`, { other: true }, headers)).rejects.toMatchObject({
      code: 'idempotency_conflict',
    })
    expect((await deps.videos.find(film.videoId))?.deletedAt).toBe(NOW)
    expect(await post(`${path}/restore`, { other: true }, { ...headers, 'idempotency-key': 'l' })).toMatchObject({
      status: 200,
    })
  })

  test.each(['', 'a b', 'ü'])('is not asked for with the Idempotency-Key "%s"', async (key) => {
    const { post } = await underWay()
    const headers = { authorization: 'Bearer session-of-ann', 'idempotency-key': key }
    await expect(post(`${path}/restore`, undefined, headers)).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('leaves no trace of a stranger who names a key', async () => {
    const { post, tables } = await underWay()
    const headers = { authorization: 'Bearer session-of-bob', 'idempotency-key': 'k' }
    await expect(post(`${path}/restore`, undefined, headers)).rejects.toMatchObject({ code: 'video_not_found' })
    expect(tables.rows('idempotency')).toEqual([])
  })

  test('is restored by a repeat when the first request died anywhere', async () => {
    for (let nth = 0; nth < 24; nth += 1) {
      let left = -1
      const { ask, tables } = await underWay(({ phase }) => {
        if (phase === 'after' && left >= 0 && left-- === 0) throw new Error('died')
      })
      await ask('DELETE', path)
      left = nth
      await ask('POST', `${path}/restore`).catch(() => undefined)
      left = -1
      expect(await ask('POST', `${path}/restore`)).toMatchObject({ status: 200 })
      expect((await ask('GET', '/v1/videos')).data).toHaveLength(1)
      expect(tables.rows('playbacks')).toMatchObject([{ revoked: false }])
      expect(tables.rows('tasks').find((row) => row.task_id === 'v0')).toMatchObject({ state: 'queued', attempt: 2 })
    }
  })
})

describe('a deleted video', () => {
  test('is gone, its playback is revoked and its unfinished tasks are cancelled', async () => {
    const { ask, deps, tables } = await processing()
    await deps.tasks.claim({ mediaId: film.mediaId, taskId: 'v0', attempt: 1 }, 'worker', 100, 10)
    expect(await ask('DELETE', `/v1/videos/${film.videoId}`)).toMatchObject({ status: 204 })
    await expect(ask('GET', `/v1/videos/${film.videoId}`)).rejects.toMatchObject({ code: 'video_not_found' })
    await expect(ask('DELETE', `/v1/videos/${film.videoId}`)).rejects.toMatchObject({ code: 'video_not_found' })
    expect((await ask('GET', '/v1/videos')).data).toEqual([])
    expect(tables.rows('playbacks')).toMatchObject([{ revoked: true }])
    expect(tables.rows('tasks').map((row) => [row.task_id, row.state])).toEqual([
      ['probe', 'done'],
      ['v0', 'failed'],
    ])
    expect(tables.rows('due')).toMatchObject([{ ref: `video#${film.videoId}` }])
    expect(await deps.tasks.renew({ mediaId: film.mediaId, taskId: 'v0', attempt: 1 }, 'worker', 200)).toBe(false)
  })

  test('is deleted although the pipeline changes it meanwhile', async () => {
    let meddle = true
    const { ask, deps } = await processing(async ({ phase, write }) => {
      if (!meddle || phase !== 'before' || !write || !('update' in write) || !('deleted_at' in write.update)) return
      meddle = false
      const video = await deps.videos.find(film.videoId)
      if (video) await deps.videos.saveDerived(video, { ...video.derived, progress: 50 })
    })
    expect(await ask('DELETE', `/v1/videos/${film.videoId}`)).toMatchObject({ status: 204 })
    expect(meddle).toBe(false)
    expect((await deps.videos.find(film.videoId))?.deletedAt).toBeGreaterThan(0)
  })

  test('is deleted by a repeat when the first request died anywhere', async () => {
    for (let nth = 0; nth < 12; nth += 1) {
      let left = -1
      const { ask, deps, tables } = await processing(({ phase }) => {
        if (phase === 'after' && left >= 0 && left-- === 0) throw new Error('died')
      })
      left = nth
      await ask('DELETE', `/v1/videos/${film.videoId}`).catch(() => undefined)
      left = -1
      await ask('DELETE', `/v1/videos/${film.videoId}`).catch((error) => expect(error.code).toBe('video_not_found'))
      expect((await deps.videos.find(film.videoId))?.deletedAt).toBeGreaterThan(0)
      expect(tables.rows('playbacks')).toMatchObject([{ revoked: true }])
      expect(tables.rows('tasks').find((row) => row.task_id === 'v0')).toMatchObject({ state: 'failed' })
    }
  })
})

test('answers its health check, and says which methods there are', async () => {
  const { deps, ask } = newWorld()
  expect((await onRequest(new Request('http://api/healthz/videos'), deps)).status).toBe(200)
  expect((await ask('PUT', '/v1/videos')).status).toBe(405)
  await expect(ask('GET', '/v1/other')).rejects.toMatchObject({ code: 'not_found' })
})

/** A video whose sound is finished and whose top rendition has begun. */
async function processing(...options: Parameters<typeof newWorld>) {
  const world = newWorld(...options)
  const { deps } = world
  const plan = smallPlan()
  await deps.videos.create(film)
  const video = await deps.videos.find(film.videoId)
  if (!video) throw new Error('expected the video')
  await deps.videos.saveDerived(video, { ...NOTHING_YET, engine: plan.engine, engineReason: plan.reason })
  const { mediaId, videoId } = film
  const media = mediaTable(world.tables)
  await media.create({ mediaId, sourceKey: film.sourceKey, sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await media.savePlan(mediaId, plan, { durationMs: 12_000, video: { width: 1280, height: 720 } } as MediaInfo)
  await media.link(mediaId, videoId)
  await deps.playbacks.create({
    playbackId: String(film.playbackIds[0]),
    videoId,
    mediaId,
    policy: 'public',
    revoked: false,
  })
  const renditions = renditionsTable(world.tables)
  for (const rendition of plannedRenditions(mediaId, plan)) await renditions.create(rendition)
  const segments = segmentsTable(world.tables)
  for (const run of plannedRuns(mediaId, plan)) await segments.create(run)
  await segments.publish(mediaId, plan.planId, [
    { rendition: 'audio', firstSegment: 0, sizesBytes: [1, 1, 1] },
    { rendition: '720p', firstSegment: 0, sizesBytes: [1] },
  ])
  await deps.tasks.create({ mediaId, taskId: 'probe', planId: '', kind: 'probe' })
  await deps.tasks.claim({ mediaId, taskId: 'probe', attempt: 1 }, 'worker', 100, 10)
  await deps.tasks.finish({ mediaId, taskId: 'probe', attempt: 1 }, 'worker')
  await deps.tasks.create({ mediaId, taskId: 'v0', planId: plan.planId, kind: 'video' })
  return world
}

/** The same, with both of its tasks, as the pipeline has left it. */
async function underWay(...options: Parameters<typeof newWorld>) {
  const world = await processing(...options)
  const audio = { mediaId: film.mediaId, taskId: 'audio', attempt: 1 }
  await world.deps.tasks.create({ ...audio, planId: smallPlan().planId, kind: 'audio' })
  await world.deps.tasks.claim(audio, 'worker', 100, 10)
  await world.deps.tasks.finish(audio, 'worker')
  await world.deps.drive(film.mediaId)
  world.sent.length = 0
  return world
}
