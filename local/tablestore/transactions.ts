import { randomUUID } from 'node:crypto'
import { invalid, TablestoreError } from './errors.ts'
import { encodeKey } from './keys.ts'
import { type Overlay, openOverlay } from './overlay.ts'
import type { WireKeyColumn } from './plain-buffer-reader.ts'
import type { Table } from './schema.ts'

/** A local transaction: writes to the rows of one partition key that nobody else sees before they are committed. */
export interface Transaction {
  readonly id: string
  readonly table: string
  readonly tableId: number
  readonly overlay: Overlay
  /** Refuses a row, or a bound of a range, outside of the partition key. */
  requireInside(table: Table, key: readonly WireKeyColumn[]): void
  /** Refuses what is too much to be written as well. */
  requireRoom(bytes: number): void
  /** Counts what has been written. */
  count(bytes: number): void
  /** Gives what takes back all that is counted from now on. */
  mark(): () => void
}

/** Open transactions; they end with the process, as if aborted. */
export interface Transactions {
  start(table: Table, partition: WireKeyColumn, now: number): string
  find(id: string, now: number): Transaction
  /** Keeps everyone out while it is brought to its end; gives what lets them in again. */
  seal(id: string): () => void
  end(id: string): void
  /** Refuses a write outside of any transaction to a partition key that one is open for. */
  refuseTaken(table: Table, key: readonly WireKeyColumn[], now: number): void
}

/** https://www.alibabacloud.com/help/en/tablestore/developer-reference/configure-local-transaction */
const LIMITS = { lifeMs: 60_000, bytes: 4 * 1024 * 1024 } as const

interface Open extends Transaction {
  readonly partition: string
  readonly endsAt: number
}

/** No transaction is open at first. */
export function openTransactions(): Transactions {
  const open = new Map<string, Open>()
  const takenBy = new Map<string, string>()
  const sealed = new Set<string>()

  function end(id: string): void {
    const found = open.get(id)
    if (!found) return
    open.delete(id)
    sealed.delete(id)
    takenBy.delete(found.partition)
  }

  function holder(partition: string, now: number): Open | undefined {
    const found = open.get(takenBy.get(partition) ?? '')
    if (!found || now < found.endsAt) return found
    end(found.id)
    return undefined
  }

  return {
    end,
    start(table, column, now) {
      const partition = partitionOf(table, [column])
      // Whoever never ends them would fill the memory.
      for (const { id, endsAt } of open.values()) if (now >= endsAt) end(id)
      if (holder(partition, now)) throw conflict()
      const id = `${Buffer.from(table.name).toString('base64url')}.${randomUUID()}`
      open.set(id, { ...transactionOf(id, table, column, partition), partition, endsAt: now + LIMITS.lifeMs })
      takenBy.set(partition, id)
      return id
    },
    find(id, now) {
      if (id === '') throw invalid('TransactionID is invalid.')
      const found = open.get(id)
      if (found && sealed.has(id)) throw sessionGone()
      if (found && now < found.endsAt) return found
      end(id)
      throw sessionGone()
    },
    seal(id) {
      sealed.add(id)
      return () => sealed.delete(id)
    },
    refuseTaken(table, key, now) {
      if (open.size > 0 && holder(partitionOf(table, key), now)) throw conflict()
    },
  }
}

/** The table that a transaction's id names. */
export function tableOfTransaction(id: string): string {
  return Buffer.from(id.split('.', 1)[0] ?? '', 'base64url').toString()
}

/** The refusal of a transaction that is over, or never was. */
export function sessionGone(): TablestoreError {
  return new TablestoreError('OTSSessionNotExist', 'Session not exist or may be timeout.')
}

function transactionOf(id: string, table: Table, column: WireKeyColumn, partition: string): Transaction {
  let written = 0
  return {
    id,
    table: table.name,
    tableId: table.id,
    overlay: openOverlay(),
    requireInside(other, key) {
      if (other.id === table.id && partitionOf(other, key) === partition) return
      throw new TablestoreError(
        'OTSDataOutOfRange',
        `Data out of scope of transaction. Txn PartKey:${textOf(column)}. Data PartKey:${textOf(key[0])}`,
      )
    },
    requireRoom(bytes) {
      if (written + bytes > LIMITS.bytes) {
        throw new TablestoreError(
          'OTSOutOfTransactionDataSizeLimit',
          `The total data size of transaction exceeds the limit, limit size: ${LIMITS.bytes}, data size: ${written + bytes}.`,
        )
      }
    },
    count(bytes) {
      written += bytes
    },
    mark() {
      const before = written
      return () => {
        written = before
      }
    },
  }
}

/** A partition key as the service tells it in messages. */
export function textOf(column: WireKeyColumn | undefined): string {
  return column && 'value' in column.value ? String(column.value.value) : (column?.value.type ?? '')
}

function partitionOf(table: Table, key: readonly WireKeyColumn[]): string {
  const values = key.slice(0, 1).map(({ value }) => value)
  return encodeKey(table.id, values).toString('latin1')
}

function conflict(): TablestoreError {
  return new TablestoreError('OTSRowOperationConflict', 'Data is being modified by the other request.')
}
