import { invalid } from './errors.ts'
import { empty, startLocalTransactionRequest, transactionMessage } from './messages.ts'
import { readRow } from './plain-buffer-reader.ts'
import { decode, encode } from './protobuf.ts'
import { checkKey, checkPlain } from './row-change.ts'
import { matchKey } from './schema.ts'
import { findTable, type Store } from './store.ts'
import { sessionGone } from './transactions.ts'

/** Local transactions are for one partition key each. */
export async function startLocalTransaction(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const request = decode(startLocalTransactionRequest, body)
  const table = findTable(store, request.table)
  if (table.base !== undefined) throw invalid("Can't write index table directly")
  if (table.transactions === false) {
    throw invalid('Try to call method using explicit transaction on explicit-transaction-disabled table.')
  }
  if (table.key.some((column) => column.autoIncrement)) {
    throw invalid('Local transaction is not supported on table with auto increment primary key.')
  }
  const { key } = readRow(request.key)
  checkKey(key)
  const [partition] = key
  if (!partition || key.length > 1) throw invalid('StartLocalTransaction support only one primary key.')
  checkPlain(key)
  matchKey(table.key.slice(0, 1), key, [])
  return encode(transactionMessage, { id: store.transactions.start(table, partition, now) })
}

export async function commitTransaction(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const { id } = decode(transactionMessage, body)
  store.transactions.find(id, now)
  await store.change((writer) => {
    const { table: name, tableId, overlay } = store.transactions.find(id, now)
    const table = writer.table(name)
    if (table?.id !== tableId) {
      store.transactions.end(id)
      throw sessionGone()
    }
    writer.onUndo(store.transactions.seal(id))
    overlay.flush(writer, table)
  })
  store.transactions.end(id)
  return encode(empty, {})
}

export async function abortTransaction(store: Store, body: Buffer, now: number): Promise<Buffer> {
  const { id } = decode(transactionMessage, body)
  await store.change((writer) => {
    store.transactions.find(id, now)
    writer.onUndo(store.transactions.seal(id))
  })
  store.transactions.end(id)
  // The message is empty, but the Node SDK (5.6.5, lib/protocol/decoder.js) looks for the id; all others skip it.
  return encode(transactionMessage, { id })
}
