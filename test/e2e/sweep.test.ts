import { stat } from 'node:fs/promises'
import OSS from 'ali-oss'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { TABLES } from '../../shared/tables/schema.ts'
import { clipFile, openStage, ossOf, type Stage } from './cloud.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

async function opened(): Promise<Stage> {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  return stage
}

/** Moves the clock, and waits until all that falls due is done. */
async function pass(stage: Stage, ms: number): Promise<void> {
  await stage.local.advance(ms)
  await stage.local.idle()
}

/** Every row of every table as text, by table. */
async function allRows({ local }: Stage): Promise<Record<string, string[]>> {
  const { tablestore, accessKeyId, accessKeySecret } = local.cloud
  const tables = openTables(tablestore, { accessKeyId, accessKeySecret }, { requestId: 'test' })
  const entries = TABLES.map(async ({ table, key }) => {
    const { rows } = await tables.range({ table, prefix: [], keyColumns: key.map(({ name }) => name) })
    return [table, rows.map((row) => JSON.stringify(row))] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** Keys of all objects, and of all unfinished uploads. */
async function allObjects({ local }: Stage): Promise<{ keys: string[]; unfinished: string[] }> {
  const { oss, region, accessKeyId, accessKeySecret } = local.cloud
  const { endpoint, bucket } = oss
  const place = { endpoint, bucket, sldEnable: true, region: `oss-${region}`, authorizationV4: true }
  const client = new OSS({ ...place, accessKeyId, accessKeySecret } as OSS.Options)
  const { objects = [] } = await client.listV2({ 'max-keys': '1000' }, {})
  const { uploads = [] } = await client.listUploads({ 'max-uploads': 1000 }, {})
  return { keys: objects.map(({ name }) => name), unfinished: uploads.map(({ name }) => name) }
}

/** An upload of which one part has arrived and no more will. */
async function abandoned(stage: Stage) {
  const ticket = await stage.newUpload('abandoned.mp4', 10_000_000)
  const client = ossOf(ticket, true)
  const { uploadId } = await client.initMultipartUpload(ticket.key)
  const part = await clipFile('plain')
  await client.uploadPart(ticket.key, uploadId, 1, part, 0, (await stat(part)).size)
  return ticket
}

/** Leaves a viewer's traces. */
async function watch(stage: Stage, playbackId: string): Promise<void> {
  const { session } = (await stage.call('GET', `/play/${playbackId}`)).body.data as { session: string }
  const beat = { playbackId, sessionId: session, seq: 1, positionMs: 1000, event: 'timeupdate', playing: true }
  const answer = await stage.call('POST', '/v1/heartbeats', { body: beat })
  expect(answer.status).toBe(200)
  const { sessions, progress } = await allRows(stage)
  expect([sessions?.length, progress?.length]).toEqual([1, 1])
}

describe('as time passes', () => {
  test('an abandoned upload and a deleted video leave nothing behind, and a forgotten one is finished', async () => {
    const stage = await opened()
    const clip = await clipFile('plain')
    const { ticket: deleted, video } = await stage.upload(clip)
    expect(video.status).toBe('ready')
    await watch(stage, deleted.playbackId)
    const given = await abandoned(stage)

    const lost = stage.local.faults.add({ fault: 'delivery', of: 'event', outcome: 'drop', times: 100 })
    const forgotten = await stage.newUpload('forgotten.mp4', 1_000_000)
    await stage.send(forgotten, clip)
    await stage.local.idle()
    stage.local.faults.remove(lost)
    expect((await allRows(stage)).videos).toHaveLength(1)

    expect((await stage.call('DELETE', `/v1/videos/${deleted.videoId}`)).status).toBe(204)
    await pass(stage, 26 * 60 * MINUTE)
    const aDayLater = await allObjects(stage)
    expect(aDayLater.unfinished).toEqual([])
    expect(aDayLater.keys).toContain(deleted.key)
    expect((await allRows(stage)).uploads?.find((row) => row.includes(given.uploadId))).toContain('"expired"')
    expect(await stage.video(forgotten.videoId)).toMatchObject({ status: 'ready' })

    await pass(stage, 9 * DAY)
    const { keys } = await allObjects(stage)
    const mediaOf = (await allRows(stage)).media?.map((row) => JSON.parse(row).media_id as string) ?? []
    expect(mediaOf).toHaveLength(1)
    expect(keys.filter((key) => key !== forgotten.key && !key.startsWith(`m/${mediaOf[0]}/`))).toEqual([])
    const rows = Object.values(await allRows(stage)).flat()
    for (const { uploadId, videoId, playbackId } of [deleted, given]) {
      for (const id of [uploadId, videoId, playbackId]) {
        expect(rows.filter((row) => row.includes(id) && !row.includes('body_sha256'))).toEqual([])
      }
    }
    expect(rows.some((row) => row.includes(forgotten.videoId))).toBe(true)
  })

  test('a video whose worker was killed, and whose end nobody reported, becomes ready', async () => {
    const stage = await opened()
    const { faults } = stage.local
    faults.add({ fault: 'kill', function: 'yunbo-ffmpeg-transcode', service: 'oss', operation: 'PutObject', nth: 2 })
    const unreported = faults.add({
      fault: 'delivery',
      of: 'invocation',
      target: 'mps-callback',
      outcome: 'drop',
      times: 100,
    })
    const { ticket, video } = await stage.upload(await clipFile('plain'))
    expect(video.status).toBe('processing')
    faults.remove(unreported)

    await pass(stage, 30_000)
    expect((await stage.video(ticket.videoId)).status).toBe('processing')
    await pass(stage, 5 * MINUTE)
    expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready', progress: 100 })
    const tasks = (await allRows(stage)).tasks?.map((row) => JSON.parse(row)) ?? []
    expect(tasks.map(({ attempt }) => attempt)).toContain(2)
    expect(tasks.every(({ state }) => state === 'done')).toBe(true)
  })
})
