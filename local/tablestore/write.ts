import { passes } from './conditions.ts'
import { invalid, TablestoreError } from './errors.ts'
import { indexChanges } from './indexes.ts'
import type { WireCell, WireKeyColumn } from './plain-buffer-reader.ts'
import type { RowChange } from './row-change.ts'
import { arrangeCells, liveRow, type Row, rowKey } from './rows.ts'
import { matchKey, plainKey, type Table } from './schema.ts'
import { findTable, type Writer } from './store.ts'
import { recordOf } from './stream-record.ts'
import { type Cell, INT64_MAX, INT64_MIN, type KeyColumn } from './values.ts'

/** What a write gives back. */
export interface Written {
  /** Set when the request asked for content. */
  readonly row: { readonly key: readonly KeyColumn[]; readonly cells: readonly Cell[] } | undefined
}

/** Refuses rows that a write may not touch now. */
export type Guard = (table: Table, key: readonly WireKeyColumn[]) => void

/** Checks and carries out one row's write inside a change; throws before anything is written. */
export function writeRow(writer: Writer, tableName: string, change: RowChange, now: number, guard: Guard): Written {
  const table = findTable(writer, tableName)
  if (table.base !== undefined) throw invalid("Can't write index table directly")
  if (change.kind === 'update' && !table.options.allowUpdate) throw invalid('UpdateRow is not allowed on this table.')
  checkAgainst(table, change, now)
  guard(table, change.key)

  const numbered = change.key.some(({ value }) => value.type === 'AUTO_INCREMENT')
  const key = numbered ? undefined : plainKey(change.key)
  const stored = key && writer.row(rowKey(table, key))
  const before = liveRow(table, stored, now)
  if (!conditionHolds(change, before)) throw new TablestoreError('OTSConditionCheckFail', 'Condition check failed.')

  const at = timeOf(table, before, now)
  const cells = cellsAfter(table, change, before, at)
  const finalKey = key ?? numberKey(writer, table, change.key, at)
  const after: Row | undefined = cells && { key: finalKey, cells, writtenAt: at }
  // What is past its time is still stored, and so are its rows in the indexes: they give way like others.
  apply(writer, table, stored, after)
  if (table.stream) writer.log(table, recordOf(table.stream, change, finalKey, before, cells ?? [], at))
  return { row: returned(change, finalKey, cells ?? []) }
}

/**
 * A clock that stepped back would hide what is written now behind what was written before; and two writes within a
 * millisecond would be one version, which the service's distance does not let happen to a client that waits for answers.
 */
function timeOf(table: Table, before: Row | undefined, now: number): number {
  if (!before) return now
  return Math.max(now, before.writtenAt + (table.options.maxVersions > 1 ? 1 : 0))
}

function apply(writer: Writer, table: Table, before: Row | undefined, after: Row | undefined): void {
  writer.changeIndexes(indexChanges(writer, table, before, after))
  if (after) writer.putRow(rowKey(table, after.key), after)
  else if (before) writer.removeRow(rowKey(table, before.key))
}

function checkAgainst(table: Table, change: RowChange, now: number): void {
  const auto = table.key.find((column) => column.autoIncrement)?.name
  const asks = change.key.filter(({ value }) => value.type === 'AUTO_INCREMENT')
  matchKey(table.key, change.key, asks.length > 0 ? ['AUTO_INCREMENT'] : [])
  if (asks.some(({ name }) => name !== auto)) {
    throw new TablestoreError('OTSInvalidPK', 'Validate PK type fail. Input: VT_AUTO_INCREMENT.')
  }
  if (asks.length > 0) checkNumbered(change)
  else if (auto !== undefined && change.existence === 'absent') {
    throw invalid('Invalid expect: EXPECT_NOT_EXIST when modify a specific row for table with pk auto increment')
  }
  for (const cell of change.cells) checkCellAgainst(table, cell, now)
}

/** The row does not exist before its number does, so nothing can be expected of it. */
function checkNumbered(change: RowChange): void {
  if (change.kind === 'delete') throw invalid('Invalid row to delete which with pk auto increment')
  if (change.existence !== 'ignore') {
    throw invalid(`Invalid expect: ${change.existence} when modify row with pk auto increment`)
  }
  if (change.test) throw invalid("Can't set condition when modify row with pk auto increment")
}

function checkCellAgainst(table: Table, { name, value, op, timestamp }: WireCell, now: number): void {
  if (timestamp !== undefined && op !== 'deleteOne' && !isTimely(table, Number(timestamp), now)) {
    throw invalid(`Invalid timestamp. Cell: ${name}.`)
  }
  const defined = table.defined.find((column) => column.name === name)
  if (!defined || !value) return
  if (defined.type !== value.type) {
    throw invalid(`Defined column '${name}' must be ${defined.type}, but it was ${value.type}.`)
  }
  const indexed = table.indexes.some((index) => index.key.includes(name))
  const size = 'length' in Object(value.value) ? Buffer.byteLength(value.value as string | Buffer) : 8
  if (indexed && size > 1024) {
    throw invalid(`The length of primary key column: '${name}' exceeds the MaxLength:1024 with CurrentLength:${size}.`)
  }
}

/** Neither too far from the clock nor past its time already, as the list of errors says. */
function isTimely({ options }: Table, timestamp: number, now: number): boolean {
  const { deviationSeconds, timeToLive } = options
  const back = timeToLive === -1 ? deviationSeconds : Math.min(deviationSeconds, timeToLive)
  return timestamp >= now - back * 1000 && timestamp < now + deviationSeconds * 1000
}

function conditionHolds(change: RowChange, before: Row | undefined): boolean {
  if (change.existence === 'exist' && !before) return false
  if (change.existence === 'absent' && before) return false
  // On a row that is not there every column is missing.
  return change.test === undefined || passes(change.test, before?.cells ?? [])
}

/** The row's cells after the change; `undefined` when there is no row then. */
function cellsAfter(table: Table, change: RowChange, before: Row | undefined, now: number): Cell[] | undefined {
  if (change.kind === 'delete') return undefined
  // Deleting columns of a row that is not there does not make one.
  const deletesOnly = change.kind === 'update' && change.cells.every(({ op }) => op && op !== 'increment')
  if (deletesOnly && !before) return undefined
  let cells: readonly Cell[] = change.kind === 'update' ? (before?.cells ?? []) : []
  for (const cell of change.cells) cells = updateCells(cells, cell, now)
  return arrangeCells(cells, table.options.maxVersions)
}

function updateCells(cells: readonly Cell[], change: WireCell, now: number): readonly Cell[] {
  const { name, op, timestamp } = change
  if (op === 'deleteAll') return cells.filter((cell) => cell.name !== name)
  if (op === 'deleteOne') return cells.filter((cell) => cell.name !== name || cell.timestamp !== Number(timestamp))
  const current = cells.find((cell) => cell.name === name)
  return [...cells, ...(op === 'increment' ? [increment(current, change, now)] : putCell(change, now))]
}

function putCell({ name, value, timestamp }: WireCell, now: number): Cell[] {
  return value ? [{ name, value, timestamp: timestamp === undefined ? now : Number(timestamp) }] : []
}

function increment(current: Cell | undefined, { name, value }: WireCell, now: number): Cell {
  const start = current?.value ?? { type: 'INTEGER', value: 0n }
  if (start.type !== 'INTEGER' || value?.type !== 'INTEGER') {
    throw invalid(`Column '${name}' is ${start.type}; only INTEGER can be incremented.`)
  }
  const sum = start.value + value.value
  if (sum > INT64_MAX || sum < INT64_MIN) throw invalid(`Incrementing column '${name}' overflows.`)
  // A version given for the future would hide the new value.
  return { name, value: { type: 'INTEGER', value: sum }, timestamp: Math.max(now, current?.timestamp ?? 0) }
}

/** Numbers grow for ever, over restarts too; microseconds keep them apart from those of an earlier table of the name. */
function numberKey(writer: Writer, table: Table, key: readonly WireKeyColumn[], now: number): KeyColumn[] {
  const value = writer.nextNumber(table, BigInt(Math.floor(now)) * 1000n)
  return plainKey(
    key.map((column) =>
      column.value.type === 'AUTO_INCREMENT' ? { name: column.name, value: { type: 'INTEGER', value } } : column,
    ),
  )
}

function returned(change: RowChange, key: readonly KeyColumn[], cells: readonly Cell[]): Written['row'] {
  if (change.returns === 'none') return undefined
  if (change.returns === 'key') return { key, cells: [] }
  return { key, cells: arrangeCells(cells, 1).filter(({ name }) => change.returnColumns.includes(name)) }
}
