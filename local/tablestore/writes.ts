import { consumed } from './capacity.ts'
import { refuseTransaction } from './criteria.ts'
import { invalid } from './errors.ts'
import { encodeKey } from './keys.ts'
import { batchResponse, batchWriteRowRequest, putRowRequest, type RowInBatch, writeRowResponse } from './messages.ts'
import { writeRows } from './plain-buffer-writer.ts'
import { decode, encode } from './protobuf.ts'
import { type ChangeKind, parseChange, type RowChange } from './row-change.ts'
import { failedRow } from './row-result.ts'
import type { Store } from './store.ts'
import { type Written, writeRow } from './write.ts'

const MAX_BATCH = { rows: 200, bytes: 4 * 1024 * 1024 } as const

/** PutRow, UpdateRow and DeleteRow. */
export function changeRow(kind: ChangeKind) {
  return async (store: Store, body: Buffer, now: number): Promise<Buffer> => {
    const request = decode(putRowRequest, body)
    if (request.transaction) refuseTransaction()
    const change = parseChange(kind, request.row, request.condition, request.returnContent)
    const written = await store.change((writer) => writeRow(writer, request.table, change, now))
    return encode(writeRowResponse, { consumed: cost(change), ...content(written) })
  }
}

export async function batchWriteRow(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(batchWriteRowRequest, body)
  if (request.transaction) refuseTransaction()
  const tables = request.tables.map(({ table, rows }) => {
    if (rows.length === 0) throw invalid(`No operation is specified for table: '${table}'.`)
    const changes = rows.map((row) => parseChange(kindOf(row.type), row.row, row.condition, row.returnContent))
    return { table, changes, clashes: clashesIn(changes) }
  })
  checkBatch(tables)
  const results = await store.change((writer) =>
    tables.map(({ table, changes, clashes }) => ({
      table,
      rows: changes.map((change, at) =>
        failedRow((): RowInBatch => {
          const clash = clashes[at]
          if (clash) throw invalid(clash)
          return { ok: true, consumed: cost(change), ...content(writeRow(writer, table, change, now)) }
        }),
      ),
    })),
  )
  return encode(batchResponse, { tables: results })
}

function checkBatch(tables: readonly { readonly table: string; readonly changes: readonly RowChange[] }[]): void {
  const changes = tables.flatMap((table) => table.changes)
  if (changes.length === 0) throw invalid('No row is specified in BatchWriteRow.')
  if (changes.length > MAX_BATCH.rows) throw invalid(`Rows count exceeds the upper limit: ${MAX_BATCH.rows}.`)
  const twice = tables.find(({ table }, at) => tables.findIndex((other) => other.table === table) < at)
  if (twice) throw invalid(`Duplicated table name: '${twice.table}'.`)
  const bytes = changes.reduce((sum, change) => sum + change.size, 0)
  if (bytes > MAX_BATCH.bytes) {
    throw invalid(
      `The total data size of BatchWriteRow request exceeds the limit, limit size: ${MAX_BATCH.bytes}, data size: ${bytes}.`,
    )
  }
}

/** A row may come several times in a batch only if no write of it depends on what is there. */
function clashesIn(changes: readonly RowChange[]): (string | undefined)[] {
  const groups = new Map<string, RowChange[]>()
  const keys = changes.map((change) => {
    if (change.key.some(({ value }) => value.type === 'AUTO_INCREMENT')) return undefined
    return encodeKey(
      0,
      change.key.map(({ value }) => value),
    ).toString('latin1')
  })
  changes.forEach((change, at) => {
    const key = keys[at]
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), change])
  })
  return keys.map((key) => clashOf(key === undefined ? [] : (groups.get(key) ?? [])))
}

function clashOf(group: readonly RowChange[]): string | undefined {
  if (group.length < 2) return undefined
  if (group.some((change) => change.existence !== 'ignore')) {
    return 'Repeated rows do not support row exist expectation check in BatchModify.'
  }
  if (group.some((change) => change.test)) return 'Repeated rows do not support row condition check in BatchModify.'
  if (group.some(({ cells }) => cells.some(({ op }) => op === 'increment'))) {
    return 'Repeated rows do not support increment in BatchModify.'
  }
  return undefined
}

function kindOf(type: number): ChangeKind {
  const kind = ([undefined, 'put', 'update', 'delete'] as const)[type]
  if (!kind) throw invalid('The type of row in batch write operation is invalid.')
  return kind
}

function cost(change: RowChange) {
  const conditional = change.existence !== 'ignore' || change.test !== undefined
  return consumed(conditional ? 0 : undefined, change.size)
}

function content(written: Written): { row?: Buffer } {
  return written.row ? { row: writeRows([written.row]) } : {}
}
