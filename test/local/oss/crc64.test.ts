import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { combineCrc64, crc64 } from '../../../local/oss/crc64.ts'
import { crc64Of } from '../durability/crc64.ts'

function checksum(...chunks: readonly Uint8Array[]): string {
  const running = crc64()
  for (const chunk of chunks) running.update(chunk)
  return running.value().toString()
}

/** Bytes that differ everywhere, by a linear congruence. */
function bytesOf(length: number): Uint8Array {
  let state = length + 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

describe('CRC-64', () => {
  test('has the check value of CRC-64/XZ', () => {
    // https://reveng.sourceforge.io/crc-catalogue/all.htm
    expect(checksum(Buffer.from('123456789'))).toBe(0x995dc9bbdf1939fan.toString())
  })

  test('of nothing is 0', () => {
    expect(checksum()).toBe('0')
    expect(checksum(new Uint8Array())).toBe('0')
  })

  const lengths = [0, 8192, 16_384, 24_576, 32_768, 65_536, 131_072].flatMap((n) => [
    n + 1,
    n + 7,
    n + 8,
    n + 9,
    n + 17,
  ])
  test.each(lengths)('of %i bytes is what it is byte by byte', (length) => {
    const bytes = bytesOf(length)
    expect(checksum(bytes)).toBe(crc64Of(bytes))
  })

  test('does not depend on where a stream is cut, nor on where in memory its chunks lie', () => {
    const bytes = bytesOf(100_003)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), fc.nat(9), (cuts, from) => {
        const ends = [...new Set([from, ...cuts.map((cut) => Math.max(cut, from)), bytes.length])].sort((a, b) => a - b)
        const chunks = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end))
        expect(checksum(...chunks)).toBe(crc64Of(bytes.subarray(from)))
      }),
      { numRuns: 50 },
    )
  })

  test('runs beside another', () => {
    const [one, other] = [crc64(), crc64()]
    const [first, second] = [bytesOf(40_000), bytesOf(40_001)]
    for (let at = 0; at < 40_001; at += 1000) {
      one.update(first.subarray(at, at + 1000))
      other.update(second.subarray(at, at + 1000))
    }
    expect([one.value().toString(), other.value().toString()]).toEqual([crc64Of(first), crc64Of(second)])
  })

  test.each([
    [0, 10],
    [10, 0],
    [70_000, 20_001],
  ])('of %i bytes and of %i joined is that of the whole', (first, second) => {
    const bytes = bytesOf(first + second)
    const value = (part: Uint8Array) => BigInt(crc64Of(part))
    const joined = combineCrc64(value(bytes.subarray(0, first)), value(bytes.subarray(first)), second)
    expect(joined.toString()).toBe(crc64Of(bytes))
  })
})
