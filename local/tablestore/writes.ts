import { consumed } from './capacity.ts'
import { invalid, TablestoreError } from './errors.ts'
import { encodeKey } from './keys.ts'
import { batchResponse, batchWriteRowRequest, putRowRequest, type RowInBatch, writeRowResponse } from './messages.ts'
import { openOverlay } from './overlay.ts'
import type { WireKeyColumn } from './plain-buffer-reader.ts'
import { writeRows } from './plain-buffer-writer.ts'
import { decode, encode } from './protobuf.ts'
import { type ChangeKind, parseChange, type RowChange } from './row-change.ts'
import { failedRow } from './row-result.ts'
import { checkTableName } from './schema.ts'
import type { Store, Writer } from './store.ts'
import { textOf } from './transactions.ts'
import { type Guard, type Written, writeRow } from './write.ts'

const MAX_BATCH = { rows: 200, bytes: 4 * 1024 * 1024 } as const

/** PutRow, UpdateRow and DeleteRow. */
export function changeRow(kind: ChangeKind) {
  return async (store: Store, body: Buffer, now: number): Promise<Buffer> => {
    const request = decode(putRowRequest, body)
    checkTableName(request.table)
    const change = parseChange(kind, request.row, request.condition, request.returnContent)
    const open = scopeOf(store, request.transaction, now)
    const written = await store.change((base) => {
      const { writer, write } = open(base)
      return write(writer, request.table, change)
    })
    return encode(writeRowResponse, { consumed: cost(change), ...content(written) })
  }
}

interface TableChanges {
  readonly table: string
  readonly changes: readonly RowChange[]
  readonly clashes: readonly (string | undefined)[]
}

export async function batchWriteRow(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(batchWriteRowRequest, body)
  const tables = request.tables.map(({ table, rows }): TableChanges => {
    checkTableName(table)
    if (rows.length === 0) throw invalid(`No operation is specified for table: '${table}'.`)
    const changes = rows.map((row) => parseChange(kindOf(row.type), row.row, row.condition, row.returnContent))
    return { table, changes, clashes: request.atomic ? [] : clashesIn(changes) }
  })
  checkBatch(tables)
  const open = scopeOf(store, request.transaction, now)
  const results = await store.change((base) => {
    const scope = open(base)
    return tables.map((each) => ({
      table: each.table,
      rows: request.atomic ? writeTogether(scope, each) : writeEach(scope, each),
    }))
  })
  return encode(batchResponse, { tables: results })
}

/** Where rows are written: in the open, or inside of a transaction. */
interface Scope {
  readonly writer: Writer
  write(writer: Writer, table: string, change: RowChange): Written
  /** Gives what takes back all that the transaction counts from now on. */
  mark(): () => void
}

function scopeOf(store: Store, id: string | undefined, now: number): (base: Writer) => Scope {
  if (id === undefined) {
    const guard: Guard = (table, key) => store.transactions.refuseTaken(table, key, now)
    return (writer) => ({
      writer,
      write: (to, table, change) => writeRow(to, table, change, now, guard),
      mark: () => () => undefined,
    })
  }
  store.transactions.find(id, now)
  return (base) => {
    // It may have been committed since.
    const transaction = store.transactions.find(id, now)
    base.onUndo(transaction.mark())
    return {
      writer: transaction.overlay.writer(base),
      write(to, table, change) {
        const written = writeRow(to, table, change, now, (found, key) => {
          transaction.requireInside(found, key)
          transaction.requireRoom(change.size)
        })
        transaction.count(change.size)
        return written
      },
      mark: transaction.mark,
    }
  }
}

function writeEach({ writer, write }: Scope, { table, changes, clashes }: TableChanges): RowInBatch[] {
  return changes.map((change, at) =>
    failedRow((): RowInBatch => {
      const clash = clashes[at]
      if (clash) throw invalid(clash)
      return { ok: true, consumed: cost(change), ...content(write(writer, table, change)) }
    }),
  )
}

/** All rows of a table or none, which have to be of one partition key, as the Java SDK's OTSAPIBehaviorTest says. */
function writeTogether({ writer, write, mark }: Scope, { table, changes }: TableChanges): RowInBatch[] {
  const overlay = openOverlay()
  const takeBack = mark()
  const first = changes[0]?.key[0]
  const outside = changes.find(({ key }) => !isSame(key[0], first))
  const rows = changes.map((change) =>
    failedRow((): RowInBatch => {
      if (outside) throw outOfScope(textOf(first), textOf(outside.key[0]))
      return { ok: true, consumed: cost(change), ...content(write(overlay.writer(writer), table, change)) }
    }),
  )
  const failed = rows.find(({ ok }) => !ok)
  if (failed) {
    takeBack()
    return rows.map((row) => (row.ok ? failed : row))
  }
  const found = writer.table(table)
  if (found) overlay.flush(writer, found)
  return rows
}

function isSame(one: WireKeyColumn | undefined, other: WireKeyColumn | undefined): boolean {
  if (one?.value.type === 'BINARY' && other?.value.type === 'BINARY') return one.value.value.equals(other.value.value)
  return textOf(one) === textOf(other)
}

function outOfScope(first: string, other: string): TablestoreError {
  const message = `Data out of scope of atomic. Atomic PartKey:${first}. Data PartKey:${other}`
  return new TablestoreError('OTSDataOutOfRange', message)
}

function checkBatch(tables: readonly TableChanges[]): void {
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
