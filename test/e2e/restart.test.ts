import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { clipFile, isEncoding, nextLook, openStage } from './cloud.ts'
import { fetchRenditions } from './playback.ts'

test('after a restart the same bytes play', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'yunbo-restart-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))

  const first = await openStage({ dataDir })
  const { ticket } = await first.upload(await clipFile('plain'))
  const before = await digests(`${first.local.cloud.gateway}/play/${ticket.playbackId}/master.m3u8`, join(dataDir, 'a'))
  await first.close()

  const second = await openStage({ dataDir })
  onTestFinished(() => second.close())
  const after = await digests(`${second.local.cloud.gateway}/play/${ticket.playbackId}/master.m3u8`, join(dataDir, 'b'))
  expect(after).toEqual(before)
  expect(await second.video(ticket.videoId)).toMatchObject({ status: 'ready' })
})

test('work that the end of the local cloud cut off goes on at its next start', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'yunbo-restart-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const file = await clipFile('long-gop')

  const first = await openStage({ dataDir })
  const ticket = await first.newUpload('cut-off.mp4', (await readFile(file)).length)
  await first.send(ticket, file)
  await first.complete(ticket)
  while (!(await isEncoding(ticket.key))) await nextLook()
  expect(await first.video(ticket.videoId)).toMatchObject({ status: 'processing' })
  await first.close()
  expect(await isEncoding(ticket.key)).toBe(false)

  const second = await openStage({ dataDir })
  onTestFinished(() => second.close())
  await second.local.idle()
  expect(await second.video(ticket.videoId)).toMatchObject({ status: 'ready', progress: 100, error: null })
})

async function digests(masterUrl: string, dir: string): Promise<Record<string, string>> {
  const joined = await fetchRenditions(masterUrl, dir)
  const entries = joined.map(async ({ name, file }) => [
    name,
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  ])
  return Object.fromEntries(await Promise.all(entries))
}
