import { createHash } from 'node:crypto'
import { OssError } from '../errors.ts'
import type { OssRequest } from '../request.ts'
import { EMPTY_SHA256 } from './aws4.ts'
import { type ChunkSigning, unchunked } from './chunks.ts'

/** What the bytes of a body have to be. */
export type Payload =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'chunks'; readonly signing: ChunkSigning; readonly bytes: number }

/** x-amz-content-sha256 of a body that no signature covers. */
export const UNSIGNED = 'UNSIGNED-PAYLOAD'
const CHUNKED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'

/**
 * Reads what x-amz-content-sha256 says. Of the forms in chunks the service takes this one:
 * https://help.aliyun.com/zh/oss/user-guide/0017-00000804
 */
export function readPayload(request: OssRequest, content: string, signing?: ChunkSigning): Payload {
  if (content === CHUNKED && signing !== undefined) return { kind: 'chunks', signing, bytes: decodedLength(request) }
  const encodings = (request.header('content-encoding') ?? '').split(',').map((one) => one.trim())
  if (content.startsWith('STREAMING-') || encodings.includes('aws-chunked')) throw unsupportedChunks()
  if (content === UNSIGNED) return { kind: 'unsigned' }
  const bodiless = !['PUT', 'POST'].includes(request.method) || isEmpty(request)
  if (!/^[0-9a-f]{64}$/i.test(content) || (bodiless && content.toLowerCase() !== EMPTY_SHA256)) {
    throw wrongHash(content)
  }
  return { kind: 'hash', sha256: content.toLowerCase() }
}

function isEmpty(request: OssRequest): boolean {
  return Number(request.header('content-length') ?? 0) === 0 && request.header('transfer-encoding') === undefined
}

function unsupportedChunks(): OssError {
  return new OssError(
    'InvalidArgument',
    { ArgumentName: 'Content-Encoding', ArgumentValue: 'aws-chunked', EC: '0017-00000804' },
    'aws-chunked encoding is not supported with the specified x-amz-content-sha256 value.',
  )
}

function decodedLength(request: OssRequest): number {
  const text = request.header('x-amz-decoded-content-length') ?? ''
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new OssError('MissingContentLength')
}

/** https://help.aliyun.com/zh/oss/user-guide/0002-00000427 */
function wrongHash(content: string): OssError {
  const details = { ArgumentName: 'x-amz-content-sha256', ArgumentValue: content.slice(0, 128), EC: '0002-00000427' }
  return new OssError('InvalidArgument', details, 'The x-amz-content-sha256 is not the hash of the body.')
}

/** The bytes of the body, without what goes around chunks; ends with an error where they are not what was signed. */
export async function* checkedBytes(body: AsyncIterable<Buffer>, payload: Payload): AsyncIterable<Buffer> {
  if (payload.kind === 'unsigned') return yield* body
  if (payload.kind === 'chunks') return yield* unchunked(body, payload.signing, payload.bytes)
  const hash = createHash('sha256')
  for await (const bytes of body) {
    hash.update(bytes)
    yield bytes
  }
  if (hash.digest('hex') !== payload.sha256) throw wrongHash(payload.sha256)
}
