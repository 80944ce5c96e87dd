import { invalid } from './errors.ts'
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

/** What lmdb takes with pages of 8 KiB. */
const MAX_KEY_BYTES = 4026

/** The same, refused when it is longer than the store can order. */
export function keyBytes(tableId: number, values: readonly WireKeyValue[]): Buffer {
  const bytes = encodeKey(tableId, values)
  if (bytes.length > MAX_KEY_BYTES) throw invalid(`Primary keys over ${MAX_KEY_BYTES} bytes are not supported locally.`)
  return bytes
}

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
