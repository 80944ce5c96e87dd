import { mkdirSync } from 'node:fs'
import { open } from 'lmdb'
import { openCommits } from './commits.ts'
import { TablestoreError } from './errors.ts'
import { openIndexLag } from './index-lag.ts'
import type { IndexChange } from './indexes.ts'
import { storedKey, tableBounds } from './keys.ts'
import { type Direction, rowsInOrder } from './row-order.ts'
import { packRow, type Row, unpackRow } from './rows.ts'
import { checkTableName, type Table } from './schema.ts'
import { openStreams, type StreamReader, type StreamRecord } from './stream-log.ts'
import { openTransactions, type Transactions } from './transactions.ts'

/** What can be read at any time; inside `change`, with the changes already made. */
export interface Reader {
  table(name: string): Table | undefined
  tables(): readonly Table[]
  row(key: Buffer): Row | undefined
  /** From `start` (inclusive) up, or down, to `end` (exclusive). */
  range(start: Buffer, end: Buffer, direction: Direction): Iterable<Row>
}

/** What a change may do. */
export interface Writer extends Reader {
  saveTable(table: Table): void
  /** Forgets a table, its rows and its stream. */
  dropTable(table: Table): void
  newTableId(): number
  /** The next number of a table's auto-increment column, at least `floor`. */
  nextNumber(table: Table, floor: bigint): bigint
  putRow(key: Buffer, row: Row): void
  removeRow(key: Buffer): void
  /** Changes rows of indexes, at once or as much later as the indexes lag. */
  changeIndexes(changes: readonly IndexChange[]): void
  /** Adds to a table's stream. */
  log(table: Table, record: StreamRecord): void
  /** Forgets a table's stream. */
  dropStream(table: Table): void
}

export interface Store extends Reader {
  /**
   * Runs `work` alone, after every change asked for earlier; resolves when all of it is on disk. Many changes share one
   * commit, so `work` must throw before it writes anything, or not at all.
   */
  change<T>(work: (writer: Writer) => T): Promise<T>
  readonly streams: StreamReader
  readonly transactions: Transactions
  /** Whether changes of indexes are waiting whose time has come. */
  isBehind(): boolean
  /** Carries them out. */
  catchUp(): Promise<void>
  /** From now on changes reach the indexes this much later than their tables. */
  setIndexLag(ms: number): Promise<void>
  close(): Promise<void>
}

/** The table or index of a name. */
export function findTable(reader: Reader, name: string): Table {
  checkTableName(name)
  const table = reader.table(name)
  if (!table) throw new TablestoreError('OTSObjectNotExist', 'Requested table does not exist.')
  return table
}

/** Tables and rows of one instance in a folder of lmdb files. */
export function openStore(folder: string, now: () => number): Store {
  mkdirSync(folder, { recursive: true })
  // Without overlapping sync a commit resolves only when it is flushed, and nobody reads what a power cut could undo.
  const root = open({ path: folder, noSubdir: false, pageSize: 8192, overlappingSync: false })
  const meta = root.openDB<unknown, string>({ name: 'meta', encoding: 'json' })
  const rows = root.openDB<Buffer, Buffer>({ name: 'rows', encoding: 'binary', keyEncoding: 'binary' })
  const streams = openStreams(root.openDB({ name: 'streams', encoding: 'binary', keyEncoding: 'binary' }))
  const putRow = (key: Buffer, row: Row) => void rows.put(storedKey(key), packRow(row))
  const removeRow = (key: Buffer) => void rows.remove(storedKey(key))
  const apply = ({ key, row }: IndexChange) => (row ? putRow(key, row) : removeRow(key))
  const lag = openIndexLag(root.openDB({ name: 'late' }), now, apply)
  const tables = new Map<string, Table>()
  const loadTables = () => {
    tables.clear()
    for (const { value } of meta.getRange({ start: 'table/', end: 'table0' })) {
      const table = value as Table
      tables.set(table.name, table)
    }
  }
  loadTables()
  const commits = openCommits(root, loadTables)

  const reader: Reader = {
    table: (name) => tables.get(name),
    tables: () => [...tables.values()],
    row: (key) => {
      const bytes = rows.get(storedKey(key))
      return bytes && unpackRow(bytes)
    },
    range: (start, end, direction) => rowsInOrder(rows, start, end, direction),
  }

  const writer: Writer = {
    ...reader,
    saveTable(table) {
      tables.set(table.name, table)
      meta.put(`table/${table.name}`, table)
    },
    dropTable(table) {
      tables.delete(table.name)
      meta.remove(`table/${table.name}`)
      meta.remove(`number/${table.id}`)
      streams.drop(table)
      for (const key of [...rows.getKeys(tableBounds(table.id))]) rows.remove(key)
    },
    newTableId() {
      const id = Number(meta.get('last-table-id') ?? 0) + 1
      meta.put('last-table-id', id)
      return id
    },
    nextNumber(table, floor) {
      const after = BigInt(String(meta.get(`number/${table.id}`) ?? '0')) + 1n
      const number = after > floor ? after : floor
      meta.put(`number/${table.id}`, number.toString())
      return number
    },
    putRow,
    removeRow,
    changeIndexes(changes) {
      for (const change of changes) if (change.atOnce) apply(change)
      const later = changes.filter((change) => !change.atOnce)
      if (later.length > 0) lag.add(later)
    },
    log: streams.add,
    dropStream: streams.drop,
  }

  const change: Store['change'] = (work) => commits.run(() => work(writer))
  return {
    ...reader,
    change,
    streams,
    transactions: openTransactions(),
    isBehind: () => lag.isBehind(),
    catchUp: () => change(() => lag.catchUp()),
    setIndexLag: (ms) => change(() => lag.set(ms)),
    async close() {
      await commits.idle()
      await root.close()
    },
  }
}
