import { expect, test } from 'vitest'
import { drive } from '../../shared/drive.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { memoryTables } from '../fakes/tables.ts'

const NOW = 1_000_000_003

test('what is handed out has a hint before, for when its first lease is over, and one for a whole busy moment', async () => {
  const order: string[] = []
  const tables = memoryTables({
    onOperation: ({ kind, table, phase }) => void (kind === 'write' && phase === 'after' && order.push(table)),
  })
  const ids = { mediaId: 'media00000000001', videoId: 'video00000000001' }
  await mediaTable(tables).create({ ...ids, sourceKey: 'k', sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await mediaTable(tables).link(ids.mediaId, ids.videoId)
  const texts = { ownerId: 'o', title: 't', sourceContext: '', classId: '', sourceKey: 'k' }
  await videosTable(tables).create({ ...ids, ...texts, playbackIds: [], sizeBytes: 1, createdAt: 1 })
  order.length = 0
  let now = NOW
  const deps = {
    tables,
    dispatch: async () => void order.push('dispatched'),
    now: () => now,
    pause: async () => {},
  }
  await drive(ids.mediaId, deps)
  expect(order.slice(0, 3)).toEqual(['due', 'tasks', 'dispatched'])
  const [hint] = tables.rows('due')
  expect(Number(hint?.due_at) - NOW).toBeGreaterThanOrEqual(95_000)
  expect(Number(hint?.due_at) - NOW).toBeLessThan(105_000)

  now += 1
  await drive(ids.mediaId, deps)
  expect(tables.rows('due')).toHaveLength(1)
})
