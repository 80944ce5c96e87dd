import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { combineCrc64, crc64 } from '../../../local/oss/crc64.ts'
import { type OssRequest, readRequest } from '../../../local/oss/request.ts'
import { signV1, stringToSignV1 } from '../../../local/oss/sign-v1.ts'
import { canonicalRequestV4, signV4, stringToSignV4 } from '../../../local/oss/sign-v4.ts'
import vectors from '../../vectors/oss.json' with { type: 'json' }

function requestOf(method: string, url: string, headers: Record<string, string>): OssRequest {
  return readRequest({ method, url, headers, socket: {} } as unknown as IncomingMessage, 'id', 0)
}

test('the published example of version 1 comes out', () => {
  const { v1 } = vectors
  const request = requestOf(v1.method, `/${v1.key}`, v1.headers)
  expect(signV1(v1.accessKeySecret, stringToSignV1(request, v1.headers.date))).toBe(v1.signature)
})

test.each(vectors.v4.cases)('the published example of version 4 comes out: $name', (one) => {
  const { v4 } = vectors
  const headers = { ...v4.headers, ...one.headers, 'x-oss-date': one.time, host: 'localhost' }
  const request = requestOf(v4.method, `/${v4.bucket}-x/${encodeURIComponent(v4.key)}?${v4.query}`, headers as never)
  const scope = { date: one.time.slice(0, 8), region: v4.region }
  const canonical = canonicalRequestV4({ ...request, bucket: v4.bucket }, one.additional, 'UNSIGNED-PAYLOAD', 'bare')
  expect(signV4(v4.accessKeySecret, stringToSignV4(canonical, one.time, scope), scope)).toBe(one.signature)
})

test('the published checksum comes out, however the text is cut', () => {
  const bytes = Buffer.from(vectors.crc64.text)
  for (let cut = 0; cut <= bytes.length; cut++) {
    const sum = crc64()
    sum.update(bytes.subarray(0, cut))
    sum.update(bytes.subarray(cut))
    expect(sum.value().toString()).toBe(vectors.crc64.value)
  }
})

test.each([0, 1, 7, 8, 9, 100_000])(
  'checksums of two pieces, the second of %i bytes, combine into that of the whole',
  (size) => {
    const bytes = Buffer.from(Array.from({ length: 1000 + size }, (_, n) => (n * 31 + (n >> 8)) & 255))
    const sum = (part: Buffer) => {
      const one = crc64()
      one.update(part)
      return one.value()
    }
    expect(combineCrc64(sum(bytes.subarray(0, 1000)), sum(bytes.subarray(1000)), size)).toBe(sum(bytes))
  },
)
