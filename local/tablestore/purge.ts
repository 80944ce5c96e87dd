import type { Database } from 'lmdb'
import { warn } from '../wire/warn.ts'
import { indexChanges } from './indexes.ts'
import { tableBounds } from './keys.ts'
import { liveRow, type Row, rowKey, unpackRow } from './rows.ts'
import type { Table } from './schema.ts'
import type { Reader, Store, Writer } from './store.ts'

/** Takes what is past its time to live off the disk; streams tell nothing of it. */
export interface Purge {
  /** Resolves when all is gone that is past its time now. */
  run(): Promise<void>
  /** Ends after the step that is being taken, for ever. */
  stop(): Promise<void>
}

/** So much is looked at in one turn of the event loop, at most. */
const STEP = { rows: 256, bytes: 1024 * 1024 } as const
const EVERY_MS = 10 * 60_000

/** When the next row, or cell of a row, of a table as it is now can be past its time. */
interface Outlook {
  readonly table: Table
  readonly at: number
}

/** Begins at once, and again every ten minutes. */
export function openPurge(
  rows: Database<Buffer, Buffer>,
  reader: Pick<Reader, 'tables'>,
  change: Store['change'],
  clock: () => number,
): Purge {
  const outlooks = new Map<number, Outlook>()
  const now = () => Math.floor(clock())
  let stopped = false
  let last: Promise<void> = Promise.resolve()

  function run(): Promise<void> {
    const next = last.then(purgeAll)
    last = next.catch(() => undefined)
    return next
  }

  async function purgeAll(): Promise<void> {
    for (const table of reader.tables()) {
      const outlook = outlooks.get(table.id)
      if (!expires(table) || (outlook?.table === table && now() < outlook.at)) continue
      outlooks.delete(table.id)
      await purgeTable(table)
    }
  }

  async function purgeTable(table: Table): Promise<void> {
    // What is written from now on has no earlier time than the table allows.
    let oldest = now() - table.options.deviationSeconds * 1000
    let from: Buffer | undefined = tableBounds(table.id).start
    while (from) {
      await new Promise((resolve) => setImmediate(resolve))
      if (stopped) return
      const seen = look(table, from, now())
      if (seen.stale.length > 0) {
        await change((writer) => {
          for (const key of seen.stale) purgeRow(writer, table.id, key)
        })
      }
      oldest = Math.min(oldest, seen.oldest)
      from = seen.next
    }
    outlooks.set(table.id, { table, at: oldest + table.options.timeToLive * 1000 })
  }

  /** Looks at the next rows; whether they are past their time is asked again inside the change. */
  function look(table: Table, from: Buffer, time: number) {
    const stale: Buffer[] = []
    let oldest = Number.POSITIVE_INFINITY
    let count = 0
    let bytes = 0
    for (const { key, value } of rows.getRange({ start: from, end: tableBounds(table.id).end })) {
      if (count >= STEP.rows || bytes >= STEP.bytes) return { stale, oldest, next: Buffer.from(key) }
      count++
      bytes += value.length
      const row = unpackRow(value)
      const live = liveRow(table, row, time)
      if (live?.cells.length !== row.cells.length) stale.push(Buffer.from(key))
      if (live) oldest = Math.min(oldest, oldestOf(live))
    }
    return { stale, oldest, next: undefined }
  }

  function purgeRow(writer: Writer, tableId: number, storedAt: Buffer): void {
    // Both may have changed since they were looked at.
    const table = writer.tables().find(({ id }) => id === tableId)
    const value = rows.get(storedAt)
    if (!table || !value) return
    const row = unpackRow(value)
    const live = liveRow(table, row, now())
    if (live?.cells.length === row.cells.length) return
    writer.changeIndexes(indexChanges(writer, table, row, live))
    if (live) writer.putRow(rowKey(table, row.key), live)
    else writer.removeRow(rowKey(table, row.key))
  }

  const inBackground = () => {
    run().catch((error: unknown) => warn(error, 'LocalTablestore'))
  }
  inBackground()
  const timer = setInterval(inBackground, EVERY_MS).unref()

  return {
    run,
    async stop() {
      stopped = true
      clearInterval(timer)
      await last
    },
  }
}

/** Rows of indexes go with those of their tables. */
function expires(table: Table): boolean {
  return table.base === undefined && table.options.timeToLive !== -1
}

function oldestOf(row: Row): number {
  return row.cells.length === 0 ? row.writtenAt : Math.min(...row.cells.map(({ timestamp }) => timestamp))
}
