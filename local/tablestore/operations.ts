import { listSearchIndex, listTimeseriesTable, missingSearchIndex } from './absent.ts'
import { batchGetRow, getRange, getRow } from './reads.ts'
import { abortTransaction, commitTransaction, startLocalTransaction } from './sessions.ts'
import { computeSplitPointsBySize } from './splits.ts'
import type { Store } from './store.ts'
import { describeStream, getShardIterator, getStreamRecord, listStream } from './streams.ts'
import {
  addDefinedColumn,
  createIndex,
  createTable,
  deleteDefinedColumn,
  deleteTable,
  describeTable,
  dropIndex,
  listTable,
  updateTable,
} from './tables.ts'
import { batchWriteRow, changeRow } from './writes.ts'

/** Answers the protobuf body of one operation with the protobuf body of its response. */
export type Operation = (store: Store, body: Buffer, now: number) => Promise<Buffer>

/** Those that make more of what is stored. */
export const ADDING: ReadonlySet<string> = new Set([
  'CreateTable',
  'CreateIndex',
  'PutRow',
  'UpdateRow',
  'BatchWriteRow',
  'CommitTransaction',
])

/** Every operation that the local service has; all others are refused as unsupported. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['CreateTable', createTable],
  ['ListTable', listTable],
  ['DescribeTable', describeTable],
  ['UpdateTable', updateTable],
  ['DeleteTable', deleteTable],
  ['CreateIndex', createIndex],
  ['DropIndex', dropIndex],
  ['AddDefinedColumn', addDefinedColumn],
  ['DeleteDefinedColumn', deleteDefinedColumn],
  ['GetRow', getRow],
  ['PutRow', changeRow('put')],
  ['UpdateRow', changeRow('update')],
  ['DeleteRow', changeRow('delete')],
  ['BatchGetRow', batchGetRow],
  ['BatchWriteRow', batchWriteRow],
  ['GetRange', getRange],
  ['StartLocalTransaction', startLocalTransaction],
  ['CommitTransaction', commitTransaction],
  ['AbortTransaction', abortTransaction],
  ['ListStream', listStream],
  ['DescribeStream', describeStream],
  ['GetShardIterator', getShardIterator],
  ['GetStreamRecord', getStreamRecord],
  ['ComputeSplitPointsBySize', computeSplitPointsBySize],
  ['ListSearchIndex', listSearchIndex],
  ['DescribeSearchIndex', missingSearchIndex],
  ['DeleteSearchIndex', missingSearchIndex],
  ['ListTimeseriesTable', listTimeseriesTable],
])
