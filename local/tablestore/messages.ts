import { type Message, optional, repeated, required } from './protobuf.ts'

/**
 * Field numbers of the service's messages, API version 2015-12-31; fields that the local service has no use for are left
 * out and skipped when read. https://www.alibabacloud.com/help/en/tablestore/developer-reference/datatype-summary
 */
export const errorMessage = { code: required(1, 'string'), message: optional(2, 'string') }

const primaryKeySchema = { name: required(1, 'string'), type: required(2, 'int32'), option: optional(3, 'int32') }
const definedColumnSchema = { name: required(1, 'string'), type: required(2, 'int32') }
const tableOptions = {
  timeToLive: optional(1, 'int32'),
  maxVersions: optional(2, 'int32'),
  deviationSeconds: optional(5, 'int64'),
  allowUpdate: optional(6, 'bool'),
}
export const indexMeta = {
  name: required(1, 'string'),
  primaryKey: repeated(2, 'string'),
  definedColumns: repeated(3, 'string'),
  updateMode: required(4, 'int32'),
  type: required(5, 'int32'),
  syncPhase: optional(6, 'int32'),
}
const tableMeta = {
  name: required(1, 'string'),
  primaryKey: repeated(2, primaryKeySchema),
  definedColumns: repeated(3, definedColumnSchema),
  indexes: repeated(4, indexMeta),
}
const capacityUnit = { read: optional(1, 'int32'), write: optional(2, 'int32') }
const throughput = { capacityUnit: required(1, capacityUnit) }
const throughputDetails = {
  capacityUnit: required(1, capacityUnit),
  lastIncreaseTime: required(2, 'int64'),
  lastDecreaseTime: optional(3, 'int64'),
}
const streamSpecification = {
  enable: required(1, 'bool'),
  expirationHours: optional(2, 'int32'),
  columns: repeated(3, 'string'),
}
const streamDetails = {
  enable: required(1, 'bool'),
  id: optional(2, 'string'),
  expirationHours: optional(3, 'int32'),
  lastEnabledAt: optional(4, 'int64'),
  columns: repeated(5, 'string'),
}
/** SSESpecification and SSEDetails. */
const encryption = {
  enable: required(1, 'bool'),
  keyType: optional(2, 'int32'),
  keyId: optional(3, 'string'),
  roleArn: optional(4, 'string'),
}
const timeRange = {
  start: optional(1, 'int64'),
  end: optional(2, 'int64'),
  specific: optional(3, 'int64'),
}
const condition = { rowExistence: required(1, 'int32'), columnCondition: optional(2, 'bytes') }
const returnContent = { type: optional(1, 'int32'), columns: repeated(2, 'string') }

export const createTableRequest = {
  meta: required(1, tableMeta),
  throughput: required(2, throughput),
  options: optional(3, tableOptions),
  partitions: repeated(4, 'bytes'),
  stream: optional(5, streamSpecification),
  encryption: optional(6, encryption),
  indexes: repeated(7, indexMeta),
  transactions: optional(8, 'bool'),
}
export const createIndexRequest = {
  table: required(1, 'string'),
  index: required(2, indexMeta),
  includeBaseData: optional(3, 'bool'),
}
export const dropIndexRequest = { table: required(1, 'string'), index: required(2, 'string') }
export const updateTableRequest = {
  table: required(1, 'string'),
  throughput: optional(2, throughput),
  options: optional(3, tableOptions),
  stream: optional(4, streamSpecification),
}
export const updateTableResponse = {
  throughput: required(1, throughputDetails),
  options: required(2, tableOptions),
  stream: optional(3, streamDetails),
}
export const describeTableResponse = {
  meta: required(1, tableMeta),
  throughput: required(2, throughputDetails),
  options: required(3, tableOptions),
  status: required(4, 'int32'),
  stream: optional(5, streamDetails),
  encryption: optional(7, encryption),
  indexes: repeated(8, indexMeta),
  createdAt: optional(9, 'int64'),
}
export const addDefinedColumnRequest = { table: required(1, 'string'), columns: repeated(2, definedColumnSchema) }
export const deleteDefinedColumnRequest = { table: required(1, 'string'), columns: repeated(2, 'string') }
/** DescribeTable and DeleteTable. */
export const tableNameRequest = { table: required(1, 'string') }
export const listTableResponse = { tables: repeated(1, 'string') }
/** ListTable takes nothing; most operations on tables, and the end of a transaction, answer nothing. */
export const empty = {}

export const getRowRequest = {
  table: required(1, 'string'),
  key: required(2, 'bytes'),
  columns: repeated(3, 'string'),
  timeRange: optional(4, timeRange),
  maxVersions: optional(5, 'int32'),
  filter: optional(7, 'bytes'),
  startColumn: optional(8, 'string'),
  endColumn: optional(9, 'string'),
  token: optional(10, 'bytes'),
  transaction: optional(11, 'string'),
}
export const getRowResponse = { consumed: required(1, throughput), row: required(2, 'bytes') }

export const putRowRequest = {
  table: required(1, 'string'),
  row: required(2, 'bytes'),
  condition: required(3, condition),
  returnContent: optional(4, returnContent),
  transaction: optional(5, 'string'),
}
/** UpdateRow and DeleteRow have PutRow's fields under the same numbers. */
export const writeRowResponse = { consumed: required(1, throughput), row: optional(2, 'bytes') }

const tableInBatchGet = {
  table: required(1, 'string'),
  keys: repeated(2, 'bytes'),
  tokens: repeated(3, 'bytes'),
  columns: repeated(4, 'string'),
  timeRange: optional(5, timeRange),
  maxVersions: optional(6, 'int32'),
  filter: optional(8, 'bytes'),
  startColumn: optional(9, 'string'),
  endColumn: optional(10, 'string'),
}
export const batchGetRowRequest = { tables: repeated(1, tableInBatchGet) }
const rowInBatch = {
  ok: required(1, 'bool'),
  error: optional(2, errorMessage),
  consumed: optional(3, throughput),
  row: optional(4, 'bytes'),
}
/** BatchGetRow and BatchWriteRow answer in the same form. */
export const batchResponse = { tables: repeated(1, { table: required(1, 'string'), rows: repeated(2, rowInBatch) }) }

const rowInBatchWrite = {
  type: required(1, 'int32'),
  row: required(2, 'bytes'),
  condition: required(3, condition),
  returnContent: optional(4, returnContent),
}
export const batchWriteRowRequest = {
  tables: repeated(1, { table: required(1, 'string'), rows: repeated(2, rowInBatchWrite) }),
  transaction: optional(2, 'string'),
  atomic: optional(3, 'bool'),
}

export const getRangeRequest = {
  table: required(1, 'string'),
  direction: required(2, 'int32'),
  columns: repeated(3, 'string'),
  timeRange: optional(4, timeRange),
  maxVersions: optional(5, 'int32'),
  limit: optional(6, 'int32'),
  start: required(7, 'bytes'),
  end: required(8, 'bytes'),
  filter: optional(10, 'bytes'),
  startColumn: optional(11, 'string'),
  endColumn: optional(12, 'string'),
  token: optional(13, 'bytes'),
  transaction: optional(14, 'string'),
}
export const getRangeResponse = {
  consumed: required(1, throughput),
  rows: required(2, 'bytes'),
  next: optional(3, 'bytes'),
}

export const startLocalTransactionRequest = { table: required(1, 'string'), key: required(2, 'bytes') }
/** The answer of StartLocalTransaction; what CommitTransaction and AbortTransaction take. */
export const transactionMessage = { id: required(1, 'string') }

export const listStreamRequest = { table: optional(1, 'string') }
export const listStreamResponse = {
  streams: repeated(1, { id: required(1, 'string'), table: required(2, 'string'), createdAt: required(3, 'int64') }),
}
export const describeStreamRequest = {
  id: required(1, 'string'),
  fromShard: optional(2, 'string'),
  shardLimit: optional(3, 'int32'),
}
export const describeStreamResponse = {
  id: required(1, 'string'),
  expirationHours: required(2, 'int32'),
  table: required(3, 'string'),
  createdAt: required(4, 'int64'),
  status: required(5, 'int32'),
  shards: repeated(6, { id: required(1, 'string') }),
}
export const getShardIteratorRequest = {
  id: required(1, 'string'),
  shard: required(2, 'string'),
  timestamp: optional(3, 'int64'),
}
export const getShardIteratorResponse = { iterator: required(1, 'string') }
export const getStreamRecordRequest = { iterator: required(1, 'string'), limit: optional(2, 'int32') }
export const getStreamRecordResponse = {
  records: repeated(1, { kind: required(1, 'int32'), change: required(2, 'bytes'), origin: optional(3, 'bytes') }),
  next: optional(2, 'string'),
  consumed: optional(3, throughput),
  more: optional(4, 'bool'),
}

export const computeSplitPointsBySizeRequest = {
  table: required(1, 'string'),
  size: required(2, 'int64'),
  unitBytes: optional(3, 'int64'),
  limit: optional(4, 'int32'),
}
export const computeSplitPointsBySizeResponse = {
  consumed: required(1, throughput),
  schema: repeated(2, primaryKeySchema),
  points: repeated(3, 'bytes'),
  locations: repeated(4, { location: required(1, 'string'), repeat: required(2, 'sint64') }),
}

/** Search indexes and time series are not here, so lists of them are empty and each of them is missing. */
export const listSearchIndexRequest = { table: optional(1, 'string') }

export const filterMessage = { type: required(1, 'int32'), filter: required(2, 'bytes') }
export const singleColumnFilter = {
  comparator: required(1, 'int32'),
  column: required(2, 'string'),
  value: required(3, 'bytes'),
  filterIfMissing: required(4, 'bool'),
  latestVersionOnly: required(5, 'bool'),
  transfer: optional(6, { regex: required(1, 'string'), castType: optional(2, 'int32') }),
}
export const compositeFilter = { combinator: required(1, 'int32'), filters: repeated(2, filterMessage) }
export const paginationFilter = { offset: required(1, 'int32'), limit: required(2, 'int32') }

export type CreateTableRequest = Message<typeof createTableRequest>
export type StreamSpecification = Message<typeof streamSpecification>
export type IndexMeta = Message<typeof indexMeta>
export type ConditionMessage = Message<typeof condition>
export type ReturnContentMessage = Message<typeof returnContent>
export type RowInBatch = Message<typeof rowInBatch>
