import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newRecollection, type RecordDeps, record } from '../../functions/heartbeat/record.ts'
import { startTablestore } from '../../local/tablestore/index.ts'
import { openCredentials } from '../../local/wire/credentials.ts'
import type { LocalServer } from '../../local/wire/http.ts'
import type { Beat } from '../../shared/api.ts'
import { openSchema, openTables } from '../../shared/cloud/tablestore.ts'
import { countersTable } from '../../shared/tables/counters.ts'
import { progressTable } from '../../shared/tables/progress.ts'
import { createTables } from '../../shared/tables/schema.ts'
import { sessionsTable } from '../../shared/tables/sessions.ts'
import { type FaultProxy, faultProxy } from './cloud/proxy.ts'

const account = { accountId: '1234567890', accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
const instance = 'yunbo'
const START = Date.UTC(2030, 0, 1)
let dataDir: string
let server: LocalServer
let proxy: FaultProxy

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heartbeat-'))
  const credentials = openCredentials(account, Date.now)
  server = await startTablestore({ host: '127.0.0.1', port: 0, dataDir, instance, credentials, now: Date.now })
  proxy = await faultProxy(server.url)
  await createTables(openSchema({ endpoint: server.url, instance }, account))
})
afterAll(async () => {
  await proxy.close()
  await server.close()
  await rm(dataDir, { recursive: true })
})

/** One viewer of a video of a minute, whose beats go over the vendor's SDK and a line with faults. */
function newViewer() {
  const id = randomUUID()
  const client = openTables({ endpoint: proxy.url, instance }, account, { requestId: id, baseDelayMs: 1, tries: 4 })
  const [sessions, counters, progress] = [sessionsTable(client), countersTable(client), progressTable(client)]
  const deps: RecordDeps = { client, sessions, counters, recollection: newRecollection() }
  const shown = { videoId: id, mediaId: 'm', planId: 'p', durationMs: 60_000, renditions: [] }
  const session = { id: id.replaceAll('-', '').slice(0, 16), issuedAt: START }
  return {
    /** Says where the viewer is at a second, and which requests that took. */
    async beat(second: number, seq: number, part: Partial<Beat> = {}) {
      const usual = { playbackId: 'play', sessionId: session.id, event: 'timeupdate', playing: true } as const
      const beat: Beat = { ...usual, seq, positionMs: second * 1000, ...part }
      const before = proxy.seen.length
      await record({ beat, effectiveAt: START + second * 1000, viewerKey: `a:${id}`, shown, session }, deps)
      return proxy.seen.slice(before)
    },
    position: async () => (await progress.find(`a:${id}`, id))?.positionMs,
    session: () => sessions.find({ videoId: id, sessionId: session.id }),
    views: async () => (await counters.views([id]))[0],
    removeAll: () => progress.removeAll(id),
  }
}

test('a beat is one request, and so is a late one and one that comes again', async () => {
  const { beat, position, session } = newViewer()
  expect(await beat(1, 1)).toEqual(['POST /BatchWriteRow'])
  expect(await beat(3, 3)).toEqual(['POST /BatchWriteRow'])
  expect(await beat(2, 2)).toEqual(['POST /BatchWriteRow'])
  expect(await beat(3, 3)).toEqual(['POST /BatchWriteRow'])
  expect(await position()).toBe(3_000)
  expect(await session()).toMatchObject({ seq: 3, watchedMs: 2_000, counted: false })
})

test('another session takes over only with what is later', async () => {
  const { beat, position } = newViewer()
  await beat(5, 9)
  await beat(4, 1, { sessionId: 'another' })
  expect(await position()).toBe(5_000)
  await beat(6, 2, { sessionId: 'another' })
  expect(await position()).toBe(6_000)
  await beat(5, 10)
  expect(await position()).toBe(6_000)
})

test.each(['cut before', 'cut after'] as const)(
  'a view is counted once however often the line is %s',
  async (fault) => {
    for (let nth = 0; nth < 6; nth += 1) {
      const { beat, position, session, views } = newViewer()
      await beat(0, 1)
      // The nth request of the beat that makes it a view has no answer.
      const fine = Array.from({ length: nth }, () => 'pass' as const)
      proxy.next(...fine, fault)
      await beat(12, 2)
      await beat(14, 3)
      await beat(16, 4)
      expect(await views()).toBe(1)
      expect(await position()).toBe(16_000)
      expect(await session()).toMatchObject({ seq: 4, watchedMs: 16_000, counted: true })
    }
  },
)

test('positions are found by their video, to be forgotten with it', async () => {
  const { beat, position, removeAll } = newViewer()
  await beat(1, 1)
  await removeAll()
  expect(await position()).toBeUndefined()
})
