import { createHash } from 'node:crypto'
import { consumed } from './capacity.ts'
import { invalid } from './errors.ts'
import { tableBounds } from './keys.ts'
import { computeSplitPointsBySizeRequest, computeSplitPointsBySizeResponse } from './messages.ts'
import { writeRows } from './plain-buffer-writer.ts'
import { decode, encode } from './protobuf.ts'
import { liveRow } from './rows.ts'
import type { Table } from './schema.ts'
import { findTable, type Store } from './store.ts'
import { describeKey } from './table-definition.ts'
import { compareValues, type KeyColumn, sizeOfRow } from './values.ts'

const DEFAULT_UNIT_BYTES = 100n * 1024n * 1024n
const MIN_UNIT_BYTES = 1024n * 1024n

/** Where a table would be cut into pieces of about a size; pieces end between partition keys. */
export async function computeSplitPointsBySize(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(computeSplitPointsBySizeRequest, body)
  const table = findTable(store, request.table)
  const { size, unitBytes = DEFAULT_UNIT_BYTES } = request
  if (size <= 0n) throw invalid('The split_size should be greater than 0.')
  if (unitBytes < MIN_UNIT_BYTES) {
    throw invalid(`The split_size_unit_in_byte should be greater equal than: ${MIN_UNIT_BYTES}`)
  }
  const points = limited(splitPoints(store, table, Number(size * unitBytes), now), request.limit)
  return encode(computeSplitPointsBySizeResponse, {
    consumed: consumed(0, undefined),
    schema: describeKey(table),
    points: points.map((column) => writeRows([{ key: [column], cells: [] }])),
    locations: [{ location: locationOf(table), repeat: BigInt(points.length + 1) }],
  })
}

function splitPoints(store: Store, table: Table, splitBytes: number, now: number): KeyColumn[] {
  const points: KeyColumn[] = []
  const { start, end } = tableBounds(table.id)
  let bytes = 0
  let previous: KeyColumn | undefined
  for (const stored of store.range(start, end, 'forward')) {
    const row = liveRow(table, stored, now)
    const column = row?.key[0]
    if (!row || !column) continue
    const begins = previous !== undefined && compareValues(previous.value, column.value) !== 0
    if (begins && bytes >= splitBytes) {
      points.push(column)
      bytes = 0
    }
    bytes += sizeOfRow(row.key, row.cells)
    previous = column
  }
  return points
}

function limited(points: readonly KeyColumn[], limit: number | undefined): readonly KeyColumn[] {
  if (limit === undefined || limit <= 0 || points.length <= limit) return points
  const step = Math.ceil((points.length + 1) / (limit + 1))
  return points.filter((_, at) => (at + 1) % step === 0)
}

/** No more than a hint that tells apart what lies apart; there is one place here. */
function locationOf(table: Table): string {
  return createHash('md5').update(`${table.id}`).digest('hex')
}
