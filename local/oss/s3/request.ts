import type { IncomingMessage } from 'node:http'
import { invalidArgument, OssError } from '../errors.ts'
import type { OssRequest } from '../request.ts'
import { ossStorageClass } from './classes.ts'
import { checkedBytes, type Payload } from './payload.ts'

/** Headers of Amazon's that the service has under another name, with what becomes of their values. */
const TRANSLATED: Readonly<Record<string, readonly [name: string, value?: (text: string) => string]>> = {
  'x-amz-acl': ['x-oss-object-acl'],
  'x-amz-copy-source': ['x-oss-copy-source', copySource],
  'x-amz-copy-source-range': ['x-oss-copy-source-range'],
  'x-amz-copy-source-if-match': ['x-oss-copy-source-if-match'],
  'x-amz-copy-source-if-none-match': ['x-oss-copy-source-if-none-match'],
  'x-amz-copy-source-if-modified-since': ['x-oss-copy-source-if-modified-since'],
  'x-amz-copy-source-if-unmodified-since': ['x-oss-copy-source-if-unmodified-since'],
  'x-amz-metadata-directive': ['x-oss-metadata-directive'],
  'x-amz-tagging': ['x-oss-tagging'],
  'x-amz-tagging-directive': ['x-oss-tagging-directive'],
  'x-amz-storage-class': ['x-oss-storage-class', ossStorageClass],
  'x-amz-server-side-encryption': ['x-oss-server-side-encryption', (text) => (text === 'aws:kms' ? 'KMS' : text)],
  'x-amz-server-side-encryption-aws-kms-key-id': ['x-oss-server-side-encryption-key-id'],
  'x-amz-request-payer': ['x-oss-request-payer'],
}

/** What belongs to the signature, or asks for nothing that the service could leave undone unnoticed. */
const WITHOUT_EFFECT =
  /^x-amz-(?:date|security-token|content-sha256|decoded-content-length|user-agent|te|sdk-checksum-algorithm|checksum-.+|server-side-encryption-bucket-key-enabled|optional-object-attributes|expected-bucket-owner)$/

/** The service's names of the headers of a request; a signed URL may carry some as parameters. */
function translatedHeaders(request: OssRequest, payload: Payload, accountId: string): Record<string, string> {
  const hoisted = request.query
    .map(({ name, value }) => [name.toLowerCase(), Buffer.from(value).toString('latin1')] as const)
    .filter(([name]) => name.startsWith('x-amz-') && !OF_SIGNED_URLS.has(name))
  const given = Object.keys(request.message.headers).map((name) => [name, request.header(name) ?? ''] as const)
  const headers = Object.fromEntries(
    [...hoisted, ...given].flatMap(([name, value]) => translateHeader(request, name, value, accountId)),
  )
  return payload.kind === 'chunks' ? withoutChunks(headers, payload.bytes) : headers
}

const OF_SIGNED_URLS = new Set(
  ['algorithm', 'credential', 'date', 'expires', 'signedheaders', 'signature'].map((name) => `x-amz-${name}`),
)

function translateHeader(
  request: OssRequest,
  name: string,
  value: string,
  accountId: string,
): readonly (readonly [string, string])[] {
  if (!name.startsWith('x-amz-')) return [[name, value]]
  if (name === 'x-amz-acl' && request.key === undefined) return [['x-oss-acl', value]]
  if (name === 'x-amz-expected-bucket-owner' && value !== accountId) throw new OssError('AccessDenied')
  return translateField(name, value)
}

/** What a header or a field of a form says about an object, in the service's words; nothing where it asks for nothing. */
export function translateField(name: string, value: string): readonly (readonly [string, string])[] {
  if (name.startsWith('x-amz-meta-')) return [[`x-oss-meta-${name.slice('x-amz-meta-'.length)}`, value]]
  if (WITHOUT_EFFECT.test(name)) return []
  const [other, translate] = TRANSLATED[name] ?? []
  if (other === undefined) throw new OssError('NotImplemented', { Header: name.slice(0, 64) })
  return [[other, translate ? translate(value) : value]]
}

/** Some clients encode the slash after the bucket too. */
function copySource(text: string): string {
  return text.replace(/^\/?([^/?]+?)%2F/i, '$1/')
}

/** The chunks are of the transfer and no part of the object. */
function withoutChunks(headers: Record<string, string>, bytes: number): Record<string, string> {
  const { 'content-encoding': encoding = '', 'transfer-encoding': _, ...rest } = headers
  const kept = encoding.split(',').map((one) => one.trim())
  const left = kept.filter((one) => one !== '' && one !== 'aws-chunked').join(',')
  return { ...rest, ...(left && { 'content-encoding': left }), 'content-length': String(bytes) }
}

/** The request as a client of the service's own would have sent it; its body is checked while it is read. */
export function translateRequest(request: OssRequest, payload: Payload, accountId: string): OssRequest {
  refuseProcessing(request)
  const headers = translatedHeaders(request, payload, accountId)
  const body = () => checkedBytes(request.message.iterator({ destroyOnReturn: false }), payload)
  return withMessage(request, headers, body)
}

/** The same request with other headers and another body. */
export function withMessage(
  request: OssRequest,
  headers: Readonly<Record<string, string>>,
  body: () => AsyncIterable<Buffer>,
): OssRequest {
  const message: IncomingMessage = Object.create(request.message, {
    headers: { value: headers },
    [Symbol.asyncIterator]: { value: () => body()[Symbol.asyncIterator]() },
    iterator: { value: body },
  })
  return { ...request, message, header: (name) => headers[name] }
}

/** https://help.aliyun.com/zh/oss/developer-reference/compatibility-with-amazon-s3 */
function refuseProcessing(request: OssRequest): void {
  const process = request.param('x-oss-process')
  if (process === undefined || /^(?:image|style)\//.test(process)) return
  const message = 'Over the protocol of S3 only image and style processing is supported.'
  throw invalidArgument('x-oss-process', process.slice(0, 64), message)
}
