import { type Row, rowKey } from './rows.ts'
import type { Table } from './schema.ts'
import type { Reader } from './store.ts'
import type { Cell, KeyColumn, KeyValue } from './values.ts'

/** A row of an index to put, or to remove when there is none. */
export interface IndexChange {
  readonly key: Buffer
  readonly row: Row | undefined
  /** Local indexes never lag. */
  readonly atOnce?: boolean
}

/** What has to change in a table's indexes when one of its rows does. */
export function indexChanges(
  reader: Reader,
  table: Table,
  before: Row | undefined,
  after: Row | undefined,
): IndexChange[] {
  return table.indexes.flatMap(({ name, local: atOnce = false }) => {
    const index = reader.table(name)
    if (!index) return []
    const gone = before && indexRow(index, before)
    const now = after && indexRow(index, after)
    const changes: IndexChange[] = []
    if (gone) changes.push({ key: rowKey(index, gone.key), row: undefined, atOnce })
    if (now) changes.push({ key: rowKey(index, now.key), row: now, atOnce })
    return changes
  })
}

/**
 * A row's shape in an index: key columns first, then the covered columns; no row at all unless every key column exists.
 * https://www.alibabacloud.com/help/en/tablestore/developer-reference/overview-of-secondary-index
 */
export function indexRow(index: Table, row: Row): Row | undefined {
  const key: KeyColumn[] = []
  for (const { name, type } of index.key) {
    const value = keyValue(row, name)
    // What was written before its column was predefined can be of any type.
    if (value?.type !== type) return undefined
    key.push({ name, value })
  }
  const covered = new Set(index.defined.map((column) => column.name))
  const cells: Cell[] = row.cells.filter(({ name }) => covered.has(name))
  return { key, cells, writtenAt: row.writtenAt }
}

function keyValue(row: Row, name: string): KeyValue | undefined {
  const value = (row.key.find((column) => column.name === name) ?? row.cells.find((cell) => cell.name === name))?.value
  return value?.type === 'INTEGER' || value?.type === 'STRING' || value?.type === 'BINARY' ? value : undefined
}
