import type { Row, TableClient } from './client.ts'

/** What a hint points at. */
export type Ref = `video#${string}` | `upload#${string}` | `media#${string}`

/** A hint as it is stored. */
export interface Hint {
  readonly shard: number
  readonly dueAt: number
  readonly ref: string
  /** How often in a row the look that it asks for has failed. */
  readonly failures: number
}

/** How many partitions the hints are spread over. */
export const DUE_SHARDS = 16

/**
 * How far ahead of the fact that it announces a hint is put: longer than whoever puts it can live, so that the look comes
 * when the fact is there, or when nobody is left who could write it.
 */
export const AFTER_THE_FACT_MS = 95_000

export interface DueTable {
  /** Leaves a hint that something should be looked at again; one too many costs one look. */
  put(ref: Ref, dueAt: number, failures?: number): Promise<void>
  /** The oldest hints of one shard whose time has come. */
  ready(shard: number, now: number, limit: number): Promise<Hint[]>
  /** Forgets hints that were followed; repeatable. */
  remove(hints: readonly Hint[]): Promise<void>
}

/** Hints for a later look, spread over shards by a hash of what they point at. */
export function dueTable(client: TableClient): DueTable {
  return {
    async put(ref, dueAt, failures = 0) {
      const key = keyOf({ shard: crc32(ref) % DUE_SHARDS, dueAt, ref })
      await client.write({ table: 'due', key, expect: 'any', put: { at: dueAt, failures } })
    },
    async ready(shard, now, limit) {
      const keyColumns = ['shard', 'due_at', 'ref']
      const { rows } = await client.range({ table: 'due', prefix: [['shard', shard]], keyColumns, limit })
      return rows.map(fromRow).filter((hint) => hint.dueAt <= now)
    },
    async remove(hints) {
      const writes = hints.map((hint) => ({ table: 'due', key: keyOf(hint), expect: 'any', delete: true }) as const)
      for (let at = 0; at < writes.length; at += 200) await client.writeBatch(writes.slice(at, at + 200))
    },
  }
}

function keyOf({ shard, dueAt, ref }: Pick<Hint, 'shard' | 'dueAt' | 'ref'>) {
  return [
    ['shard', shard],
    ['due_at', dueAt],
    ['ref', ref],
  ] as const
}

function fromRow(row: Row): Hint {
  return {
    shard: Number(row.shard),
    dueAt: Number(row.due_at),
    ref: String(row.ref),
    failures: Number(row.failures ?? 0),
  }
}

/** CRC-32 as in IEEE 802.3; `zlib.crc32` came after the Node that runs our functions. */
function crc32(text: string): number {
  let crc = 0xffffffff
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
