import { type Filter, parseCondition } from './conditions.ts'
import { invalid } from './errors.ts'
import type { ConditionMessage, ReturnContentMessage } from './messages.ts'
import { readRow, type WireCell, type WireKeyColumn } from './plain-buffer-reader.ts'
import { checkColumnName, checkValueSize } from './schema.ts'
import { INT64_MAX, sizeOfValue } from './values.ts'

export type ChangeKind = 'put' | 'update' | 'delete'

/** A write of one row, checked as far as that goes without the table. */
export interface RowChange {
  readonly kind: ChangeKind
  readonly key: readonly WireKeyColumn[]
  readonly cells: readonly WireCell[]
  readonly existence: 'ignore' | 'exist' | 'absent'
  readonly test: Filter | undefined
  readonly returns: 'none' | 'key' | 'after'
  readonly returnColumns: readonly string[]
  readonly size: number
}

/** https://www.alibabacloud.com/help/en/tablestore/product-overview/general-limits */
const LIMITS = { keyColumns: 4, keyBytes: 1024, columns: 1024 } as const
/** The first millisecond that the service's clock of microseconds has no room for. */
const TIMESTAMP_END = INT64_MAX / 1000n

/** Reads and checks the write of one row. */
export function parseChange(
  kind: ChangeKind,
  bytes: Buffer,
  condition: ConditionMessage,
  returnContent: ReturnContentMessage | undefined,
): RowChange {
  const row = readRow(bytes)
  checkKey(row.key)
  checkPlain(row.key)
  if (kind === 'delete') checkDelete(row.cells, row.deleteMarker)
  else if (row.deleteMarker) throw invalid('Delete marker cannot be given.')
  checkCells(kind, row.key, row.cells)
  return {
    kind,
    key: row.key,
    cells: row.cells,
    existence: parseExistence(condition.rowExistence),
    test: condition.columnCondition?.length ? parseCondition(condition.columnCondition) : undefined,
    returns: parseReturns(returnContent?.type ?? 0),
    returnColumns: returnContent?.columns ?? [],
    size: sizeOfChange(row.key, row.cells),
  }
}

/** Refuses a key that no table could have. */
export function checkKey(key: readonly WireKeyColumn[]): void {
  if (key.length < 1 || key.length > LIMITS.keyColumns) {
    throw invalid(`The number of primary key columns must be in range: [1, ${LIMITS.keyColumns}].`)
  }
  const seen = new Set<string>()
  for (const { name, value } of key) {
    if (seen.has(name)) throw invalid(`Duplicated primary key name: '${name}'.`)
    seen.add(name)
    if (value.type !== 'STRING' && value.type !== 'BINARY') continue
    const size = sizeOfValue(value)
    if (size > LIMITS.keyBytes) {
      throw invalid(
        `The length of primary key column: '${name}' exceeds the MaxLength:${LIMITS.keyBytes} with CurrentLength:${size}.`,
      )
    }
  }
}

/** Refuses the markers that only bound ranges. */
export function checkPlain(key: readonly WireKeyColumn[]): void {
  for (const { value } of key) {
    if (value.type === 'INF_MIN' || value.type === 'INF_MAX') {
      throw invalid(`VT_${value.type} is an invalid type for the primary key.`)
    }
  }
}

function checkDelete(cells: readonly WireCell[], marker: boolean): void {
  if (!marker) throw invalid('Invalid request of delete row: missing RowDeleteMarker in request')
  if (cells.length > 0) throw invalid('Invalid delete row request: unexpected cells in request')
}

function checkCells(kind: ChangeKind, key: readonly WireKeyColumn[], cells: readonly WireCell[]): void {
  if (kind === 'update' && cells.length === 0) throw invalid('Attribute column is missing.')
  if (cells.length > LIMITS.columns) {
    throw invalid(
      `The number of attribute columns exceeds the limit, limit count: ${LIMITS.columns}, column count: ${cells.length}.`,
    )
  }
  const keyNames = new Set(key.map((column) => column.name))
  for (const cell of cells) {
    checkCell(cell)
    if (keyNames.has(cell.name)) {
      throw invalid(`Duplicated attribute column name with primary key column: '${cell.name}'.`)
    }
    if (kind === 'put' && cell.op) throw invalid(`OpType cannot be given for column name: ${cell.name} in PutRow.`)
  }
  checkIncrements(cells)
}

function checkCell(cell: WireCell): void {
  const { name, value, timestamp } = cell
  checkColumnName(name)
  if (cell.op === 'deleteAll' || cell.op === 'deleteOne') checkDeletion(cell)
  else if (!value) throw invalid(`No value is given for column name: '${name}'.`)
  if (timestamp !== undefined && (timestamp < 0n || timestamp >= TIMESTAMP_END)) {
    throw invalid('Timestamp must be in range [0, INT64_MAX/1000).')
  }
  if (value) checkValueSize(name, value)
}

function checkDeletion({ op, value, timestamp }: WireCell): void {
  if (value) throw invalid('Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION.')
  if (op === 'deleteOne' && timestamp === undefined) {
    throw invalid('Timestamp must be given when type is DELETE_ONE_VERSION.')
  }
  if (op === 'deleteAll' && timestamp !== undefined) {
    throw invalid('Timestamp cannot be given when type is DELETE_ALL_VERSION.')
  }
}

/** https://www.alibabacloud.com/help/en/tablestore/developer-reference/configure-atomic-counter-by-using-nodejs-sdk */
function checkIncrements(cells: readonly WireCell[]): void {
  for (const { name, op, value, timestamp } of cells) {
    if (op !== 'increment') continue
    if (value?.type !== 'INTEGER') throw invalid(`The value of increment column '${name}' must be INTEGER.`)
    if (timestamp !== undefined) throw invalid(`Timestamp cannot be given for increment column '${name}'.`)
    if (cells.filter((cell) => cell.name === name).length > 1) {
      throw invalid(`Column '${name}' cannot be incremented and changed at the same time.`)
    }
  }
}

function sizeOfChange(key: readonly WireKeyColumn[], cells: readonly WireCell[]): number {
  let size = 0
  for (const { name, value } of key) size += name.length + ('value' in value ? sizeOfValue(value) : 8)
  for (const { name, value, timestamp } of cells) {
    size += Buffer.byteLength(name) + (value ? sizeOfValue(value) : 0) + (timestamp === undefined ? 0 : 8)
  }
  return size
}

function parseExistence(value: number): RowChange['existence'] {
  const existence = (['ignore', 'exist', 'absent'] as const)[value]
  if (!existence) throw invalid(`Invalid row-existence expectation: ${value}.`)
  return existence
}

function parseReturns(value: number): RowChange['returns'] {
  const returns = (['none', 'key', 'after'] as const)[value]
  if (!returns) throw invalid(`Invalid return type: ${value}.`)
  return returns
}
