import type {
  AttributesInput,
  AttributesOutput,
  CellValue,
  ColumnCondition,
  Condition,
  CreateTableParams,
  int64,
  PrimaryKeyInput,
  PrimaryKeyOutput,
} from 'tablestore'
import type { Comparison, Expect, Key, Row, Test, Value } from '../tables/client.ts'

export type TablestoreSdk = typeof import('tablestore')

/** Our rows, keys and conditions in the SDK's words. */
export interface RowCodec {
  /** Key columns of which every value counts, seen from one side. */
  edge(columns: readonly string[], side: 'lowest' | 'highest'): PrimaryKeyInput
  primaryKey(key: Key): PrimaryKeyInput
  attributes(columns: Readonly<Record<string, Value>>): AttributesInput
  changes(
    update: Readonly<Record<string, Value>>,
    remove?: readonly string[],
  ): { PUT?: AttributesInput; DELETE_ALL?: string[] }[]
  condition(expect: Expect): Condition
}

/** The codec over a loaded SDK: numbers become 64-bit integers, since a plain number would be stored as a double. */
export function codecOf(sdk: TablestoreSdk): RowCodec {
  const cell = (column: string, value: Value): string | boolean | int64 => {
    if (typeof value !== 'number') return value
    if (!Number.isSafeInteger(value)) throw new Error(`column ${column} must be a whole number`)
    return sdk.Long.fromNumber(value)
  }
  const attributes = (columns: Readonly<Record<string, Value>>): AttributesInput =>
    Object.entries(columns).map(([column, value]) => ({ [column]: cell(column, value) }))
  const column = (test: Test): ColumnCondition =>
    'anyOf' in test
      ? joined(
          'OR',
          test.anyOf.map((tests) => joined('AND', tests.map(column))),
        )
      : new sdk.SingleColumnCondition(test.column, cell(test.column, test.value), comparator(sdk, test.op), false)
  const joined = (operator: 'AND' | 'OR', [first, ...rest]: readonly ColumnCondition[]): ColumnCondition => {
    if (!first) throw new Error('a condition must test something')
    if (rest.length === 0) return first
    const whole = new sdk.CompositeCondition(sdk.LogicalOperator[operator])
    for (const part of [first, ...rest]) whole.addSubCondition(part)
    return whole
  }

  return {
    edge: (columns, side) => columns.map((column) => ({ [column]: side === 'lowest' ? sdk.INF_MIN : sdk.INF_MAX })),
    attributes,
    primaryKey: (key) => key.map(([column, value]) => ({ [column]: cell(column, value) })),
    changes: (update, remove = []) => [
      ...(Object.keys(update).length > 0 ? [{ PUT: attributes(update) }] : []),
      ...(remove.length > 0 ? [{ DELETE_ALL: [...remove] }] : []),
    ],
    condition(expect) {
      const existence = sdk.RowExistenceExpectation
      if (expect === 'any') return new sdk.Condition(existence.IGNORE, null)
      if (expect === 'absent') return new sdk.Condition(existence.EXPECT_NOT_EXIST, null)
      const tests = expect === 'present' ? [] : expect.map(column)
      return new sdk.Condition(existence.EXPECT_EXIST, tests.length === 0 ? null : joined('AND', tests))
    },
  }
}

/** A row as the SDK gives it; a row that does not exist comes as an empty object or with no key. */
export function rowOf(
  row: { primaryKey?: PrimaryKeyOutput | null; attributes?: AttributesOutput | null } | undefined,
): Row | undefined {
  if (!row?.primaryKey || row.primaryKey.length === 0) return undefined
  const keys = row.primaryKey.map(({ name, value }) => [name, plainValue(name, value)] as const)
  const rest = (row.attributes ?? []).map(
    ({ columnName, columnValue }) => [columnName, plainValue(columnName, columnValue)] as const,
  )
  return Object.fromEntries([...keys, ...rest])
}

/** A key as the SDK gives it. */
export function keyOf(key: PrimaryKeyOutput): Key {
  return key.map(({ name, value }) => {
    const plain = plainValue(name, value)
    if (typeof plain === 'boolean') throw new Error(`key column ${name} cannot be a boolean`)
    return [name, plain]
  })
}

function plainValue(column: string, value: CellValue): Value {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value
  if (value !== null && 'toNumber' in value) return value.toNumber()
  throw new Error(`column ${column} holds a kind of value that our tables do not use`)
}

function comparator(sdk: TablestoreSdk, op: Comparison['op']) {
  switch (op) {
    case '=':
      return sdk.ComparatorType.EQUAL
    case '!=':
      return sdk.ComparatorType.NOT_EQUAL
    case '<':
      return sdk.ComparatorType.LESS_THAN
    case '<=':
      return sdk.ComparatorType.LESS_EQUAL
    case '>':
      return sdk.ComparatorType.GREATER_THAN
    case '>=':
      return sdk.ComparatorType.GREATER_EQUAL
  }
}

/** What a table is made of; columns of the table that indexes use are `indexed`. */
export interface TableDefinition {
  readonly table: string
  readonly key: readonly ColumnDefinition[]
  readonly indexed?: readonly ColumnDefinition[]
  /** The table's own key columns that are missing in an index's key come last. */
  readonly indexes?: readonly { readonly index: string; readonly key: readonly string[] }[]
  /** -1 keeps rows for ever. */
  readonly ttlSeconds: number
}

interface ColumnDefinition {
  readonly name: string
  readonly type: 'string' | 'integer'
}

/** A table of ours as CreateTable wants it: one version of each cell, and no reserved throughput. */
export function tableDefinition(definition: TableDefinition): CreateTableParams {
  const { table, key, indexed = [], indexes = [], ttlSeconds } = definition
  return {
    tableMeta: {
      tableName: table,
      primaryKey: key.map(({ name, type }) => ({ name, type: type === 'string' ? 'STRING' : 'INTEGER' })),
      definedColumn: indexed.map(({ name, type }) => ({ name, type: DEFINED_TYPES[type] })),
    },
    tableOptions: { timeToLive: ttlSeconds, maxVersions: 1 },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    indexMetas: indexes.map((index) => ({
      name: index.index,
      primaryKey: [...index.key, ...key.map(({ name }) => name).filter((name) => !index.key.includes(name))],
      definedColumn: [],
    })),
  }
}

/** `DefinedColumnType` of the SDK. */
const DEFINED_TYPES = { integer: 1, string: 4 } as const
