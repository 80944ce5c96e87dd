import { mkdirSync } from 'node:fs'
import { openDatabase } from '../data/database.ts'
import { roomIn } from '../data/room.ts'
import { openAttempts } from './attempts.ts'
import { openCommits } from './commits.ts'
import { TablestoreError } from './errors.ts'
import { openIndexLag } from './index-lag.ts'
import type { IndexChange } from './indexes.ts'
import { storedKey, tableBounds, tableIdOf } from './keys.ts'
import { openPurge } from './purge.ts'
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
  /** What takes back something done in memory, should the commit fail; the last first. */
  onUndo(back: () => void): void
}

export interface Store extends Reader {
  /**
   * Runs `work` alone, after every change asked for earlier; resolves when all of it is on disk. Many changes share one
   * commit, so `work` must refuse before it writes anything, or not at all; any other error fails all of them.
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
  /** Throws when the disk has no room for what adds to it. */
  requireRoom(): void
  /** Takes what is past its time to live off the disk; that also happens by itself. */
  purge(): Promise<void>
  close(): Promise<void>
}

/** The table or index of a name. */
export function findTable(reader: Reader, name: string): Table {
  checkTableName(name)
  const table = reader.table(name)
  if (!table) throw new TablestoreError('OTSObjectNotExist', 'Requested table does not exist.')
  return table
}

/** Tables and rows of one instance in a folder of lmdb files; what `beforeCommit` throws fails a commit. */
export function openStore(folder: string, now: () => number, beforeCommit: () => void = () => undefined): Store {
  mkdirSync(folder, { recursive: true })
  const root = openDatabase({ path: folder, noSubdir: false, pageSize: 8192 })
  const meta = root.openDB<unknown, string>({ name: 'meta', encoding: 'json' })
  const rows = root.openDB<Buffer, Buffer>({ name: 'rows', encoding: 'binary', keyEncoding: 'binary' })
  const streams = openStreams(root.openDB({ name: 'streams', encoding: 'binary', keyEncoding: 'binary' }))
  const putRow = (key: Buffer, row: Row) => void rows.put(storedKey(key), packRow(row))
  const removeRow = (key: Buffer) => void rows.remove(storedKey(key))
  const tables = new Map<string, Table>()
  const apply = ({ key, row }: IndexChange) => (row ? putRow(key, row) : removeRow(key))
  const applyLate = (change: IndexChange) => {
    // The index may have been dropped in the meantime.
    const id = tableIdOf(change.key)
    for (const table of tables.values()) if (table.id === id) apply(change)
  }
  const lag = openIndexLag(root.openDB({ name: 'late' }), now, applyLate)
  const loadTables = () => {
    tables.clear()
    for (const { value } of meta.getRange({ start: 'table/', end: 'table0' })) {
      const table = value as Table
      tables.set(table.name, table)
    }
  }
  loadTables()
  const attempts = openAttempts(root, beforeCommit)
  const commits = openCommits(attempts, () => {
    attempts.undo()
    loadTables()
    streams.reload()
    lag.reload()
  })

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
    onUndo: attempts.onUndo,
  }

  const change: Store['change'] = (work) => commits.run(() => attempts.run(() => work(writer)))
  const purge = openPurge(rows, reader, change, now)
  return {
    ...reader,
    change,
    streams,
    transactions: openTransactions(),
    isBehind: () => lag.isBehind(),
    catchUp: () => change(() => lag.catchUp()),
    async setIndexLag(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`a lag is 0 ms or more, not ${ms}`)
      await change(({ onUndo }) => onUndo(lag.set(ms)))
    },
    requireRoom: roomIn(folder).require,
    purge: purge.run,
    async close() {
      await purge.stop()
      await commits.idle()
      await root.close()
    },
  }
}
