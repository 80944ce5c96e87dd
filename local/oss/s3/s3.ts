/*
 * The service as S3 clients see it. A request that is signed Amazon's way is verified and becomes the one that a client
 * of the service's own would have sent; its answer is put back into S3's names. In between nothing knows of S3, so that
 * policies, events and faults are the same for both.
 * https://help.aliyun.com/zh/oss/developer-reference/compatibility-with-amazon-s3
 */
import type { Identity } from '../../wire/credentials.ts'
import { readSmallBody } from '../bodies.ts'
import type { Reply } from '../context.ts'
import type { Headers } from '../cors.ts'
import { detect, type OperationName } from '../detect.ts'
import { OssError } from '../errors.ts'
import type { OssRequest } from '../request.ts'
import type { VerifyOptions } from '../verify.ts'
import { amazonStorageClass } from './classes.ts'
import { cannedAcl, requestTranslation, translateDocument } from './documents.ts'
import { translateRequest, withMessage } from './request.ts'
import { authenticateS3 } from './verify.ts'

const AMAZON_PARAMETERS = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'AWSAccessKeyId']
const OWN_PARAMETERS = ['OSSAccessKeyId', 'Signature', 'x-oss-signature', 'x-oss-signature-version']

/** Whether a request is from an S3 client: by its signature or, without one, by the endpoint or an x-amz- header. */
export function speaksS3(request: OssRequest): boolean {
  const authorization = request.header('authorization')
  if (authorization !== undefined) return /^AWS(?:4-\S+)? /.test(authorization)
  const has = (name: string) => request.param(name) !== undefined
  if (AMAZON_PARAMETERS.some(has)) return true
  if (OWN_PARAMETERS.some(has)) return false
  const named = /^(?:[^.]+\.)?s3\./.test(request.header('host') ?? '')
  return named || Object.keys(request.message.headers).some((name) => name.startsWith('x-amz-'))
}

/** Verifies a request of an S3 client and gives it as the service's own. */
export async function openS3(
  request: OssRequest,
  options: VerifyOptions,
): Promise<{ readonly request: OssRequest; readonly caller: Identity | undefined }> {
  const { caller, payload } = authenticateS3(request, options)
  const translated = translateRequest(request, payload, options.credentials.accountId)
  const operation = detectS3(translated)
  if (operation === 'PutBucketAcl' || operation === 'PutObjectAcl') {
    return { caller, request: await withAcl(translated, options.credentials.accountId) }
  }
  const translate = requestTranslation(operation, options.region)
  return { caller, request: translate ? withDocument(translated, translate) : translated }
}

/** Parameters that choose operations in S3 and nothing in the service, which would do the plain operation. */
const UNKNOWN_HERE = new Set(
  `accelerate analytics attributes intelligent-tiering legal-hold metadataTable metrics notification object-lock
  ownershipControls publicAccessBlock renameObject retention select session torrent`.split(/\s+/),
)

/** What S3 and the service have in a form that is alike or is translated here. */
const SHARED = new Set<OperationName>([
  ...(['ListBuckets', 'PutBucket', 'DeleteBucket', 'HeadBucket', 'GetBucketLocation'] as const),
  ...(['PutBucketAcl', 'GetBucketAcl', 'PutBucketLifecycle', 'GetBucketLifecycle', 'DeleteBucketLifecycle'] as const),
  ...(['PutBucketLogging', 'GetBucketLogging', 'PutBucketCors', 'GetBucketCors', 'DeleteBucketCors'] as const),
  ...(['PutBucketVersioning', 'GetBucketVersioning', 'PutBucketTags', 'GetBucketTags', 'DeleteBucketTags'] as const),
  ...(['ListObjects', 'ListObjectsV2', 'ListObjectVersions', 'DeleteMultipleObjects', 'PostObject'] as const),
  ...(['PutObject', 'CopyObject', 'GetObject', 'HeadObject', 'DeleteObject', 'PutObjectAcl', 'GetObjectAcl'] as const),
  ...(['PutObjectTagging', 'GetObjectTagging', 'DeleteObjectTagging', 'RestoreObject'] as const),
  ...(['InitiateMultipartUpload', 'UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload'] as const),
  ...(['AbortMultipartUpload', 'ListParts', 'ListMultipartUploads'] as const),
])

function detectS3(request: OssRequest): OperationName {
  const unknown = request.query.find(({ name }) => UNKNOWN_HERE.has(name))
  if (unknown) throw new OssError('NotImplemented', { Parameters: unknown.name })
  const operation = detect(request)
  if (SHARED.has(operation)) return operation
  throw new OssError('NotImplemented', { Operation: operation })
}

/** The document is translated when it is read, after its own sums have been checked. */
function withDocument(request: OssRequest, translate: (text: string) => string): OssRequest {
  const { 'content-md5': _, ...rest } = headersOf(request)
  return withMessage(request, rest, async function* () {
    yield Buffer.from(translate(await readSmallBody(request)))
  })
}

/** The ACL in a header, whichever way it came; to read the document of S3's other way takes the body. */
async function withAcl(request: OssRequest, accountId: string): Promise<OssRequest> {
  const name = request.key === undefined ? 'x-oss-acl' : 'x-oss-object-acl'
  if (request.header(name) !== undefined) return request
  const acl = cannedAcl(await readSmallBody(request), accountId)
  if (acl === undefined) return request
  return withMessage(request, { ...headersOf(request), [name]: acl }, async function* () {})
}

function headersOf({ message, header }: OssRequest): Record<string, string> {
  return Object.fromEntries(Object.keys(message.headers).map((name) => [name, header(name) ?? '']))
}

/** An answer of the service as S3's. */
export function s3Reply(operation: OperationName, reply: Reply): Reply {
  const { body } = reply
  const isDocument = typeof body === 'string' && body.startsWith('<?xml') && operation !== 'GetObject'
  return isDocument ? { ...reply, body: translateDocument(operation, body) } : reply
}

/** Headers that S3 has under a name of its own; the others keep theirs, as the service's answers show them. */
const RENAMED =
  /^x-oss-(?:request-id|version-id|delete-marker|storage-class|restore|expiration|tagging-count|copy-source-version-id|bucket-region|server-side-encryption)$/

/** Headers of an answer as an S3 client reads them. */
export function s3Headers(headers: Headers): Headers {
  return headers.map(([name, value]) => {
    const lower = name.toLowerCase()
    if (lower === 'x-oss-server-side-encryption-key-id') return [`x-amz-server-side-encryption-aws-kms-key-id`, value]
    if (lower.startsWith('x-oss-meta-')) return [`x-amz-meta-${name.slice('x-oss-meta-'.length)}`, value]
    if (!RENAMED.test(lower)) return [name, value]
    return [lower.replace('x-oss-', 'x-amz-'), amazonValue(lower, value)]
  })
}

function amazonValue(name: string, value: string): string {
  if (name === 'x-oss-storage-class') return amazonStorageClass(value)
  return name === 'x-oss-server-side-encryption' && value === 'KMS' ? 'aws:kms' : value
}
