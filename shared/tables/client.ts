/** The few Tablestore operations that the tables need; `shared/cloud/tablestore.ts` supplies them. */

/** A column value. Numbers are whole (stored as INTEGER); there are no doubles in our tables. */
export type Value = string | number | boolean

/** A row: primary key columns and attribute columns together. */
export type Row = Readonly<Record<string, Value>>

/** A primary key: every key column in the table's order. */
export type Key = readonly (readonly [column: string, value: string | number])[]

/** A comparison with a stored column; a missing column never passes. */
export interface Comparison {
  readonly column: string
  readonly op: '=' | '!=' | '<' | '<=' | '>' | '>='
  readonly value: Value
}

/** One of several lists of comparisons must pass whole. With the lists themselves, the service counts 10 at most. */
export interface AnyOf {
  readonly anyOf: readonly (readonly Comparison[])[]
}

export type Test = Comparison | AnyOf

/** What must hold for a write to take effect; tests imply that the row exists, and all of them must pass. */
export type Expect = 'any' | 'absent' | 'present' | readonly Test[]

/** `put` replaces the whole row, `update` merges columns into it. */
export type Write = {
  readonly table: string
  readonly key: Key
  readonly expect: Expect
} & (
  | { readonly put: Readonly<Record<string, Value>> }
  | { readonly update: Readonly<Record<string, Value>>; readonly remove?: readonly string[] }
  | { readonly delete: true }
)

export interface RangeRequest {
  readonly table: string
  /** Leading key columns that are fixed. */
  readonly prefix: Key
  /** All key columns of the table or index, in order; those after the prefix run from lowest to highest. */
  readonly keyColumns: readonly string[]
  readonly reverse?: boolean
  readonly limit?: number
  /** Continue at this key (inclusive), as returned in `next`. */
  readonly from?: Key
}

export interface TableClient {
  get(table: string, key: Key): Promise<Row | undefined>
  /** `false` when the condition failed; throws `AppError` when the service failed. */
  write(write: Write): Promise<boolean>
  /** One request; one answer per write, in order, as in `write`. At most 200 writes. */
  writeBatch(writes: readonly Write[]): Promise<boolean[]>
  /** Any number of keys (split into requests of 100); answers in order. */
  getBatch(table: string, keys: readonly Key[]): Promise<(Row | undefined)[]>
  /** One page; with no `limit`, everything in the range. */
  range(request: RangeRequest): Promise<{ rows: Row[]; next: Key | undefined }>
  /** A value no other write carries: `{requestId}:{uuid}`. */
  newWriter(): string
}

/**
 * A conditional write whose outcome is certain. A reply can be lost after the effect and the write be repeated below us,
 * so the row carries who wrote it: when the condition fails, the row is read back once, and a writer that is ours means
 * that the write had won.
 */
export async function winWrite(client: TableClient, write: Write): Promise<boolean> {
  if ('delete' in write) return client.write(write)
  const writer = client.newWriter()
  const marked =
    'put' in write ? { ...write, put: { ...write.put, writer } } : { ...write, update: { ...write.update, writer } }
  if (await client.write(marked)) return true
  const row = await client.get(write.table, write.key)
  return row?.writer === writer
}
