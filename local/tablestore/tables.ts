import { invalid, TablestoreError, unsupported } from './errors.ts'
import { indexRow } from './indexes.ts'
import { tableBounds } from './keys.ts'
import {
  addDefinedColumnRequest,
  createIndexRequest,
  createTableRequest,
  deleteDefinedColumnRequest,
  describeTableResponse,
  dropIndexRequest,
  empty,
  type IndexMeta,
  listTableResponse,
  type StreamSpecification,
  tableNameRequest,
  updateTableRequest,
  updateTableResponse,
} from './messages.ts'
import { decode, encode } from './protobuf.ts'
import { liveRow, rowKey } from './rows.ts'
import { checkTableName, type Index, type StreamSetting, type Table } from './schema.ts'
import { findTable, type Reader, type Store, type Writer } from './store.ts'
import {
  checkIndex,
  checkIndexMeta,
  checkOptionsFit,
  describeDefined,
  describeKey,
  indexTable,
  parseOptions,
  parseStream,
  parseTable,
  withColumns,
  withoutColumns,
} from './table-definition.ts'

const MAX_TABLES = 64

export async function createTable(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(createTableRequest, body)
  if (request.partitions.length > 0) throw unsupported('CreateTable with partitions')
  const parsed = parseTable(request, now)
  const indexes = [...request.indexes, ...request.meta.indexes].map((meta) => checkIndex(parsed, meta))
  checkOptionsFit(parsed.options, indexes.length)
  const names = [parsed.name, ...indexes.map((index) => index.name)]
  if (new Set(names).size !== names.length) throw invalid('Names of tables and indexes must differ.')
  await store.change((writer) => {
    for (const name of names) refuseTaken(writer, name)
    if (writer.tables().filter((table) => table.base === undefined).length >= MAX_TABLES) {
      throw new TablestoreError('OTSQuotaExhausted', `Number of tables exceeds the quota:${MAX_TABLES}.`)
    }
    const table: Table = { ...parsed, id: writer.newTableId(), indexes }
    writer.saveTable(table)
    for (const index of indexes) writer.saveTable(indexTable(table, index, writer.newTableId()))
  })
  return encode(empty, {})
}

export async function listTable(store: Store, body: Buffer): Promise<Buffer> {
  decode(empty, body)
  const names = store.tables().flatMap((table) => (table.base === undefined ? [table.name] : []))
  return encode(listTableResponse, { tables: names.sort() })
}

export async function describeTable(store: Store, body: Buffer): Promise<Buffer> {
  const table = findTable(store, decode(tableNameRequest, body).table)
  return encode(describeTableResponse, {
    meta: {
      name: table.name,
      primaryKey: describeKey(table),
      definedColumns: describeDefined(table),
      indexes: [],
    },
    ...describeSettings(table),
    status: 1,
    ...(table.encryption ? { encryption: table.encryption } : {}),
    ...(table.createdAt === undefined ? {} : { createdAt: BigInt(Math.floor(table.createdAt)) * 1000n }),
    indexes: table.indexes.map((index) => describeIndex(index)),
  })
}

export async function updateTable(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(updateTableRequest, body)
  checkTableName(request.table)
  const given = Object.values(request.options ?? {}).some((value) => value !== undefined)
  if (!given && !request.throughput && !request.stream) throw invalid('No parameter is specified in table options.')
  const { read, write } = request.throughput?.capacityUnit ?? {}
  if ((read ?? 0) < 0 || (write ?? 0) < 0) {
    throw invalid(
      `Invalid Capacity Unit for UpdateTable: Either read(${read}) or write(${write}) should be non-negative.`,
    )
  }
  const updated = await store.change((writer) => {
    const table = findTable(writer, request.table)
    refuseIndex(table)
    const options = parseOptions({ ...table.options, ...withoutUndefined(request.options) })
    checkOptionsFit(options, table.indexes.length)
    const throughput = { read: read ?? table.throughput.read, write: write ?? table.throughput.write }
    const throughputSetAt = request.throughput ? Math.floor(now / 1000) : table.throughputSetAt
    const stream = streamAfter(table, request.stream, now)
    if (!stream) writer.dropStream(table)
    const changed: Table = { ...table, options, throughput, throughputSetAt, stream }
    writer.saveTable(changed)
    for (const { name } of table.indexes) writer.saveTable({ ...findTable(writer, name), options })
    return changed
  })
  return encode(updateTableResponse, describeSettings(updated))
}

function streamAfter(table: Table, asked: StreamSpecification | undefined, now: number): StreamSetting | undefined {
  if (!asked) return table.stream
  return asked.enable ? parseStream(table.name, asked, table.stream, now) : undefined
}

/** Indexes go with their table. https://www.alibabacloud.com/help/en/tablestore/developer-reference/delete-table-in-nodejs */
export async function deleteTable(store: Store, body: Buffer): Promise<Buffer> {
  const { table: name } = decode(tableNameRequest, body)
  await store.change((writer) => {
    const table = findTable(writer, name)
    refuseIndex(table)
    const indexes = table.indexes.map((index) => findTable(writer, index.name))
    for (const each of [table, ...indexes]) writer.dropTable(each)
  })
  return encode(empty, {})
}

export async function createIndex(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(createIndexRequest, body)
  // Before the table is looked for, as the Java SDK's SecondaryIndexTest says.
  checkIndexMeta(request.index)
  await store.change((writer) => {
    const table = findTable(writer, request.table)
    refuseIndex(table)
    refuseTaken(writer, request.index.name)
    const index = checkIndex(table, request.index)
    checkOptionsFit(table.options, table.indexes.length + 1)
    const target = indexTable(table, index, writer.newTableId())
    if (request.includeBaseData) fillIndex(writer, table, target, now)
    writer.saveTable(target)
    writer.saveTable({ ...table, indexes: [...table.indexes, index] })
  })
  return encode(empty, {})
}

export async function addDefinedColumn(store: Store, body: Buffer): Promise<Buffer> {
  const request = decode(addDefinedColumnRequest, body)
  await store.change((writer) => {
    const table = findTable(writer, request.table)
    refuseIndex(table)
    writer.saveTable({ ...table, defined: withColumns(table, request.columns) })
  })
  return encode(empty, {})
}

export async function deleteDefinedColumn(store: Store, body: Buffer): Promise<Buffer> {
  const request = decode(deleteDefinedColumnRequest, body)
  await store.change((writer) => {
    const table = findTable(writer, request.table)
    refuseIndex(table)
    writer.saveTable({ ...table, defined: withoutColumns(table, request.columns) })
  })
  return encode(empty, {})
}

export async function dropIndex(store: Store, body: Buffer): Promise<Buffer> {
  const request = decode(dropIndexRequest, body)
  await store.change((writer) => {
    const table = findTable(writer, request.table)
    const index = writer.table(request.index)
    if (index?.base !== table.name) throw new TablestoreError('OTSObjectNotExist', 'Requested index does not exist.')
    writer.dropTable(index)
    writer.saveTable({ ...table, indexes: table.indexes.filter(({ name }) => name !== index.name) })
  })
  return encode(empty, {})
}

function fillIndex(writer: Writer, table: Table, target: Table, now: number): void {
  const { start, end } = tableBounds(table.id)
  const rows = [...writer.range(start, end, 'forward')].flatMap((stored) => {
    const live = liveRow(table, stored, now)
    const row = live && indexRow(target, live)
    return row ? [{ key: rowKey(target, row.key), row }] : []
  })
  for (const { key, row } of rows) writer.putRow(key, row)
}

function refuseTaken(reader: Reader, name: string): void {
  if (reader.table(name)) throw new TablestoreError('OTSObjectAlreadyExist', 'Requested table already exists.')
}

function refuseIndex(table: Table): void {
  if (table.base !== undefined) throw invalid(`'${table.name}' is an index of '${table.base}'.`)
}

function withoutUndefined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, each]) => each !== undefined)) as Partial<T>
}

function describeSettings(table: Table) {
  const { timeToLive, maxVersions, deviationSeconds, allowUpdate } = table.options
  return {
    throughput: { capacityUnit: table.throughput, lastIncreaseTime: BigInt(table.throughputSetAt) },
    options: { timeToLive, maxVersions, deviationSeconds: BigInt(deviationSeconds), allowUpdate },
    stream: describeStream(table.stream),
  }
}

function describeStream(stream: StreamSetting | undefined) {
  if (!stream) return { enable: false, columns: [] }
  const { id, expirationHours, enabledAt, columns } = stream
  return { enable: true, id, expirationHours, lastEnabledAt: BigInt(Math.floor(enabledAt)) * 1000n, columns }
}

/** Phase 2 is ISP_INCR: local indexes are complete from the start. */
function describeIndex(index: Index): IndexMeta {
  return {
    name: index.name,
    primaryKey: index.key,
    definedColumns: index.defined,
    updateMode: index.local ? 1 : 0,
    type: index.local ? 1 : 0,
    syncPhase: 2,
  }
}
