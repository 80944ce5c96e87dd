import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { uploadsTable } from '../../shared/tables/uploads.ts'
import { clipFile, openStage, ossOf, type Stage } from './cloud.ts'

let stage: Stage
let clip: string
let size: number

beforeAll(async () => {
  stage = await openStage()
  clip = await clipFile('plain')
  size = (await readFile(clip)).length
})
afterAll(() => stage?.close())

const ALL_PARTS = { 'max-parts': 10, 'part-number-marker': 0, 'encoding-type': '' } as unknown as OSS.ListPartsQuery
const refused = { code: 'AccessDenied', status: 403 }
const newTicket = () => stage.newUpload('clip.mp4', size)

describe.each([
  ['V1', false],
  ['V4', true],
])('the rights of one upload, signed %s', (_name, v4) => {
  test('cover everything an upload to its own key needs', async () => {
    const { key, ...rest } = await newTicket()
    const oss = ossOf({ key, ...rest }, v4)
    await oss.put(key, clip)
    const upload = await oss.initMultipartUpload(key)
    const part = await oss.uploadPart(key, upload.uploadId, 1, clip, 0, size)
    const listed = await oss.listParts(key, upload.uploadId, ALL_PARTS, {})
    // One part comes as an object and not as a list of one.
    expect([listed.parts].flat()).toHaveLength(1)
    await oss.completeMultipartUpload(key, upload.uploadId, [{ number: 1, etag: etagOf(part) }])
    const other = await oss.initMultipartUpload(key)
    await oss.abortMultipartUpload(key, other.uploadId, {})
  })

  test('cover no other key and no other operation', async () => {
    const mine = await newTicket()
    const other = await newTicket()
    const oss = ossOf(mine, v4)
    await oss.put(mine.key, clip)
    const bytes = Buffer.from('x')
    await expect(oss.put(other.key, bytes)).rejects.toMatchObject(refused)
    await expect(oss.put(`${mine.key}/x`, bytes)).rejects.toMatchObject(refused)
    await expect(oss.put('m/x/y/720p/0.ts', bytes)).rejects.toMatchObject(refused)
    await expect(oss.initMultipartUpload(other.key)).rejects.toMatchObject(refused)
    await expect(oss.get(mine.key)).rejects.toMatchObject(refused)
    await expect(oss.head(mine.key)).rejects.toMatchObject({ status: 403 })
    await expect(oss.delete(mine.key)).rejects.toMatchObject(refused)
    await expect(oss.copy(mine.key, other.key)).rejects.toMatchObject(refused)
    await expect(oss.putACL(mine.key, 'public-read')).rejects.toMatchObject(refused)
    await expect(oss.listV2({ 'max-keys': '1' }, {})).rejects.toMatchObject(refused)
    await expect(oss.deleteMulti([mine.key])).rejects.toMatchObject(refused)
    await expect(oss.getBucketInfo(mine.bucket)).rejects.toMatchObject(refused)
  })
})

test('a symlink on the own key is not accepted as a source', async () => {
  const victim = await newTicket()
  await ossOf(victim, true).put(victim.key, clip)
  const ticket = await newTicket()
  await ossOf(ticket, false).putSymlink(ticket.key, victim.key, {})
  const answer = await stage.complete(ticket)
  expect(answer).toMatchObject({ status: 422, body: { code: 'source_not_accepted' } })
  expect(await stage.complete(ticket)).toMatchObject({ status: 422, body: { code: 'source_not_accepted' } })
})

test('completing before the bytes are there says so, and works once they are', async () => {
  const ticket = await newTicket()
  expect(await stage.complete(ticket)).toMatchObject({ status: 409, body: { code: 'upload_incomplete' } })
  await stage.send(ticket, clip)
  expect(await stage.complete(ticket)).toMatchObject({ status: 200 })
  await stage.local.idle()
})

test('complete five times at once beside the event makes one video, one transcode and one answer', async () => {
  const ticket = await newTicket()
  await stage.send(ticket, clip)
  const answers = await Promise.all(Array.from({ length: 5 }, () => stage.complete(ticket)))
  for (const answer of answers) {
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { uploadId: ticket.uploadId, videoId: ticket.videoId, playbackId: ticket.playbackId } },
    })
  }
  await stage.local.idle()
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready' })
  const tables = openTables(stage.local.cloud.tablestore, stage.local.cloud, { requestId: 'test' })
  const upload = await uploadsTable(tables).find(ticket.uploadId)
  const tasks = await tasksTable(tables).all(upload?.mediaId ?? '')
  expect(tasks.map((task) => task.taskId).sort()).toEqual(['audio', 'check', 'copy', 'probe'])
  expect(tasks.every((task) => task.attempt === 1 && task.state === 'done')).toBe(true)
})

test('the event alone is enough when nobody calls complete', async () => {
  const ticket = await newTicket()
  await stage.send(ticket, clip)
  await stage.local.idle()
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready' })
})

test('overwriting the source after complete ends the video as source_changed', async () => {
  const ticket = await newTicket()
  await stage.send(ticket, clip)
  expect(await stage.complete(ticket)).toMatchObject({ status: 200 })
  const other = join(stage.dataDir, 'other.mp4')
  await writeFile(other, await readFile(await clipFile('silent')))
  await ossOf(ticket, true).put(ticket.key, other)
  await stage.local.idle()
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'errored', error: { code: 'source_changed' } })
})

test('no fresh credentials once an upload is over', async () => {
  const { ticket } = await stage.upload(clip)
  const answer = await stage.call('POST', `/v1/uploads/${ticket.uploadId}/credentials`)
  expect(answer).toMatchObject({ status: 409, body: { code: 'upload_closed' } })
})

test('an upload and a video are their owner’s alone', async () => {
  const ticket = await newTicket()
  const stranger = await signUp('stranger')
  const headers = { authorization: `Bearer ${stranger}` }
  expect(await stage.call('GET', `/v1/uploads/${ticket.uploadId}`, { headers })).toMatchObject({ status: 404 })
  expect(await stage.call('POST', `/v1/uploads/${ticket.uploadId}/complete`, { headers })).toMatchObject({
    status: 404,
  })
  const { video } = await stage.upload(clip)
  expect(await stage.call('GET', `/v1/videos/${video.videoId}`, { headers })).toMatchObject({ status: 404 })
  expect(await stage.call('DELETE', `/v1/videos/${video.videoId}`, { headers })).toMatchObject({ status: 404 })
  expect((await stage.call('GET', '/v1/videos', { headers })).body.data).toEqual([])
})

test('a deleted video is gone from lists and from players', async () => {
  const { ticket, video } = await stage.upload(clip)
  expect(await stage.call('DELETE', `/v1/videos/${video.videoId}`)).toMatchObject({ status: 204 })
  expect(await stage.call('GET', `/v1/videos/${video.videoId}`)).toMatchObject({ status: 404 })
  expect(await stage.call('GET', `/play/${ticket.playbackId}`)).toMatchObject({ status: 404 })
  const listed = (await stage.call('GET', '/v1/videos?limit=100')).body.data as { videoId: string }[]
  expect(listed.map((one) => one.videoId)).not.toContain(video.videoId)
})

async function signUp(username: string): Promise<string> {
  const body = { username, password: 'a good password' }
  await stage.call('POST', '/v1/accounts', { body })
  const session = await stage.call('POST', '/v1/sessions', { body })
  return (session.body.data as { token: string }).token
}

function etagOf(part: { res: { headers: object } }): string {
  return String((part.res.headers as Record<string, string>).etag)
}
