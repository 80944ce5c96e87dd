import { type ChangedCell, writeChange, writeRows } from './plain-buffer-writer.ts'
import type { RowChange } from './row-change.ts'
import { arrangeCells, type Row } from './rows.ts'
import type { StreamSetting } from './schema.ts'
import type { StreamRecord } from './stream-log.ts'
import type { Cell, KeyColumn } from './values.ts'

/**
 * What a stream tells of a write: the columns as they were asked for, with the times that they were given; an increment
 * as the sum that was put.
 */
export function recordOf(
  stream: StreamSetting,
  change: RowChange,
  key: readonly KeyColumn[],
  before: Row | undefined,
  after: readonly Cell[],
  at: number,
): StreamRecord {
  const cells = change.cells.map(({ name, value, op, timestamp }): ChangedCell => {
    if (op === 'deleteAll') return { name, op }
    if (op === 'deleteOne') return { name, op, timestamp: Number(timestamp) }
    if (op === 'increment') {
      const sum = after.find((cell) => cell.name === name)
      return { name, value: sum?.value ?? value, timestamp: sum?.timestamp ?? at }
    }
    return { name, value, timestamp: timestamp === undefined ? at : Number(timestamp) }
  })
  return {
    kind: change.kind,
    at,
    change: (sequence) => writeChange(key, cells, sequence),
    origin: originOf(stream, before),
  }
}

function originOf(stream: StreamSetting, before: Row | undefined): Buffer {
  if (!before || stream.columns.length === 0) return Buffer.alloc(0)
  const cells = arrangeCells(before.cells, 1).filter(({ name }) => stream.columns.includes(name))
  return writeRows([{ key: before.key, cells }])
}
