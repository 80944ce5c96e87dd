import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PlayInfo, ProgressView } from '../../shared/api.ts'
import { clipFile, openStage, type Stage, type Ticket } from './cloud.ts'

/** More and longer in `npm run test:long`. */
const VIEWERS = Number(process.env.VIEWERS ?? 20)
const SECONDS = Number(process.env.VIEW_SECONDS ?? 6)
const BEAT_SECONDS = Math.min(10, SECONDS / 3)
const BEATS = Math.floor(SECONDS / BEAT_SECONDS)

let stage: Stage
let ticket: Ticket
beforeAll(async () => {
  stage = await openStage()
  ticket = (await stage.upload(await clipFile('plain'))).ticket
})
afterAll(() => stage?.close())

test(`${VIEWERS} viewers who watch at once for ${SECONDS} s meet no error, keep their places and count once each`, async () => {
  const positions = await Promise.all(Array.from({ length: VIEWERS }, (_, index) => watch(index)))
  expect(positions).toEqual(Array.from({ length: VIEWERS }, (_, index) => positionOf(index, BEATS)))
  const { body } = await stage.call('GET', `/v1/videos/${ticket.videoId}`)
  expect(body.data).toMatchObject({ views: VIEWERS })
})

/** What a player does: play info, playlists, then segments and beats at their pace. Gives the place that was kept. */
async function watch(index: number): Promise<number> {
  const viewerId = `viewer-${String(index).padStart(16, '0')}`
  const play = `/play/${ticket.playbackId}`
  await sleep((index * 1000 * BEAT_SECONDS) / VIEWERS)
  const info = await data<PlayInfo>(`${play}?viewerId=${viewerId}`)
  await read(`${play}/master.m3u8`)
  await read(`${play}/240p/index.m3u8`)
  for (let seq = 1; seq <= BEATS; seq += 1) {
    await Promise.all([read(`${play}/240p/0.ts`), read(`${play}/audio/0.ts`)])
    const sent = { playbackId: ticket.playbackId, sessionId: info.session, viewerId, seq }
    const body = JSON.stringify({ ...sent, positionMs: positionOf(index, seq), event: 'timeupdate', playing: true })
    await read('/v1/heartbeats', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await sleep(BEAT_SECONDS * 1000)
  }
  return (await data<ProgressView>(`/v1/progress?playbackId=${ticket.playbackId}&viewerId=${viewerId}`)).positionMs
}

function positionOf(viewer: number, seq: number): number {
  return seq * 1000 + viewer
}

async function data<Data>(path: string): Promise<Data> {
  return (JSON.parse(await read(path)) as { data: Data }).data
}

async function read(path: string, init?: RequestInit): Promise<string> {
  const response = await fetch(`${stage.local.cloud.gateway}${path}`, init)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text}`)
  return text
}

/** Viewers live in real time, and so must this test. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
