import { AT, DATA_BYTES, LANE_BYTES, loadProgram } from './crc64-program.ts'

/**
 * CRC-64/XZ, the checksum that OSS calls ECMA-182: reflected polynomial, all ones in and out.
 * https://help.aliyun.com/document_detail/43394.html
 */
const POLYNOMIAL = 0xc96c5795d7870f42n
const ONES = 0xffff_ffff_ffff_ffffn

// Parts of one upload have the same length but for the last, so one entry is enough.
let lastShift: { readonly bytes: number; readonly factor: bigint } | undefined

const program = loadProgram()
const { buffer } = program.memory
const memory = new Uint8Array(buffer)
const words = new BigUint64Array(buffer, AT.words, 2048)
const current = new BigUint64Array(buffer, AT.state, 1)
// What a state becomes past some zeros is its product with a power of x.
words.set(tablesOf(shiftBy(8)))
new BigUint64Array(buffer, AT.lanes, 2048).set(tablesOf(shiftBy(LANE_BYTES)))

/** Running checksum over the chunks of a stream. */
export interface Crc64 {
  update(chunk: Uint8Array): void
  value(): bigint
}

/** Starts a checksum. */
export function crc64(): Crc64 {
  let state = ONES
  return {
    update(chunk) {
      for (let at = 0; at < chunk.length; at += DATA_BYTES) state = run(state, chunk.subarray(at, at + DATA_BYTES))
    },
    value: () => state ^ ONES,
  }
}

/** The state after some bytes: by two lanes as long as they last, then by words, then by bytes. */
function run(before: bigint, bytes: Uint8Array): bigint {
  const rest = bytes.length % 8
  const end = AT.data + bytes.length - rest
  let at = AT.data
  memory.set(bytes, at)
  current[0] = before
  for (; at + 2 * LANE_BYTES <= end; at += 2 * LANE_BYTES) program.pair(at, at + LANE_BYTES)
  if (at < end) program.single(at, end)
  let state = entry(current, 0)
  for (const byte of bytes.subarray(bytes.length - rest)) state = pastByte(state ^ BigInt(byte))
  return state
}

/** Checksum of two pieces joined, from the checksums of the pieces and the length of the second. */
export function combineCrc64(first: bigint, second: bigint, secondBytes: number): bigint {
  return multiply(first, shiftBy(secondBytes)) ^ second
}

/** Product of two polynomials modulo ours; bit 63 stands for x^0, as everywhere in a reflected checksum. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n
  let factor = b
  for (let bit = 1n << 63n; bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= factor
    factor = timesX(factor)
  }
  return product
}

function timesX(value: bigint): bigint {
  return value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n
}

/** x^(8 * bytes) modulo the polynomial, by squaring. */
function shiftBy(bytes: number): bigint {
  if (lastShift?.bytes === bytes) return lastShift.factor
  let factor = 1n << 63n
  let square = 1n << 55n
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) factor = multiply(factor, square)
    square = multiply(square, square)
  }
  lastShift = { bytes, factor }
  return factor
}

/** The state past a byte of zeros; of eight bytes, only the last has no others after it, and its table is the first. */
function pastByte(state: bigint): bigint {
  return entry(words, Number(state & 255n)) ^ (state >> 8n)
}

/** Products of a factor with every value of each byte of a state, the last byte first. */
function tablesOf(factor: bigint): BigUint64Array {
  const tables = new BigUint64Array(2048)
  for (let byte = 0; byte < 8; byte++) {
    const first = (7 - byte) * 256
    for (let value = 1; value < 256; value++) {
      const rest = value & (value - 1)
      // A sum of two products, but for the values that have one bit only.
      tables[first + value] =
        rest === 0
          ? multiply(BigInt(value) << BigInt(8 * byte), factor)
          : entry(tables, first + rest) ^ entry(tables, first + (value ^ rest))
    }
  }
  return tables
}

/** Element at an index that is known to be inside. */
function entry(array: BigUint64Array, index: number): bigint {
  return array[index] as bigint
}
