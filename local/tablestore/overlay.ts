import { indexChanges } from './indexes.ts'
import { tableIdOf } from './keys.ts'
import type { Direction } from './row-order.ts'
import { type Row, rowKey } from './rows.ts'
import type { Table } from './schema.ts'
import type { Reader, Writer } from './store.ts'
import type { StreamRecord } from './stream-log.ts'

/** Writes to one table's rows that are kept aside until all of them are carried out, or none. */
export interface Overlay {
  /** Reads what a reader has with these writes over it. */
  over(reader: Reader): Pick<Reader, 'row' | 'range'>
  /** A writer that writes here, over what another has, which may be that of another overlay. */
  writer(base: Writer): Writer
  /** Carries everything out. */
  flush(writer: Writer, table: Table): void
}

interface Kept {
  readonly key: Buffer
  readonly row: Row | undefined
}

/** Nothing kept yet. */
export function openOverlay(): Overlay {
  const kept = new Map<string, Kept>()
  const records: StreamRecord[] = []

  function over(reader: Reader): Pick<Reader, 'row' | 'range'> {
    return {
      row(key) {
        const mine = kept.get(key.toString('latin1'))
        return mine ? mine.row : reader.row(key)
      },
      range: (start, end, direction) =>
        merged(reader.range(start, end, direction), [...kept.values()], start, end, direction),
    }
  }

  return {
    over,
    writer(base) {
      const keep = (key: Buffer, row: Row | undefined) => {
        const name = key.toString('latin1')
        const before = kept.get(name)
        kept.set(name, { key, row })
        base.onUndo(() => (before ? kept.set(name, before) : kept.delete(name)))
      }
      return {
        ...base,
        ...over(base),
        putRow: keep,
        removeRow: (key) => keep(key, undefined),
        // Indexes change when the rows do.
        changeIndexes: () => undefined,
        log(_, record) {
          records.push(record)
          base.onUndo(() => records.pop())
        },
      }
    },
    flush(writer, table) {
      for (const { key, row } of kept.values()) {
        writer.changeIndexes(indexChanges(writer, table, writer.row(key), row))
        if (row) writer.putRow(key, row)
        else writer.removeRow(key)
      }
      for (const record of records) writer.log(table, record)
    },
  }
}

function* merged(
  stored: Iterable<Row>,
  kept: readonly Kept[],
  start: Buffer,
  end: Buffer,
  direction: Direction,
): Generator<Row> {
  const sign = direction === 'backward' ? -1 : 1
  const compare = (left: Buffer, right: Buffer) => Buffer.compare(left, right) * sign
  const mine = kept
    .filter(({ key }) => compare(key, start) >= 0 && compare(key, end) < 0)
    .sort((left, right) => compare(left.key, right.key))
  const tableId = tableIdOf(start)
  for (const row of stored) {
    const key = rowKey({ id: tableId }, row.key)
    while (mine[0] && compare(mine[0].key, key) < 0) yield* take(mine)
    if (mine[0] && compare(mine[0].key, key) === 0) yield* take(mine)
    else yield row
  }
  while (mine.length > 0) yield* take(mine)
}

function* take(mine: Kept[]): Generator<Row> {
  const row = mine.shift()?.row
  if (row) yield row
}
