import type { Key, Row, TableClient } from './client.ts'
import { progressTable } from './progress.ts'
import { TABLES, type TableSchema } from './schema.ts'

/** Rows in one request. */
const BATCH = 100

/**
 * Removes every row that belongs to a media or a video: those of each table whose key begins with its id, but not its own
 * row, which goes last and by its own table. Repeatable.
 */
export async function eraseRows(client: TableClient, owner: 'media_id' | 'video_id', id: string): Promise<void> {
  for (const schema of TABLES) {
    if (schema.key[0]?.name === owner && schema.key.length > 1) await eraseFrom(client, schema, id)
  }
  // Its key begins with the viewer, so this one goes by an index.
  if (owner === 'video_id') await progressTable(client).removeAll(id)
}

async function eraseFrom(client: TableClient, { table, key }: TableSchema, id: string): Promise<void> {
  const keyColumns = key.map(({ name }) => name)
  const prefix: Key = [[keyColumns[0] ?? '', id]]
  for (;;) {
    const { rows } = await client.range({ table, prefix, keyColumns, limit: BATCH })
    if (rows.length === 0) return
    const writes = rows.map((row) => ({ table, key: keyIn(row, keyColumns), expect: 'any', delete: true }) as const)
    await client.writeBatch(writes)
  }
}

function keyIn(row: Row, columns: readonly string[]): Key {
  return columns.map((column) => {
    const value = row[column]
    if (typeof value === 'string' || typeof value === 'number') return [column, value] as const
    throw new Error(`expected a row with the key column ${column}`)
  })
}
