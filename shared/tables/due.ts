import type { TableClient } from './client.ts'

const SHARDS = 16

export interface DueTable {
  /** Leaves a hint that something should be looked at again; one too many costs one look. */
  put(ref: `video#${string}` | `upload#${string}`, dueAt: number): Promise<void>
}

/** Hints for a later look, spread over shards by a hash of what they point at. */
export function dueTable(client: TableClient): DueTable {
  return {
    async put(ref, dueAt) {
      const key = [
        ['shard', crc32(ref) % SHARDS],
        ['due_at', dueAt],
        ['ref', ref],
      ] as const
      await client.write({ table: 'due', key, expect: 'any', put: { at: dueAt } })
    },
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
