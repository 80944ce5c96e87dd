import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Fault } from '../../local/controls/fault.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { uploadsTable } from '../../shared/tables/uploads.ts'
import { clipFile, openStage, ossOf, type Stage, type Ticket } from './cloud.ts'

let stage: Stage
let clip: string
let size: number

beforeAll(async () => {
  stage = await openStage()
  clip = await clipFile('plain')
  size = (await readFile(clip)).length
})
afterEach(() => stage.local.faults.clear())
afterAll(() => stage?.close())

const worker = { fault: 'kill', function: 'yunbo-ffmpeg-transcode' } as const

test.each<[string, Fault]>([
  ['has taken its task', { ...worker, operation: 'UpdateRow', target: 'tasks' }],
  ['has saved the plan', { ...worker, operation: 'UpdateRow', target: 'media' }],
  ['has stored its first segment', { ...worker, operation: 'PutObject', target: '/0.ts' }],
  ['has listed its first segment', { ...worker, operation: 'BatchWriteRow', target: 'segments' }],
])('a worker that is killed when it %s is followed by another attempt, and the video is ready', async (_, fault) => {
  stage.local.faults.add(fault)
  const ticket = await upload()
  expect(stage.local.faults.list()).toMatchObject([{ struck: 1 }])
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready', progress: 100, error: null })
  const states = (await tasksOf(ticket)).map((task) => task.state)
  expect(states).toEqual(states.map(() => 'done'))
  await expectWhole(ticket)
})

test.each<[string, Fault]>([
  ['upload-notify, once it has noted the source', { ...killed('upload-notify'), operation: 'PutRow', target: 'media' }],
  ['upload-notify, once it has handed out the probe', { ...killed('upload-notify'), operation: 'InvokeFunction' }],
  ['mps-callback, before it hands out more work', { ...killed('mps-callback'), operation: 'PutRow', target: 'tasks' }],
  ['hls-index, once it has taken its task', { ...killed('hls-index'), operation: 'UpdateRow', target: 'tasks' }],
])('the death of %s changes nothing in the end', async (_, fault) => {
  stage.local.faults.add(fault)
  const ticket = await upload()
  expect(stage.local.faults.list()).toMatchObject([{ struck: 1 }])
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready', progress: 100, error: null })
  expect(new Set((await tasksOf(ticket)).map((task) => task.taskId)).size).toBe((await tasksOf(ticket)).length)
  await expectWhole(ticket)
})

test('a worker that dies every time ends the video with a reason, after three attempts', async () => {
  stage.local.faults.add({ ...worker, operation: 'UpdateRow', target: 'tasks', times: 3 })
  const ticket = await upload()
  expect(await stage.video(ticket.videoId)).toMatchObject({
    status: 'errored',
    error: { code: 'worker_lost', retryable: true },
  })
  expect(await tasksOf(ticket)).toMatchObject([{ taskId: 'probe', state: 'failed', attempt: 3 }])
})

function killed(name: string) {
  return { fault: 'kill', function: `yunbo-${name}` } as const
}

/** As an uploader does it: whoever got no answer says it again. */
async function upload(): Promise<Ticket> {
  const ticket = await stage.newUpload('clip.mp4', size)
  await ossOf(ticket, true).put(ticket.key, clip)
  while ((await stage.complete(ticket)).status >= 500);
  await stage.local.idle()
  return ticket
}

async function tasksOf(ticket: Ticket) {
  const tables = openTables(stage.local.cloud.tablestore, stage.local.cloud, { requestId: 'test' })
  const found = await uploadsTable(tables).find(ticket.uploadId)
  return tasksTable(tables).all(found?.mediaId ?? '')
}

/** Every playlist is final, and each of its segments is there. */
async function expectWhole(ticket: Ticket): Promise<void> {
  const play = `${stage.local.cloud.gateway}/play/${ticket.playbackId}`
  const master = await (await fetch(`${play}/master.m3u8`)).text()
  const names = [...master.matchAll(/(\w+)\/index\.m3u8/g)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(1)
  for (const name of names) {
    const playlist = await (await fetch(`${play}/${name}/index.m3u8`)).text()
    expect(playlist).toContain('#EXT-X-ENDLIST')
    for (const [segment] of playlist.matchAll(/^\d+\.ts$/gm)) {
      expect((await fetch(`${play}/${name}/${segment}`, { method: 'HEAD' })).status).toBe(200)
    }
  }
}
