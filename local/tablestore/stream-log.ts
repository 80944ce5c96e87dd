import type { Database } from 'lmdb'
import type { StreamSetting, Table } from './schema.ts'

/** One change of one row, as a stream tells it. */
export interface StreamRecord {
  readonly kind: 'put' | 'update' | 'delete'
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Writes the change when its place in the stream, in microseconds, is known. */
  readonly change: (sequence: bigint) => Buffer
  /** The row before it, as far as the stream is to tell it; empty when it is not. */
  readonly origin: Buffer
}

/** A record with its place in the stream. */
export interface StoredRecord {
  readonly kind: StreamRecord['kind']
  readonly sequence: bigint
  readonly change: Buffer
  readonly origin: Buffer
}

export interface StreamReader {
  /** Records from a place on that are not past their time. */
  read(table: Table, from: bigint, now: number): Iterable<StoredRecord>
}

/** The changes of tables whose streams are switched on, in the order in which they were made. */
export interface Streams extends StreamReader {
  add(table: Table, record: StreamRecord): void
  drop(table: Table): void
  /** After a commit that failed: everything is as it is stored. */
  reload(): void
}

const KINDS = ['put', 'update', 'delete'] as const
/** So many old records are forgotten with every new one, at most. */
const FORGET = 64
const HOUR_US = 3_600_000_000n

/** Keys are the table's number and the place in its stream; values the kind, the change behind its length, the origin. */
export function openStreams(db: Database<Buffer, Buffer>): Streams {
  const last = new Map<number, bigint>()
  const lastOf = (table: Table): bigint => {
    const known = last.get(table.id)
    if (known !== undefined) return known
    const [key] = db.getKeys({ start: keyOf(table.id + 1, 0n), end: keyOf(table.id, 0n), reverse: true, limit: 1 })
    return key ? key.readBigUInt64BE(4) : 0n
  }
  return {
    add(table, record) {
      if (!table.stream) return
      const before = lastOf(table)
      const now = BigInt(Math.floor(record.at)) * 1000n
      const sequence = now > before ? now : before + 1n
      last.set(table.id, sequence)
      db.put(keyOf(table.id, sequence), pack(record, sequence))
      const old = { start: keyOf(table.id, 0n), end: keyOf(table.id, oldest(table.stream, record.at)), limit: FORGET }
      for (const key of [...db.getKeys(old)]) db.remove(key)
    },
    drop(table) {
      last.delete(table.id)
      for (const key of [...db.getKeys({ start: keyOf(table.id, 0n), end: keyOf(table.id + 1, 0n) })]) db.remove(key)
    },
    *read(table, from, now) {
      const first = table.stream ? oldest(table.stream, now) : 0n
      const start = keyOf(table.id, from > first ? from : first)
      for (const { key, value } of db.getRange({ start, end: keyOf(table.id + 1, 0n) })) {
        yield unpack(key.readBigUInt64BE(4), value)
      }
    },
    reload: () => last.clear(),
  }
}

function oldest(stream: StreamSetting, now: number): bigint {
  const at = BigInt(Math.floor(now)) * 1000n - BigInt(stream.expirationHours) * HOUR_US
  return at > 0n ? at : 0n
}

function keyOf(tableId: number, sequence: bigint): Buffer {
  const key = Buffer.allocUnsafe(12)
  key.writeUInt32BE(tableId)
  key.writeBigUInt64BE(sequence, 4)
  return key
}

function pack(record: StreamRecord, sequence: bigint): Buffer {
  const change = record.change(sequence)
  const head = Buffer.allocUnsafe(5)
  head.writeUInt8(KINDS.indexOf(record.kind))
  head.writeUInt32BE(change.length, 1)
  return Buffer.concat([head, change, record.origin])
}

function unpack(sequence: bigint, value: Buffer): StoredRecord {
  const end = 5 + value.readUInt32BE(1)
  return {
    kind: KINDS[value.readUInt8()] ?? 'put',
    sequence,
    // Copies: lmdb's pages are written again.
    change: Buffer.from(value.subarray(5, end)),
    origin: Buffer.from(value.subarray(end)),
  }
}
