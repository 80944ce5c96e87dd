import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clipFile, isEncoding, nextLook, openStage, type Stage } from './cloud.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
})
afterAll(() => stage?.close())

test('segment 0 of every rendition can be fetched while ffmpeg is still at work', async () => {
  const file = await clipFile('large-20s')
  const ticket = await stage.newUpload('hd.mp4', (await readFile(file)).length)
  await stage.send(ticket, file)
  await stage.complete(ticket)
  const play = `${stage.local.cloud.gateway}/play/${ticket.playbackId}`
  await until(async () => (await playInfo(play)).playable)

  const { renditions } = await stage.video(ticket.videoId)
  expect(renditions.length).toBeGreaterThan(2)
  for (const { name } of renditions) {
    const playlist = await (await fetch(`${play}/${name}/index.m3u8`)).text()
    expect(playlist).toContain('#EXT-X-PLAYLIST-TYPE:EVENT')
    const segment = await fetch(`${play}/${name}/0.ts`)
    expect(segment.status).toBe(200)
    expect((await segment.arrayBuffer()).byteLength).toBeGreaterThan(188)
  }
  expect(await isEncoding(ticket.key)).toBe(true)
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'processing', playable: true })

  await stage.local.idle()
  expect(await stage.video(ticket.videoId)).toMatchObject({ status: 'ready', progress: 100 })
  expect(await isEncoding(ticket.key)).toBe(false)
})

async function playInfo(play: string): Promise<{ playable: boolean }> {
  const response = await fetch(play)
  return ((await response.json()) as { data: { playable: boolean } }).data
}

/** Asks until the answer is yes; the test's own time limit ends it otherwise. */
async function until(question: () => Promise<boolean>): Promise<void> {
  while (!(await question())) await nextLook()
}
