import { encodeKey } from './keys.ts'
import { readRow } from './plain-buffer-reader.ts'
import { writeRows } from './plain-buffer-writer.ts'
import type { Table } from './schema.ts'
import { plainKey } from './schema.ts'
import type { Cell, KeyColumn } from './values.ts'

/** A row as it is kept: cells by name, the newest version of each column first. */
export interface Row {
  readonly key: readonly KeyColumn[]
  readonly cells: readonly Cell[]
  /** When the row was last written, in milliseconds: the age of a row without cells. */
  readonly writtenAt: number
}

/** The place of a row. */
export function rowKey(table: Pick<Table, 'id'>, key: readonly KeyColumn[]): Buffer {
  return encodeKey(
    table.id,
    key.map(({ value }) => value),
  )
}

/** Stored bytes: the time of the last write, then the row as PlainBuffer, checksums included. */
export function packRow(row: Row): Buffer {
  const time = Buffer.allocUnsafe(8)
  time.writeDoubleBE(row.writtenAt)
  return Buffer.concat([time, writeRows([row])])
}

/** Reads what `packRow` wrote. */
export function unpackRow(bytes: Buffer): Row {
  const { key, cells } = readRow(bytes.subarray(8))
  return {
    key: plainKey(key),
    cells: cells.flatMap(({ name, value, timestamp }) =>
      value === undefined ? [] : [{ name, value, timestamp: Number(timestamp) }],
    ),
    writtenAt: bytes.readDoubleBE(),
  }
}

/** The row as a reader sees it now: cells past their time to live are gone, and so is a row that has nothing else. */
export function liveRow(table: Table, row: Row | undefined, now: number): Row | undefined {
  const { timeToLive } = table.options
  if (!row || timeToLive === -1) return row
  const oldest = now - timeToLive * 1000
  const cells = row.cells.filter((cell) => cell.timestamp > oldest)
  return cells.length > 0 || row.writtenAt > oldest ? { ...row, cells } : undefined
}

/** Puts cells in stored order, one for each column and timestamp (the last given wins), and keeps the newest versions. */
export function arrangeCells(cells: readonly Cell[], maxVersions: number): Cell[] {
  const columns = new Map<string, Map<number, Cell>>()
  for (const cell of cells) {
    const versions = columns.get(cell.name)
    if (versions) versions.set(cell.timestamp, cell)
    else columns.set(cell.name, new Map([[cell.timestamp, cell]]))
  }
  return [...columns.keys()]
    .sort()
    .flatMap((name) =>
      [...(columns.get(name)?.values() ?? [])].sort((a, b) => b.timestamp - a.timestamp).slice(0, maxVersions),
    )
}
