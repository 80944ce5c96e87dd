import type { Database } from 'lmdb'
import { beginAlike, mayBeCut, storedBounds, tableIdOf } from './keys.ts'
import { type Row, rowKey, unpackRow } from './rows.ts'

export type Direction = 'forward' | 'backward'

/**
 * Rows from `start` (inclusive) up, or down, to `end` (exclusive). Those whose keys are longer than what lmdb orders come
 * out of it in some order among their like, and are put in theirs here.
 */
export function* rowsInOrder(
  rows: Database<Buffer, Buffer>,
  start: Buffer,
  end: Buffer,
  direction: Direction,
): Generator<Row> {
  const backward = direction === 'backward'
  const { low, high, wider } = backward ? storedBounds(end, start) : storedBounds(start, end)
  const range = backward ? { start: high, end: low, reverse: true } : { start: low, end: high }
  for (const { alike, found } of groups(rows.getRange(range))) {
    if (alike || wider) yield* inOrder(found, start, end, backward)
    else yield* found
  }
}

/** Rows one by one, and together where their order is not known. */
function* groups(
  stored: Iterable<{ readonly key: Buffer; readonly value: Buffer }>,
): Generator<{ readonly alike: boolean; readonly found: readonly Row[] }> {
  let first: Buffer | undefined
  let found: Row[] = []
  for (const { key, value } of stored) {
    if (first && !(mayBeCut(key) && beginAlike(first, key))) {
      yield { alike: true, found }
      first = undefined
      found = []
    }
    const row = unpackRow(value)
    if (mayBeCut(key)) {
      first ??= Buffer.from(key)
      found.push(row)
    } else yield { alike: false, found: [row] }
  }
  if (first) yield { alike: true, found }
}

function inOrder(rows: readonly Row[], start: Buffer, end: Buffer, backward: boolean): Row[] {
  const sign = backward ? -1 : 1
  return rows
    .map((row) => ({ row, key: fullKey(row, start) }))
    .filter(({ key }) => Buffer.compare(key, start) * sign >= 0 && Buffer.compare(key, end) * sign < 0)
    .sort((left, right) => Buffer.compare(left.key, right.key) * sign)
    .map(({ row }) => row)
}

/** A bound begins with the number of the table that the rows are of. */
function fullKey(row: Row, bound: Buffer): Buffer {
  return rowKey({ id: tableIdOf(bound) }, row.key)
}
