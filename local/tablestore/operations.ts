import { batchGetRow, getRange, getRow } from './reads.ts'
import type { Store } from './store.ts'
import { createIndex, createTable, deleteTable, describeTable, dropIndex, listTable, updateTable } from './tables.ts'
import { batchWriteRow, changeRow } from './writes.ts'

/** Answers the protobuf body of one operation with the protobuf body of its response. */
export type Operation = (store: Store, body: Buffer, now: number) => Promise<Buffer>

/** Every operation that the local service has; all others are refused as unsupported. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['CreateTable', createTable],
  ['ListTable', listTable],
  ['DescribeTable', describeTable],
  ['UpdateTable', updateTable],
  ['DeleteTable', deleteTable],
  ['CreateIndex', createIndex],
  ['DropIndex', dropIndex],
  ['GetRow', getRow],
  ['PutRow', changeRow('put')],
  ['UpdateRow', changeRow('update')],
  ['DeleteRow', changeRow('delete')],
  ['BatchGetRow', batchGetRow],
  ['BatchWriteRow', batchWriteRow],
  ['GetRange', getRange],
])
