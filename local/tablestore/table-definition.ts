import { invalid, unsupported } from './errors.ts'
import type { CreateTableRequest, IndexMeta, StreamSpecification } from './messages.ts'
import {
  checkColumnName,
  checkTableName,
  type DefinedColumn,
  type Index,
  type KeySchema,
  type KeyType,
  type StreamSetting,
  type Table,
  type TableOptions,
} from './schema.ts'

/** https://www.alibabacloud.com/help/en/tablestore/product-overview/general-limits */
const LIMITS = {
  keyColumns: 4,
  definedColumns: 32,
  indexes: 5,
  indexColumns: 4,
  minTimeToLive: 86_400,
  streamHours: 168,
} as const

const KEY_TYPES: Readonly<Record<number, KeyType>> = { 1: 'INTEGER', 2: 'STRING', 3: 'BINARY' }
const COLUMN_TYPES: Readonly<Record<number, DefinedColumn['type']>> = {
  1: 'INTEGER',
  2: 'DOUBLE',
  3: 'BOOLEAN',
  4: 'STRING',
  7: 'BINARY',
}
const COLUMN_NUMBERS = { INTEGER: 1, DOUBLE: 2, BOOLEAN: 3, STRING: 4, BINARY: 7 } as const

/** A table as CreateTable describes it, checked; its id and indexes come later. */
export function parseTable(request: CreateTableRequest, now: number): Omit<Table, 'id' | 'indexes'> {
  const { meta, throughput, options } = request
  checkTableName(meta.name)
  if (options?.timeToLive === undefined) throw invalid('Time-to-live is missing while creating table.')
  if (options.maxVersions === undefined) throw invalid('MaxVersions is missing while creating table.')
  const { read, write } = throughput.capacityUnit
  if (read === undefined || write === undefined) {
    throw invalid('Both read and write capacity unit are required to create table.')
  }
  if (read < 0) throw invalid('The value of read capacity unit can not be less than 0.')
  if (write < 0) throw invalid('The value of write capacity unit can not be less than 0.')
  const key = parseKey(meta.primaryKey)
  return {
    name: meta.name,
    key,
    defined: parseDefined(meta.definedColumns, key),
    options: parseOptions(options),
    throughput: { read, write },
    throughputSetAt: Math.floor(now / 1000),
    createdAt: now,
    ...(request.encryption ? { encryption: request.encryption } : {}),
    ...(request.transactions === undefined ? {} : { transactions: request.transactions }),
    ...(request.stream?.enable ? { stream: parseStream(meta.name, request.stream, undefined, now) } : {}),
  }
}

/** A stream that is switched on; one that already was goes on with its id. */
export function parseStream(
  table: string,
  { expirationHours = 24, columns }: StreamSpecification,
  before: StreamSetting | undefined,
  now: number,
): StreamSetting {
  if (expirationHours < 1 || expirationHours > LIMITS.streamHours) {
    throw invalid(`Stream expiration time must be in range: [1, ${LIMITS.streamHours}].`)
  }
  for (const column of columns) checkColumnName(column)
  const enabledAt = before?.enabledAt ?? now
  return { id: before?.id ?? `${table}_${Math.floor(now) * 1000}`, expirationHours, enabledAt, columns }
}

/** Table options with the service's defaults. */
export function parseOptions(options: {
  readonly timeToLive?: number | undefined
  readonly maxVersions?: number | undefined
  readonly deviationSeconds?: number | bigint | undefined
  readonly allowUpdate?: boolean | undefined
}): TableOptions {
  const { timeToLive = -1, maxVersions = 1, deviationSeconds = 86_400, allowUpdate = true } = options
  if (timeToLive === 0 || timeToLive < -1) throw invalid('TimeToLive cannot be 0 or less than -1.')
  if (timeToLive !== -1 && timeToLive < LIMITS.minTimeToLive) {
    throw invalid(`TimeToLive must be -1 or at least ${LIMITS.minTimeToLive}.`)
  }
  if (maxVersions <= 0) throw invalid('The maximum versions cannot be less than or equal to 0')
  if (deviationSeconds < 0 || deviationSeconds > 9_223_372_036_854) {
    throw invalid('The maximum deviation must be in range [0, INT64_MAX/1000000].')
  }
  return { timeToLive, maxVersions, deviationSeconds: Number(deviationSeconds), allowUpdate }
}

/** A table with indexes keeps one version, and expires rows only if they never change. */
export function checkOptionsFit(options: TableOptions, indexes: number): void {
  if (indexes === 0) return
  if (indexes > LIMITS.indexes) throw invalid(`Number of index per table exceeds the quota:${LIMITS.indexes}.`)
  if (options.maxVersions > 1) throw invalid('A table with indexes must have MaxVersions 1.')
  if (options.timeToLive !== -1 && options.allowUpdate) {
    throw invalid('A table with indexes must have TimeToLive -1 or forbid updates.')
  }
}

/** An index definition, checked against its table. */
export function checkIndex(table: Pick<Table, 'key' | 'defined'>, meta: IndexMeta): Index {
  checkIndexMeta(meta)
  const local = meta.type === 1
  for (const name of meta.primaryKey) indexKeyColumn(table, name)
  for (const name of meta.definedColumns) {
    if (!table.defined.some((column) => column.name === name)) throw invalid(`Column does not exist: '${name}'.`)
  }
  if (local && meta.primaryKey[0] !== table.key[0]?.name) {
    throw invalid('The first primary key column of a local index must be the first one of its table.')
  }
  const first = table.key.find((column) => column.name === meta.primaryKey[0])
  if (first?.autoIncrement) throw invalid('PkAutoIncr cannot be set as first pk column')
  return { name: meta.name, key: meta.primaryKey, defined: meta.definedColumns, ...(local ? { local } : {}) }
}

/** What an index definition has to be for any table. */
export function checkIndexMeta({ name, type, updateMode, primaryKey, definedColumns }: IndexMeta): void {
  checkTableName(name)
  if (type !== 0 && type !== 1) throw invalid(`Invalid index type: ${type}.`)
  if (type === 0 && updateMode !== 0) throw unsupported('synchronous global secondary index')
  if (primaryKey.length < 1 || primaryKey.length > LIMITS.indexColumns) {
    throw invalid(`The number of primary key columns must be in range: [1, ${LIMITS.indexColumns}] in index.`)
  }
  if (definedColumns.length > LIMITS.definedColumns) {
    throw invalid(`The number of attribute columns must be in range: [0, ${LIMITS.definedColumns}] in index.`)
  }
  const columns = [...primaryKey, ...definedColumns]
  if (new Set(columns).size !== columns.length) throw invalid('Columns of an index must differ.')
}

/** A table's predefined columns with more of them. */
export function withColumns(
  table: Pick<Table, 'key' | 'defined'>,
  columns: CreateTableRequest['meta']['definedColumns'],
): DefinedColumn[] {
  if (columns.length === 0) throw invalid('No defined column is specified.')
  const had = table.defined.map(({ name, type }) => ({ name, type: COLUMN_NUMBERS[type] }))
  return parseDefined([...had, ...columns], table.key)
}

/** A table's predefined columns without some of them, which no index may need. */
export function withoutColumns(table: Table, names: readonly string[]): DefinedColumn[] {
  if (names.length === 0) throw invalid('No defined column is specified.')
  for (const name of names) {
    if (!table.defined.some((column) => column.name === name)) throw invalid(`Column does not exist: '${name}'.`)
    const user = table.indexes.find(({ key, defined }) => key.includes(name) || defined.includes(name))
    if (user) throw invalid(`Defined column '${name}' is used by index '${user.name}'.`)
  }
  return table.defined.filter(({ name }) => !names.includes(name))
}

/** A table's key as messages have it. */
export function describeKey(table: Table) {
  return table.key.map(({ name, type, autoIncrement }) => ({
    name,
    type: { INTEGER: 1, STRING: 2, BINARY: 3 }[type],
    ...(autoIncrement ? { option: 1 } : {}),
  }))
}

/** A table's predefined columns as messages have them. */
export function describeDefined(table: Table) {
  return table.defined.map(({ name, type }) => ({ name, type: COLUMN_NUMBERS[type] }))
}

/** The table behind an index: its columns, then whatever of the table's key they lack. */
export function indexTable(table: Table, index: Index, id: number): Table {
  const rest = table.key.map((column) => column.name).filter((name) => !index.key.includes(name))
  return {
    ...table,
    id,
    name: index.name,
    base: table.name,
    stream: undefined,
    key: [...index.key, ...rest].map((name) => indexKeyColumn(table, name)),
    defined: table.defined.filter((column) => index.defined.includes(column.name)),
    throughput: { read: 0, write: 0 },
    indexes: [],
  }
}

function indexKeyColumn(table: Pick<Table, 'key' | 'defined'>, name: string): KeySchema {
  const column = table.key.find((each) => each.name === name) ?? table.defined.find((each) => each.name === name)
  if (!column) throw invalid(`Column does not exist: '${name}'.`)
  if (column.type === 'DOUBLE' || column.type === 'BOOLEAN') {
    throw invalid(`${column.type} is an invalid type for the primary key.`)
  }
  return { name, type: column.type, autoIncrement: false }
}

function parseKey(columns: CreateTableRequest['meta']['primaryKey']): KeySchema[] {
  if (columns.length < 1 || columns.length > LIMITS.keyColumns) {
    throw invalid(`The number of primary key columns must be in range: [1, ${LIMITS.keyColumns}].`)
  }
  const key = columns.map(({ name, type, option }): KeySchema => {
    const keyType = KEY_TYPES[type]
    checkColumnName(name)
    if (!keyType) throw invalid('Invalid column type, only STRING,INTEGER,BINARY is allowed.')
    if (option === 1 && keyType !== 'INTEGER') throw invalid('AUTO_INCREMENT primary key must be integer.')
    return { name, type: keyType, autoIncrement: option === 1 }
  })
  const twice = key.find((column, at) => key.findIndex((other) => other.name === column.name) < at)
  if (twice) throw invalid(`Duplicated primary key name: '${twice.name}'.`)
  if (key[0]?.autoIncrement) throw invalid("First primary key can't be auto increment.")
  if (key.filter((column) => column.autoIncrement).length > 1) {
    throw invalid('AUTO_INCREMENT primary key count must <= 1.')
  }
  return key
}

function parseDefined(
  columns: CreateTableRequest['meta']['definedColumns'],
  key: readonly KeySchema[],
): DefinedColumn[] {
  if (columns.length > LIMITS.definedColumns) {
    throw invalid(`The number of defined columns must be in range: [0, ${LIMITS.definedColumns}].`)
  }
  const names = new Set(key.map((column) => column.name))
  return columns.map(({ name, type }) => {
    const columnType = COLUMN_TYPES[type]
    checkColumnName(name)
    if (!columnType) throw invalid(`Invalid column type: ${type}.`)
    if (names.has(name)) throw invalid(`Duplicated attribute column name with primary key column: '${name}'.`)
    names.add(name)
    return { name, type: columnType }
  })
}
