import { createHash } from 'node:crypto'
import type { WireKeyValue } from './values.ts'

/**
 * Primary keys as bytes whose order is the order of the keys: signed integers by value, strings and binaries by byte,
 * a prefix before what it begins, INF_MIN before and INF_MAX after every value. Rows of one table share a prefix.
 */
export function encodeKey(tableId: number, values: readonly WireKeyValue[]): Buffer {
  const prefix = Buffer.allocUnsafe(4)
  prefix.writeUInt32BE(tableId)
  return Buffer.concat([prefix, ...values.map(encodeColumn)])
}

/** The bounds of everything that belongs to a table. */
export function tableBounds(tableId: number): { start: Buffer; end: Buffer } {
  return { start: encodeKey(tableId, []), end: encodeKey(tableId + 1, []) }
}

/** Whose row a key is of, or what a bound bounds. */
export function tableIdOf(key: Buffer): number {
  return key.readUInt32BE()
}

/** What lmdb takes with pages of 8 KiB. */
const MAX_STORED_BYTES = 4026
const HASH_BYTES = 20
const CUT_BYTES = MAX_STORED_BYTES - HASH_BYTES

/** The bytes that a row is stored under: the key, or as much of a long one as there is room for, and its digest. */
export function storedKey(key: Buffer): Buffer {
  if (key.length <= MAX_STORED_BYTES) return key
  return Buffer.concat([key.subarray(0, CUT_BYTES), createHash('sha1').update(key).digest()])
}

/** Whether a row may be stored under less than its key, and so in no order among those that begin the same. */
export function mayBeCut(stored: Buffer): boolean {
  return stored.length > CUT_BYTES
}

/** Whether two such rows begin the same. */
export function beginAlike(one: Buffer, other: Buffer): boolean {
  return one.compare(other, 0, CUT_BYTES, 0, CUT_BYTES) === 0
}

/** Bounds of what is stored that take in everything between two keys, and whether they take in more. */
export function storedBounds(low: Buffer, high: Buffer): { low: Buffer; high: Buffer; wider: boolean } {
  return {
    low: low.length > CUT_BYTES ? low.subarray(0, CUT_BYTES) : low,
    high: high.length > CUT_BYTES ? Buffer.concat([high.subarray(0, CUT_BYTES), ABOVE_ALL]) : high,
    wider: low.length > CUT_BYTES || high.length > CUT_BYTES,
  }
}

const ABOVE_ALL = Buffer.alloc(HASH_BYTES, 0xff)
const ORDER = { infMin: 0x01, integer: 0x10, string: 0x20, binary: 0x30, infMax: 0xf0 } as const
const END = Buffer.from([0x00, 0x01])
const ESCAPED_ZERO = Buffer.from([0x00, 0xff])

function encodeColumn(value: WireKeyValue): Buffer {
  switch (value.type) {
    case 'INTEGER': {
      const bytes = Buffer.allocUnsafe(9)
      bytes[0] = ORDER.integer
      bytes.writeBigUInt64BE(BigInt.asUintN(64, value.value + 2n ** 63n), 1)
      return bytes
    }
    case 'STRING':
      return ordered(ORDER.string, Buffer.from(value.value))
    case 'BINARY':
      return ordered(ORDER.binary, value.value)
    case 'INF_MIN':
      return Buffer.from([ORDER.infMin])
    case 'INF_MAX':
      return Buffer.from([ORDER.infMax])
    case 'AUTO_INCREMENT':
      throw new Error('an auto-increment column has its number before it becomes a key')
  }
}

/** Zero bytes are escaped so that the end mark sorts before every continuation. */
function ordered(kind: number, bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([kind])]
  let from = 0
  for (let zero = bytes.indexOf(0); zero >= 0; zero = bytes.indexOf(0, from)) {
    parts.push(bytes.subarray(from, zero), ESCAPED_ZERO)
    from = zero + 1
  }
  parts.push(bytes.subarray(from), END)
  return Buffer.concat(parts)
}
