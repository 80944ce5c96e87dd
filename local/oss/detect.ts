import { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'

/** Every operation that is served, by its name in the API reference. */
export type OperationName =
  | 'ListBuckets'
  | 'PutBucket'
  | 'DeleteBucket'
  | 'HeadBucket'
  | 'GetBucketInfo'
  | 'GetBucketLocation'
  | 'PutBucketAcl'
  | 'GetBucketAcl'
  | 'PutBucketCors'
  | 'GetBucketCors'
  | 'DeleteBucketCors'
  | 'ListObjects'
  | 'ListObjectsV2'
  | 'DeleteMultipleObjects'
  | 'PutObject'
  | 'CopyObject'
  | 'GetObject'
  | 'HeadObject'
  | 'GetObjectMeta'
  | 'DeleteObject'
  | 'PutObjectAcl'
  | 'GetObjectAcl'
  | 'PutSymlink'
  | 'GetSymlink'
  | 'InitiateMultipartUpload'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListParts'
  | 'ListMultipartUploads'

/**
 * Parameters that turn a request into another operation. One that no rule below names is answered as not implemented;
 * without this list the service would do the plain operation and report a success that is none.
 */
const SUB_RESOURCES = new Set(
  `accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var cname comp
  cors dataAccelerator delete encryption group httpsConfig img inventory lifecycle link list-type live location logging
  metaQuery objectInfo objectMeta partNumber policy policyStatus position publicAccessBlock qos qosInfo qosRequester
  referer regionList replication replicationLocation replicationProgress requestPayment resourceGroup restore rtc seal
  select/meta sequential stat status style styleName symlink tagging transferAcceleration uploadId uploads
  userDefinedLogFieldsConfig versionId versioning versions vod website worm wormExtend wormId x-oss-async-process
  x-oss-process x-oss-select x-oss-traffic-limit x-oss-write-get-object-response`.split(/\s+/),
)

/** Headers that ask for something this service does not do, and would otherwise seem to have done. */
const REFUSED_HEADERS = [
  'x-oss-callback',
  'x-oss-callback-var',
  'x-oss-server-side-encryption',
  'x-oss-server-side-data-encryption',
  'x-oss-server-side-encryption-key-id',
  'x-oss-tagging',
  'x-oss-tagging-directive',
  'x-oss-traffic-limit',
]

type Rule = readonly [method: string, subResources: string, operation: OperationName]

const SERVICE_RULES: readonly Rule[] = [['GET', '', 'ListBuckets']]

const BUCKET_RULES: readonly Rule[] = [
  ['PUT', '', 'PutBucket'],
  ['DELETE', '', 'DeleteBucket'],
  ['HEAD', '', 'HeadBucket'],
  ['GET', '', 'ListObjects'],
  ['GET', 'list-type', 'ListObjectsV2'],
  ['GET', 'bucketInfo', 'GetBucketInfo'],
  ['GET', 'location', 'GetBucketLocation'],
  ['PUT', 'acl', 'PutBucketAcl'],
  ['GET', 'acl', 'GetBucketAcl'],
  ['PUT', 'cors', 'PutBucketCors'],
  ['GET', 'cors', 'GetBucketCors'],
  ['DELETE', 'cors', 'DeleteBucketCors'],
  ['POST', 'delete', 'DeleteMultipleObjects'],
  ['GET', 'uploads', 'ListMultipartUploads'],
]

const OBJECT_RULES: readonly Rule[] = [
  ['PUT', '', 'PutObject'],
  ['GET', '', 'GetObject'],
  ['HEAD', '', 'HeadObject'],
  ['DELETE', '', 'DeleteObject'],
  ['HEAD', 'objectMeta', 'GetObjectMeta'],
  ['PUT', 'acl', 'PutObjectAcl'],
  ['GET', 'acl', 'GetObjectAcl'],
  ['PUT', 'symlink', 'PutSymlink'],
  ['GET', 'symlink', 'GetSymlink'],
  ['POST', 'uploads', 'InitiateMultipartUpload'],
  ['PUT', 'partNumber uploadId', 'UploadPart'],
  ['POST', 'uploadId', 'CompleteMultipartUpload'],
  ['DELETE', 'uploadId', 'AbortMultipartUpload'],
  ['GET', 'uploadId', 'ListParts'],
]

/** Which operation a request asks for. */
export function detect(request: OssRequest): OperationName {
  const header = REFUSED_HEADERS.find((name) => request.header(name) !== undefined)
  if (header !== undefined) throw new OssError('NotImplemented', { Header: header })
  const names = new Set(request.query.map(({ name }) => name).filter((name) => SUB_RESOURCES.has(name)))
  const subResources = [...names].sort().join(' ')
  const rule = rulesFor(request).find(([method, wanted]) => method === request.method && wanted === subResources)
  if (rule === undefined) throw refusal(request, subResources)
  const operation = rule[2]
  if (request.header('x-oss-copy-source') === undefined) return operation
  if (operation === 'PutObject') return 'CopyObject'
  return operation === 'UploadPart' ? 'UploadPartCopy' : operation
}

function rulesFor(request: OssRequest): readonly Rule[] {
  if (request.bucket === undefined) return SERVICE_RULES
  return request.key === undefined ? BUCKET_RULES : OBJECT_RULES
}

function refusal(request: OssRequest, subResources: string): OssError {
  if (subResources !== '') return new OssError('NotImplemented', { Parameters: subResources })
  // A form upload is a POST without parameters: it exists in the service, but not here.
  if (request.method === 'POST') return new OssError('NotImplemented', { Method: 'POST' })
  return new OssError('MethodNotAllowed', { Method: request.method })
}
