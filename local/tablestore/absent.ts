import { TablestoreError } from './errors.ts'
import { empty, listSearchIndexRequest, tableNameRequest } from './messages.ts'
import { decode, encode } from './protobuf.ts'
import { findTable, type Store } from './store.ts'

/** A table has no search indexes here: the list is true, and clients that clean up look at it first. */
export async function listSearchIndex(store: Store, body: Buffer): Promise<Buffer> {
  const { table } = decode(listSearchIndexRequest, body)
  if (table !== undefined && table !== '') findTable(store, table)
  return encode(empty, {})
}

/** DescribeSearchIndex and DeleteSearchIndex. */
export async function missingSearchIndex(store: Store, body: Buffer): Promise<Buffer> {
  findTable(store, decode(tableNameRequest, body).table)
  throw new TablestoreError('OTSObjectNotExist', 'Requested index does not exist.')
}

/** There are no time series here either. */
export async function listTimeseriesTable(_: Store, body: Buffer): Promise<Buffer> {
  decode(empty, body)
  return encode(empty, {})
}
