import { AppError } from '../errors.ts'
import type { Row, TableClient, Write } from './client.ts'

/** Sessions of one video are spread over so many rows, so that those who come at the same moment rarely meet. */
const SHARDS = 8
/** How many of the last sessions a row remembers, to know one that was counted when its answer was lost. */
const REMEMBERED = 64
/** At most half of what is remembered, so that the ones before are not forgotten by one write. */
const TOGETHER = 32
const TRIES = 20

export interface CountersTable {
  /** Adds a view for each of these sessions of one shard that is not among the latest that were added. */
  count(videoId: string, shard: number, sessionIds: readonly string[]): Promise<void>
  /** Views of several videos, in order. */
  views(videoIds: readonly string[]): Promise<number[]>
}

/** An increment is not repeatable, so a count is compared and set, in a row that knows whom it has counted. */
export function countersTable(client: TableClient): CountersTable {
  return {
    async count(videoId, shard, sessionIds) {
      const key = keyOf(videoId, shard)
      for (let at = 0; at < sessionIds.length; at += TOGETHER) {
        await countTogether(client, key, sessionIds.slice(at, at + TOGETHER))
      }
    },
    async views(videoIds) {
      const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
      const keys = videoIds.flatMap((videoId) => shards.map((shard) => keyOf(videoId, shard)))
      const rows = await client.getBatch('counters', keys)
      const counts = rows.map((row) => Number(row?.n ?? 0))
      return videoIds.map((_, index) => sum(counts.slice(index * SHARDS, (index + 1) * SHARDS)))
    },
  }
}

async function countTogether(client: TableClient, key: Write['key'], sessionIds: readonly string[]): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const row = await client.get('counters', key)
    const recent = recentOf(row)
    const fresh = sessionIds.filter((sessionId) => !recent.includes(sessionId))
    if (fresh.length === 0) return
    if (await client.write(added(key, row, fresh))) return
  }
  throw new AppError('upstream_busy', 'Too many views of this video at once; send the beat again')
}

/** Which row counts a session: FNV-1a of its id. */
export function shardOf(sessionId: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(sessionId)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash % SHARDS
}

function keyOf(videoId: string, shard: number) {
  return [
    ['video_id', videoId],
    ['shard', shard],
  ] as const
}

function recentOf(row: Row | undefined): string[] {
  return row ? (JSON.parse(String(row.recent)) as string[]) : []
}

function added(key: Write['key'], row: Row | undefined, fresh: readonly string[]): Write {
  const version = Number(row?.version ?? 0)
  const recent = [...recentOf(row), ...fresh].slice(-REMEMBERED)
  const put = { n: Number(row?.n ?? 0) + fresh.length, recent: JSON.stringify(recent), version: version + 1 }
  const expect = row ? ([{ column: 'version', op: '=', value: version }] as const) : 'absent'
  return { table: 'counters', key, expect, put }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
