import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { expectExact, expectRefused } from './checks.ts'
import { makeLures, RARE_BAD_CLIPS, RARE_CLIPS } from './rare.ts'
import { bench, serveFile } from './support.ts'

test.each(RARE_CLIPS)('$name keeps every frame at its time in every rendition', expectExact)

test.each(RARE_BAD_CLIPS)('$name is refused as $expect.error', expectRefused)

test('nothing that a source says makes a tool fetch anything else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lures-'))
  const contacts: string[] = []
  const server = createServer((request, response) => {
    contacts.push(request.url ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.close()
    await rm(dir, { recursive: true, force: true })
  })
  const { port } = server.address() as AddressInfo
  for (const path of await makeLures(dir, `http://127.0.0.1:${port}`)) {
    const source = await serveFile(path)
    const worker = bench(source)
    await worker.all().finally(source.close)
    if (!path.endsWith('.mov')) expect(worker.errors, path).toMatchObject([{ code: 'not_a_video', retryable: false }])
  }
  expect(contacts).toEqual([])
})
