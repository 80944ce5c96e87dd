import { createHash } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { readRequest } from '../../../local/oss/request.ts'
import { stringToSignAws2 } from '../../../local/oss/s3/aws2.ts'
import {
  canonicalRequestAws4,
  signAws4,
  signedPaths,
  stringToSignAws4,
  stringToSignChunk,
} from '../../../local/oss/s3/aws4.ts'
import { signV1 } from '../../../local/oss/sign-v1.ts'
import vectors from '../../vectors/s3.json' with { type: 'json' }

function requestOf(method: string, url: string, headers: object, bucket?: string) {
  const message = Object.assign(new IncomingMessage(new Socket()), { method, url, headers: { ...headers } })
  return readRequest(message, 'ID', 0, () => bucket)
}

describe('signatures as Amazon publishes them', () => {
  const { v4, v2, accessKeySecret } = vectors
  const scope = { date: v4.time.slice(0, 8), region: v4.region }

  test.each(v4.examples)('version 4: $name', ({ method, url, headers, payload, signature }) => {
    const request = requestOf(method, url, headers, 'examplebucket')
    const signed = Object.keys(headers).sort()
    const signatures = signedPaths(request).map((path) => {
      const text = stringToSignAws4(canonicalRequestAws4(request, path, signed, payload), v4.time, scope)
      return signAws4(accessKeySecret, text, scope)
    })
    expect(signatures).toContain(signature)
  })

  test('version 4: each chunk by the one before it', () => {
    let previous = v4.chunks.seed
    for (const [index, size] of v4.chunks.sizes.entries()) {
      const hash = createHash('sha256').update('a'.repeat(size)).digest('hex')
      previous = signAws4(accessKeySecret, stringToSignChunk(previous, v4.time, scope, hash), scope)
      expect(previous).toBe(v4.chunks.signatures[index])
    }
  })

  test.each(v2.examples)('version 2: $name', ({ method, url, headers, date, signature }) => {
    const request = requestOf(method, url, headers, v2.bucket)
    const [path = ''] = signedPaths(request)
    expect(signV1(accessKeySecret, stringToSignAws2(request, path, date))).toBe(signature)
  })
})
