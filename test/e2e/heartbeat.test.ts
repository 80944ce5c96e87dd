import { stat } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Beat, PlayInfo, ProgressView } from '../../shared/api.ts'
import { clipFile, nextLook, openStage, type Stage, type Ticket } from './cloud.ts'

let stage: Stage
let ticket: Ticket
beforeAll(async () => {
  stage = await openStage()
  ticket = (await stage.upload(await clipFile('plain'))).ticket
})
afterAll(() => stage?.close())

/** Somebody with a browser of their own: no account, an id that the page made up. */
function stranger(number: number) {
  const viewerId = `viewer-${String(number).padStart(16, '0')}`
  const { gateway } = stage.local.cloud
  const read = async <Data>(path: string, init?: RequestInit) => {
    const response = await fetch(`${gateway}${path}`, init)
    const body = (await response.json()) as { data: Data; code?: string }
    return { status: response.status, ...body }
  }
  return {
    info: async () => (await read<PlayInfo>(`/play/${ticket.playbackId}?viewerId=${viewerId}`)).data,
    progress: async () =>
      (await read<ProgressView>(`/v1/progress?playbackId=${ticket.playbackId}&viewerId=${viewerId}`)).data,
    beat: (part: Partial<Beat>, contentType = 'application/json') =>
      read<{ nextBeatMs: number }>('/v1/heartbeats', {
        method: 'POST',
        headers: { 'content-type': contentType },
        body: JSON.stringify({
          ...{ playbackId: ticket.playbackId, viewerId, sessionId: 'made up', seq: 1 },
          ...{ positionMs: 0, event: 'timeupdate', playing: true, ...part },
        }),
      }),
  }
}

async function views(): Promise<number> {
  const { body } = await stage.call('GET', `/v1/videos/${ticket.videoId}`)
  return (body.data as { views: number }).views
}

test('a viewer goes on where they stopped, also in another browser that is signed in as the same user', async () => {
  const beat = { playbackId: ticket.playbackId, sessionId: 's-1', seq: 1, event: 'pause', playing: false }
  const sent = await stage.call('POST', '/v1/heartbeats', { body: { ...beat, positionMs: 1_234 } })
  expect([sent.status, sent.body.data]).toEqual([200, { nextBeatMs: 60_000 }])
  const progress = await stage.call('GET', `/v1/progress?playbackId=${ticket.playbackId}`)
  expect(progress.body.data).toEqual({ positionMs: 1_234, updatedAt: expect.stringMatching(/^\d{4}-.*Z$/) })
  const info = await stage.call('GET', `/play/${ticket.playbackId}`)
  expect(info.body.data).toMatchObject({ resumeMs: 1_234 })
  expect((await stranger(1).info()).resumeMs).toBe(0)
})

test('a beat of sendBeacon counts, and one that it overtook does not', async () => {
  const { beat, progress, info } = stranger(2)
  const sessionId = (await info()).session
  await beat({ sessionId, seq: 3, positionMs: 900, event: 'pause', playing: false }, 'text/plain;charset=UTF-8')
  await beat({ sessionId, seq: 2, positionMs: 100 })
  await beat({ sessionId: (await info()).session, seq: 1, positionMs: 200, ageMs: 60_000 })
  expect((await progress()).positionMs).toBe(900)
  expect((await info()).resumeMs).toBe(900)
})

test('fifty viewers at once each keep their own place, and each who watched is one view', async () => {
  const viewers = Array.from({ length: 50 }, (_, index) => stranger(100 + index))
  const before = await views()
  const sessions = await Promise.all(viewers.map(async ({ info }) => (await info()).session))
  const all = (seq: number, only: number) =>
    Promise.all(
      viewers.slice(0, only).map(async ({ beat }, index) => {
        const part = { sessionId: sessions[index] ?? '', seq, positionMs: seq * 100 + index }
        // Each is sent twice, as by a client whose first answer was lost.
        const answers = await Promise.all([beat(part), beat(part)])
        expect(answers.map(({ status }) => status)).toEqual([200, 200])
      }),
    )
  await all(1, 50)
  await stage.local.advance(20_000)
  await all(2, 30)
  expect(await views()).toBe(before + 30)
  const positions = await Promise.all(viewers.map(async ({ progress }) => (await progress()).positionMs))
  expect(positions).toEqual(viewers.map((_, index) => (index < 30 ? 200 : 100) + index))
})

test('a deleted video takes no beats until it is restored, and then plays and goes on where it was', async () => {
  const { beat, info } = stranger(3)
  await beat({ positionMs: 700 })
  expect((await stage.call('DELETE', `/v1/videos/${ticket.videoId}`)).status).toBe(204)
  await stage.local.advance(30_000)
  expect(await beat({ seq: 2, positionMs: 800 })).toMatchObject({ status: 404, code: 'playback_not_found' })
  const restored = await stage.call('POST', `/v1/videos/${ticket.videoId}/restore`)
  expect(restored).toMatchObject({ status: 200, body: { data: { status: 'ready', playable: true } } })
  const { body } = await stage.call('GET', '/v1/videos')
  expect((body.data as { videoId: string }[]).map(({ videoId }) => videoId)).toContain(ticket.videoId)
  expect((await info()).resumeMs).toBe(700)
  expect((await beat({ seq: 2, positionMs: 800 })).status).toBe(200)
})

test('a video that is deleted while it is made and then restored is made to its end', async () => {
  const file = await clipFile('large-20s')
  const upload = await stage.newUpload('restored.mp4', (await stat(file)).size)
  await stage.send(upload, file)
  await stage.complete(upload)
  while (!(await stage.video(upload.videoId)).playable) await nextLook()
  expect((await stage.call('DELETE', `/v1/videos/${upload.videoId}`)).status).toBe(204)
  expect((await stage.call('POST', `/v1/videos/${upload.videoId}/restore`)).status).toBe(200)
  await stage.local.idle()
  expect(await stage.video(upload.videoId)).toMatchObject({ status: 'ready', progress: 100, error: null })
})

test('another title is what the owner and the viewers see', async () => {
  const patch = await stage.call('PATCH', `/v1/videos/${ticket.videoId}`, { body: { title: '夏天' } })
  expect(patch).toMatchObject({ status: 200, body: { data: { title: '夏天' } } })
  expect((await stranger(4).info()).title).toBe('夏天')
})
