/** A value of an attribute column. Integers are 64 bits wide. */
export type Value =
  | { readonly type: 'INTEGER'; readonly value: bigint }
  | { readonly type: 'DOUBLE'; readonly value: number }
  | { readonly type: 'BOOLEAN'; readonly value: boolean }
  | { readonly type: 'STRING'; readonly value: string }
  | { readonly type: 'BINARY'; readonly value: Buffer }

/** A value that can be stored in a primary key column. */
export type KeyValue = Extract<Value, { type: 'INTEGER' | 'STRING' | 'BINARY' }>

/** A value of a primary key column in a request: the markers bound ranges or ask for the next number. */
export type WireKeyValue = KeyValue | KeyMarker

/** What stands in for a value of a primary key column. */
export interface KeyMarker {
  readonly type: 'INF_MIN' | 'INF_MAX' | 'AUTO_INCREMENT'
}

/** A named value of a stored primary key. */
export interface KeyColumn {
  readonly name: string
  readonly value: KeyValue
}

/** One version of one attribute column; `timestamp` in milliseconds is the version. */
export interface Cell {
  readonly name: string
  readonly value: Value
  readonly timestamp: number
}

export const INT64_MIN = -(2n ** 63n)
export const INT64_MAX = 2n ** 63n - 1n

/** Negative, zero or positive; `undefined` when the types differ, since an INTEGER never equals a DOUBLE here. */
export function compareValues(left: Value, right: Value): number | undefined {
  if (left.type === 'BINARY' && right.type === 'BINARY') return Buffer.compare(left.value, right.value)
  if (left.type === 'STRING' && right.type === 'STRING') {
    return Buffer.compare(Buffer.from(left.value), Buffer.from(right.value))
  }
  if (left.type !== right.type) return undefined
  if (left.value === right.value) return 0
  return left.value < right.value ? -1 : 1
}

/**
 * Bytes that a value counts for in limits and capacity units.
 * https://www.alibabacloud.com/help/en/tablestore/product-overview/general-limits
 */
export function sizeOfValue(value: Value): number {
  if (value.type === 'STRING') return Buffer.byteLength(value.value)
  if (value.type === 'BINARY') return value.value.length
  return value.type === 'BOOLEAN' ? 1 : 8
}

/** Bytes of a whole row: names and values of key and attribute columns. */
export function sizeOfRow(key: readonly KeyColumn[], cells: readonly Cell[]): number {
  let size = 0
  for (const column of key) size += column.name.length + sizeOfValue(column.value)
  for (const cell of cells) size += cell.name.length + sizeOfValue(cell.value)
  return size
}
