import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeKey, tableBounds } from '../../../local/tablestore/keys.ts'
import type { KeyValue, WireKeyValue } from '../../../local/tablestore/values.ts'

const integer = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((value) => ({ type: 'INTEGER', value }) as const)
const string = fc
  .string({ unit: fc.constantFrom('\u0000', '\u0001', 'a', 'é', '视', '𠀀', '\uffff'), maxLength: 5 })
  .map((value) => ({ type: 'STRING', value }) as const)
const binary = fc.uint8Array({ maxLength: 5 }).map((bytes) => ({ type: 'BINARY', value: Buffer.from(bytes) }) as const)
const MIN = { type: 'INF_MIN' } as const
const MAX = { type: 'INF_MAX' } as const

test('keys sort as their values, column by column', () => {
  const key = fc.tuple(string, integer, binary)
  fc.assert(
    fc.property(key, key, (left, right) => {
      const first = left.map((value, at) => order(value, right[at] ?? value)).find((each) => each !== 0) ?? 0
      expect(Math.sign(Buffer.compare(encodeKey(1, left), encodeKey(1, right)))).toBe(first)
    }),
  )
})

test('bounds lie outside of every value, also within a prefix', () => {
  fc.assert(
    fc.property(string, fc.oneof(integer, string, binary), (prefix, value) => {
      const [low, key, high] = [MIN, value, MAX].map((each: WireKeyValue) => encodeKey(1, [prefix, each]))
      expect(Buffer.compare(low ?? Buffer.alloc(0), key ?? Buffer.alloc(0))).toBe(-1)
      expect(Buffer.compare(key ?? Buffer.alloc(0), high ?? Buffer.alloc(0))).toBe(-1)
    }),
  )
})

test('the keys of one table lie within its bounds and outside of the next one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.oneof(integer, string, binary), (table, value) => {
      const { start, end } = tableBounds(table)
      expect(Buffer.compare(start, encodeKey(table, [value]))).toBe(-1)
      expect(Buffer.compare(encodeKey(table, [MAX]), end)).toBe(-1)
      expect(Buffer.compare(end, encodeKey(table + 1, [value]))).toBe(-1)
    }),
  )
})

function order(left: KeyValue, right: KeyValue): number {
  if (left.type === 'INTEGER' && right.type === 'INTEGER')
    return Number(left.value > right.value) - Number(left.value < right.value)
  return Math.sign(Buffer.compare(bytesOf(left), bytesOf(right)))
}

function bytesOf(value: KeyValue): Buffer {
  return value.type === 'BINARY' ? value.value : Buffer.from(String(value.value))
}
