import { consumed } from './capacity.ts'
import { type Criteria, parseCriteria, select } from './criteria.ts'
import { invalid } from './errors.ts'
import { encodeKey } from './keys.ts'
import {
  batchGetRowRequest,
  batchResponse,
  getRangeRequest,
  getRangeResponse,
  getRowRequest,
  getRowResponse,
} from './messages.ts'
import { readRow, type WireKeyColumn } from './plain-buffer-reader.ts'
import { writeRows } from './plain-buffer-writer.ts'
import { decode, encode } from './protobuf.ts'
import { checkKey, checkPlain } from './row-change.ts'
import { failedRow } from './row-result.ts'
import { liveRow, type Row, rowKey } from './rows.ts'
import { checkTableName, matchKey, plainKey, type Table } from './schema.ts'
import { findTable, type Reader, type Store } from './store.ts'
import { sizeOfRow } from './values.ts'

const MAX_BATCH_ROWS = 100
/** https://www.alibabacloud.com/help/en/tablestore/developer-reference/getrange */
const MAX_RANGE = { rows: 5000, bytes: 4 * 1024 * 1024 } as const

export async function getRow(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(getRowRequest, body)
  checkTableName(request.table)
  const key = parsePlainKey(request.key)
  const row = readOne(readerIn(store, request.transaction, now), request.table, key, parseCriteria(request), now)
  return encode(getRowResponse, { consumed: consumed(sizeOf(row), undefined), row: writeRows(row ? [row] : []) })
}

export async function batchGetRow(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const { tables } = decode(batchGetRowRequest, body)
  if (tables.length === 0) throw invalid('No row specified in the request of BatchGetRow.')
  for (const { table } of tables) checkTableName(table)
  const total = tables.reduce((sum, table) => sum + table.keys.length, 0)
  if (total > MAX_BATCH_ROWS) throw invalid(`Rows count exceeds the upper limit: ${MAX_BATCH_ROWS}.`)
  const reader = readerIn(store, undefined, now)
  const parsed = tables.map((table) => ({
    name: table.table,
    keys: table.keys.map(parsePlainKey),
    criteria: parseCriteria({ ...table, token: table.tokens.find((token) => token.length > 0) }, NO_VERSIONS_IN_BATCH),
  }))
  return encode(batchResponse, {
    tables: parsed.map(({ name, criteria, keys }) => ({
      table: name,
      rows: keys.map((key) =>
        failedRow(() => {
          const row = readOne(reader, name, key, criteria, now)
          return { ok: true, consumed: consumed(sizeOf(row), undefined), row: writeRows(row ? [row] : []) }
        }),
      ),
    })),
  })
}

/** The words differ from those for one row, as the Java SDK's ParameterLegalityTest says. */
const NO_VERSIONS_IN_BATCH = 'No version condition is specified while querying row.'

export async function getRange(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(getRangeRequest, body)
  checkTableName(request.table)
  const direction = (['forward', 'backward'] as const)[request.direction]
  if (!direction) throw invalid(`Invalid direction: ${request.direction}.`)
  if (request.limit !== undefined && request.limit <= 0) throw invalid('The limit must be greater than 0.')
  const [start, end] = [parseKey(request.start), parseKey(request.end)]
  const criteria = parseCriteria(request)
  const table = findTable(store, request.table)
  const from = rangeKey(table, start)
  const to = rangeKey(table, end)
  const order = Buffer.compare(from, to)
  if (direction === 'forward' && order >= 0) throw invalid('Begin key must less than end key in FORWARD')
  if (direction === 'backward' && order <= 0) throw invalid('Begin key must more than end key in BACKWARD')
  const reader = readerIn(store, request.transaction, now)
  for (const bound of [start, end]) reader.guard(table, bound)
  const { rows, next, bytes } = scan(reader.range(from, to, direction), table, criteria, request.limit, now)
  return encode(getRangeResponse, {
    consumed: consumed(bytes, undefined),
    rows: writeRows(rows),
    ...(next ? { next: writeRows([{ key: next.key, cells: [] }]) } : {}),
  })
}

interface GuardedReader extends Pick<Reader, 'row' | 'range'> {
  readonly store: Reader
  /** Refuses what is outside of the transaction. */
  guard(table: Table, key: readonly WireKeyColumn[]): void
}

function readerIn(store: Store, id: string | undefined, now: number): GuardedReader {
  if (id === undefined) return { store, row: store.row, range: store.range, guard: () => undefined }
  const transaction = store.transactions.find(id, now)
  return { store, ...transaction.overlay.over(store), guard: transaction.requireInside }
}

/** Limits count what is read, so a filter can leave a page empty that still has a continuation. */
function scan(
  stored: Iterable<Row>,
  table: Table,
  criteria: Criteria,
  limit: number | undefined,
  now: number,
): { rows: Row[]; next: Row | undefined; bytes: number } {
  const rows: Row[] = []
  const max = Math.min(limit ?? MAX_RANGE.rows, MAX_RANGE.rows)
  let scanned = 0
  let bytes = 0
  for (const each of stored) {
    const row = liveRow(table, each, now)
    if (!row) continue
    const size = sizeOf(row)
    const full = rows.length >= max || scanned >= MAX_RANGE.rows || (scanned > 0 && bytes + size > MAX_RANGE.bytes)
    if (full) return { rows, next: row, bytes }
    scanned++
    bytes += size
    const selected = select(table, row, criteria)
    if (selected) rows.push(selected)
  }
  return { rows, next: undefined, bytes }
}

function readOne(
  reader: GuardedReader,
  name: string,
  key: readonly WireKeyColumn[],
  criteria: Criteria,
  now: number,
): Row | undefined {
  const table = findTable(reader.store, name)
  matchKey(table.key, key, [])
  reader.guard(table, key)
  const row = liveRow(table, reader.row(rowKey(table, plainKey(key))), now)
  return row && select(table, row, criteria)
}

function parsePlainKey(bytes: Buffer): readonly WireKeyColumn[] {
  const key = parseKey(bytes)
  checkPlain(key)
  return key
}

function parseKey(bytes: Buffer): readonly WireKeyColumn[] {
  const { key, cells, deleteMarker } = readRow(bytes)
  if (cells.length > 0) throw invalid('Attribute column cannot be given while reading data.')
  if (deleteMarker) throw invalid('Delete marker cannot be given.')
  checkKey(key)
  return key
}

function rangeKey(table: Table, key: readonly WireKeyColumn[]): Buffer {
  matchKey(table.key, key, ['INF_MIN', 'INF_MAX'])
  // Whatever follows a bound bounds nothing any more.
  const bound = key.findIndex(({ value }) => value.type === 'INF_MIN' || value.type === 'INF_MAX')
  const used = bound < 0 ? key : key.slice(0, bound + 1)
  return encodeKey(
    table.id,
    used.map(({ value }) => value),
  )
}

function sizeOf(row: Row | undefined): number {
  return row ? sizeOfRow(row.key, row.cells) : 0
}
