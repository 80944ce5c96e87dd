import type { SETTING_OPERATIONS } from './bucket-settings.ts'
import { OssError } from './errors.ts'
import type { LIVE_OPERATIONS } from './live-operations.ts'
import type { OssRequest } from './request.ts'

/** Every operation that is served, by its name in the API reference. */
export type OperationName =
  | keyof typeof SETTING_OPERATIONS
  | keyof typeof LIVE_OPERATIONS
  | 'ListBuckets'
  | 'PostObject'
  | 'ProcessObject'
  | 'DescribeRegions'
  | 'GetUserQosInfo'
  | 'PostAsyncFetchTask'
  | 'GetAsyncFetchTask'
  | 'PutCname'
  | 'DeleteCname'
  | 'ListCname'
  | 'GetBucketStat'
  | 'PutBucketVersioning'
  | 'GetBucketVersioning'
  | 'ListObjectVersions'
  | 'PutBucketPolicy'
  | 'GetBucketPolicy'
  | 'GetBucketPolicyStatus'
  | 'DeleteBucketPolicy'
  | 'PutBucketInventory'
  | 'GetBucketInventory'
  | 'ListBucketInventory'
  | 'DeleteBucketInventory'
  | 'PutStyle'
  | 'GetStyle'
  | 'ListStyle'
  | 'DeleteStyle'
  | 'InitiateBucketWorm'
  | 'AbortBucketWorm'
  | 'CompleteBucketWorm'
  | 'ExtendBucketWorm'
  | 'GetBucketWorm'
  | 'AppendObject'
  | 'RestoreObject'
  | 'CleanRestoredObject'
  | 'PutObjectTagging'
  | 'GetObjectTagging'
  | 'DeleteObjectTagging'
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
  `accessmonitor accessPoint accessPointConfigForObjectProcess accessPointForObjectProcess accessPointPolicy
  accessPointPolicyForObjectProcess acl antiDDos append asyncFetch batchJob batchJobId batchJobPriority
  batchJobStatus bucketAntiDDos bucketArchiveDirectRead bucketInfo cleanRestoredObject cloudboxes cname comp cors
  dataAccelerator dataPipeline delete encryption group httpsConfig img inventory inventoryId legalHold lifecycle link
  list-type live location logging metadataConfiguration metadataInventoryTable metadataJournalTable metaQuery
  objectInfo objectMeta objectWorm overwriteConfig partNumber policy policyStatus position publicAccessBlock qos
  qosInfo qosRequester quota redundancyTransition referer regionList regions replication replicationLocation
  replicationProgress requestPayment resourceGroup restore retention rtc seal select/meta stat status style styleName
  symlink tagging transferAcceleration uploadId uploads userDefinedLogFieldsConfig versionId versioning versions vod
  website worm wormExtend wormId x-oss-async-process x-oss-process x-oss-select x-oss-write-get-object-response`.split(
    /\s+/,
  ),
)

type Rule = readonly [method: string, subResources: string, operation: OperationName]

const SERVICE_RULES: readonly Rule[] = [
  ['GET', '', 'ListBuckets'],
  ['GET', 'tagging', 'ListBuckets'],
  ['GET', 'regions', 'DescribeRegions'],
  ['GET', 'qosInfo', 'GetUserQosInfo'],
]

const BUCKET_RULES: readonly Rule[] = [
  ['PUT', '', 'PutBucket'],
  ['DELETE', '', 'DeleteBucket'],
  ['HEAD', '', 'HeadBucket'],
  ['GET', '', 'ListObjects'],
  ['GET', 'list-type', 'ListObjectsV2'],
  ['GET', 'bucketInfo', 'GetBucketInfo'],
  ['GET', 'stat', 'GetBucketStat'],
  ['GET', 'live', 'ListLiveChannel'],
  ['POST', 'cname comp=add', 'PutCname'],
  ['POST', 'cname comp=delete', 'DeleteCname'],
  ['GET', 'cname', 'ListCname'],
  ...setting('lifecycle', 'PutBucketLifecycle', 'GetBucketLifecycle', 'DeleteBucketLifecycle'),
  ...setting('referer', 'PutBucketReferer', 'GetBucketReferer'),
  ...setting('logging', 'PutBucketLogging', 'GetBucketLogging', 'DeleteBucketLogging'),
  ...setting('website', 'PutBucketWebsite', 'GetBucketWebsite', 'DeleteBucketWebsite'),
  ...setting('tagging', 'PutBucketTags', 'GetBucketTags', 'DeleteBucketTags'),
  ...setting('encryption', 'PutBucketEncryption', 'GetBucketEncryption', 'DeleteBucketEncryption'),
  ...setting('requestPayment', 'PutBucketRequestPayment', 'GetBucketRequestPayment'),
  ...setting('transferAcceleration', 'PutBucketTransferAcceleration', 'GetBucketTransferAcceleration'),
  ...setting('accessmonitor', 'PutBucketAccessMonitor', 'GetBucketAccessMonitor'),
  ...setting('bucketArchiveDirectRead', 'PutBucketArchiveDirectRead', 'GetBucketArchiveDirectRead'),
  ...setting('httpsConfig', 'PutBucketHttpsConfig', 'GetBucketHttpsConfig'),
  ...setting('resourceGroup', 'PutBucketResourceGroup', 'GetBucketResourceGroup'),
  ...setting('publicAccessBlock', 'PutPublicAccessBlock', 'GetPublicAccessBlock', 'DeletePublicAccessBlock'),
  ...setting('qos', 'PutBucketStorageCapacity', 'GetBucketStorageCapacity'),
  ...setting('qosInfo', 'PutBucketQosInfo', 'GetBucketQosInfo', 'DeleteBucketQosInfo'),
  ...setting(
    'comp=callback policy',
    'PutBucketCallbackPolicy',
    'GetBucketCallbackPolicy',
    'DeleteBucketCallbackPolicy',
  ),
  ...setting(
    'userDefinedLogFieldsConfig',
    'PutUserDefinedLogFieldsConfig',
    'GetUserDefinedLogFieldsConfig',
    'DeleteUserDefinedLogFieldsConfig',
  ),
  ...setting('overwriteConfig', 'PutBucketOverwriteConfig', 'GetBucketOverwriteConfig', 'DeleteBucketOverwriteConfig'),
  ...setting('policy', 'PutBucketPolicy', 'GetBucketPolicy', 'DeleteBucketPolicy'),
  ['GET', 'policyStatus', 'GetBucketPolicyStatus'],
  ['PUT', 'versioning', 'PutBucketVersioning'],
  ['GET', 'versioning', 'GetBucketVersioning'],
  ['GET', 'versions', 'ListObjectVersions'],
  ...setting('inventory inventoryId', 'PutBucketInventory', 'GetBucketInventory', 'DeleteBucketInventory'),
  ['GET', 'inventory', 'ListBucketInventory'],
  ...setting('style styleName', 'PutStyle', 'GetStyle', 'DeleteStyle'),
  ['GET', 'style', 'ListStyle'],
  ['POST', 'asyncFetch', 'PostAsyncFetchTask'],
  ['GET', 'asyncFetch', 'GetAsyncFetchTask'],
  ['POST', 'worm', 'InitiateBucketWorm'],
  ['DELETE', 'worm', 'AbortBucketWorm'],
  ['GET', 'worm', 'GetBucketWorm'],
  ['POST', 'wormId', 'CompleteBucketWorm'],
  ['POST', 'wormExtend wormId', 'ExtendBucketWorm'],
  ['GET', 'location', 'GetBucketLocation'],
  ['PUT', 'acl', 'PutBucketAcl'],
  ['GET', 'acl', 'GetBucketAcl'],
  ['PUT', 'cors', 'PutBucketCors'],
  ['GET', 'cors', 'GetBucketCors'],
  ['DELETE', 'cors', 'DeleteBucketCors'],
  ['POST', '', 'PostObject'],
  ['POST', 'delete', 'DeleteMultipleObjects'],
  ['GET', 'uploads', 'ListMultipartUploads'],
]

const OBJECT_RULES: readonly Rule[] = [
  ['PUT', '', 'PutObject'],
  ...setting('live', 'PutLiveChannel', 'GetLiveChannelInfo', 'DeleteLiveChannel'),
  ['PUT', 'live status', 'PutLiveChannelStatus'],
  ['GET', 'comp=stat live', 'GetLiveChannelStat'],
  ['GET', 'comp=history live', 'GetLiveChannelHistory'],
  ['POST', 'vod', 'PostVodPlaylist'],
  ['GET', 'vod', 'GetVodPlaylist'],
  ['GET', '', 'GetObject'],
  ['GET', 'x-oss-process', 'GetObject'],
  ['POST', 'x-oss-process', 'ProcessObject'],
  ['HEAD', '', 'HeadObject'],
  ['DELETE', '', 'DeleteObject'],
  ['HEAD', 'objectMeta', 'GetObjectMeta'],
  ['GET', 'objectMeta', 'GetObjectMeta'],
  ['POST', 'append position', 'AppendObject'],
  ['POST', 'append', 'AppendObject'],
  ['POST', 'restore', 'RestoreObject'],
  ['POST', 'cleanRestoredObject', 'CleanRestoredObject'],
  ...setting('tagging', 'PutObjectTagging', 'GetObjectTagging', 'DeleteObjectTagging'),
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

/** PUT, GET and, where it exists, DELETE of one thing. */
function setting(
  subResources: string,
  put: OperationName,
  get: OperationName,
  remove?: OperationName,
): readonly Rule[] {
  const rules: readonly Rule[] = [
    ['PUT', subResources, put],
    ['GET', subResources, get],
  ]
  return remove === undefined ? rules : [...rules, ['DELETE', subResources, remove]]
}

/** Operations that can be about an older version. */
const VERSIONED = new Set<OperationName>([
  'GetObject',
  'HeadObject',
  'GetObjectMeta',
  'DeleteObject',
  'PutObjectAcl',
  'GetObjectAcl',
  'GetSymlink',
  'RestoreObject',
  'CleanRestoredObject',
  'PutObjectTagging',
  'GetObjectTagging',
  'DeleteObjectTagging',
])

/** Which operation a request asks for. */
export function detect(request: OssRequest): OperationName {
  const names = new Set(request.query.map(({ name }) => name).filter((name) => SUB_RESOURCES.has(name)))
  const ofVersion = names.delete('versionId')
  const subResources = [...names]
    .sort()
    .map((name) => (name === 'comp' ? `comp=${request.param('comp')}` : name))
    .join(' ')
  const rule = rulesFor(request).find(([method, wanted]) => method === request.method && wanted === subResources)
  if (rule === undefined) throw refusal(request, subResources)
  const operation = rule[2]
  if (ofVersion && !VERSIONED.has(operation)) throw refusal(request, `${subResources} versionId`)
  if (request.header('x-oss-copy-source') === undefined) return operation
  if (operation === 'PutObject') return 'CopyObject'
  return operation === 'UploadPart' ? 'UploadPartCopy' : operation
}

/** Whether it is a form, which says in its body who sends it. */
export function isForm(request: OssRequest): boolean {
  const { method, bucket, key, query } = request
  return (
    method === 'POST' && bucket !== undefined && key === undefined && !query.some(({ name }) => SUB_RESOURCES.has(name))
  )
}

function rulesFor(request: OssRequest): readonly Rule[] {
  if (request.bucket === undefined) return SERVICE_RULES
  return request.key === undefined ? BUCKET_RULES : OBJECT_RULES
}

function refusal(request: OssRequest, subResources: string): OssError {
  if (subResources !== '') return new OssError('NotImplemented', { Parameters: subResources })
  return new OssError('MethodNotAllowed', { Method: request.method })
}
