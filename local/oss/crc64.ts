/**
 * CRC-64/XZ, the checksum that OSS calls ECMA-182: reflected polynomial, all ones in and out.
 * https://help.aliyun.com/document_detail/43394.html
 */
const POLYNOMIAL_LOW = 0xd7870f42 | 0
const POLYNOMIAL_HIGH = 0xc96c5795 | 0
const POLYNOMIAL = 0xc96c5795d7870f42n

/** Low and high words of eight tables of 256 entries; the last table is for the first of eight bytes. */
const LOW = new Int32Array(2048)
const HIGH = new Int32Array(2048)
fillTables()

/** Running checksum over the chunks of a stream. */
export interface Crc64 {
  update(chunk: Uint8Array): void
  value(): bigint
}

/** Starts a checksum; 32-bit halves throughout, since BigInt in the loop is a hundred times slower. */
export function crc64(): Crc64 {
  const state = new Int32Array([-1, -1])
  return {
    update(chunk) {
      // Words can only be viewed from a multiple of four on.
      const head = Math.min((4 - (chunk.byteOffset & 3)) & 3, chunk.length)
      const words = ((chunk.length - head) >>> 3) * 2
      addBytes(state, chunk.subarray(0, head))
      if (words > 0) addWords(state, new Int32Array(chunk.buffer, chunk.byteOffset + head, words))
      addBytes(state, chunk.subarray(head + words * 4))
    },
    value: () => (BigInt(~at(state, 1) >>> 0) << 32n) | BigInt(~at(state, 0) >>> 0),
  }
}

function addBytes(state: Int32Array, bytes: Uint8Array): void {
  let low = at(state, 0)
  let high = at(state, 1)
  for (let i = 0; i < bytes.length; i++) {
    const entry = (low ^ byteAt(bytes, i)) & 255
    low = ((low >>> 8) | (high << 24)) ^ at(LOW, entry)
    high = (high >>> 8) ^ at(HIGH, entry)
  }
  state[0] = low
  state[1] = high
}

/** Eight bytes a turn; the machine is little-endian, as everything that Node 20 runs on here. */
function addWords(state: Int32Array, words: Int32Array): void {
  let low = at(state, 0)
  let high = at(state, 1)
  for (let i = 0; i < words.length; i += 2) {
    low ^= at(words, i)
    high ^= at(words, i + 1)
    const a = 1792 | (low & 255)
    const b = 1536 | ((low >>> 8) & 255)
    const c = 1280 | ((low >>> 16) & 255)
    const d = 1024 | (low >>> 24)
    const e = 768 | (high & 255)
    const f = 512 | ((high >>> 8) & 255)
    const g = 256 | ((high >>> 16) & 255)
    const h = high >>> 24
    low = at(LOW, a) ^ at(LOW, b) ^ at(LOW, c) ^ at(LOW, d) ^ at(LOW, e) ^ at(LOW, f) ^ at(LOW, g) ^ at(LOW, h)
    high = at(HIGH, a) ^ at(HIGH, b) ^ at(HIGH, c) ^ at(HIGH, d) ^ at(HIGH, e) ^ at(HIGH, f) ^ at(HIGH, g) ^ at(HIGH, h)
  }
  state[0] = low
  state[1] = high
}

/** Checksum of two pieces joined, from the checksums of the pieces and the length of the second. */
export function combineCrc64(first: bigint, second: bigint, secondBytes: number): bigint {
  return multiply(first, shiftBy(secondBytes)) ^ second
}

/** Element at an index that is known to be inside; one function for each kind of array, or the loops are half as fast. */
function at(array: Int32Array, index: number): number {
  return array[index] as number
}

function byteAt(array: Uint8Array, index: number): number {
  return array[index] as number
}

function fillTables(): void {
  for (let n = 0; n < 256; n++) {
    let low = n
    let high = 0
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1
      low = (low >>> 1) | (high << 31)
      high >>>= 1
      if (odd) {
        low ^= POLYNOMIAL_LOW
        high ^= POLYNOMIAL_HIGH
      }
    }
    LOW[n] = low
    HIGH[n] = high
  }
  for (let i = 256; i < LOW.length; i++) {
    const low = at(LOW, i - 256)
    const high = at(HIGH, i - 256)
    LOW[i] = ((low >>> 8) | (high << 24)) ^ at(LOW, low & 255)
    HIGH[i] = (high >>> 8) ^ at(HIGH, low & 255)
  }
}

/** Product of two polynomials modulo ours; bit 63 stands for x^0, as everywhere in a reflected checksum. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n
  let factor = b
  for (let bit = 1n << 63n; bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= factor
    factor = factor & 1n ? (factor >> 1n) ^ POLYNOMIAL : factor >> 1n
  }
  return product
}

// Parts of one upload have the same length but for the last, so one entry is enough.
let lastShift: { readonly bytes: number; readonly factor: bigint } | undefined

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
