import { createHmac } from 'node:crypto'
import type { OssRequest } from './request.ts'

/**
 * Version 1 signatures: HMAC-SHA1 over method, three headers, the x-oss- headers and the resource.
 * https://help.aliyun.com/zh/oss/developer-reference/include-signatures-in-the-authorization-header
 * Text here is latin1 on purpose: header values are the bytes on the wire, and the resource is turned into the same.
 */
const SIGNED_PARAMETERS = new Set(
  `accessmonitor accessPointConfigForObjectProcess accessPointForObjectProcess accessPointPolicyForObjectProcess acl
  antiDDos append asyncFetch batchJob batchJobId batchJobPriority batchJobStatus bucketAntiDDos
  bucketArchiveDirectRead bucketInfo callback callback-var cleanRestoredObject cloudboxes cname comp
  continuation-token cors dataPipeline delete encryption endTime group httpsConfig img inventory inventoryId
  legalHold lifecycle link live location logging metadataConfiguration metadataInventoryTable metadataJournalTable
  metaQuery objectInfo objectMeta objectWorm overwriteConfig partNumber policy policyStatus position
  publicAccessBlock qos qosInfo quota redundancyTransition referer regionList regions replication replicationLocation
  replicationProgress requestPayment resourceGroup response-cache-control response-content-disposition
  response-content-encoding response-content-language response-content-type response-expires restore retention rtc
  security-token sequential startTime stat status style styleName symlink tagging transferAcceleration uploadId
  uploads userDefinedLogFieldsConfig versionId versioning versions vod website worm wormExtend wormId
  x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-async-process x-oss-process
  x-oss-request-payer x-oss-traffic-limit x-oss-write-get-object-response`.split(/\s+/),
)

/** The text to be signed; `date` is the Date of a header signature or the Expires of a URL. */
export function stringToSignV1(request: OssRequest, date: string): string {
  return [
    request.method,
    request.header('content-md5') ?? '',
    request.header('content-type') ?? '',
    date,
    ...canonicalHeadersV1(request),
    canonicalResourceV1(request),
  ].join('\n')
}

/** `name:value` of every x-oss- header, sorted. */
function canonicalHeadersV1(request: OssRequest): readonly string[] {
  const names = Object.keys(request.message.headers).filter((name) => name.startsWith('x-oss-'))
  return names.sort().map((name) => `${name}:${(request.header(name) ?? '').trim()}`)
}

/** Bucket and key, decoded, and the parameters that select what is meant. */
function canonicalResourceV1(request: OssRequest): string {
  const path = request.bucket === undefined ? '/' : `/${request.bucket}/${request.key ?? ''}`
  const signed = request.query.filter((item) => SIGNED_PARAMETERS.has(item.name))
  // By name alone: `callback=` would come after `callback-var=`.
  const sorted = signed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const pairs = sorted.map(({ name, value }) => (value === '' ? name : `${name}=${value}`))
  return Buffer.from(pairs.length === 0 ? path : `${path}?${pairs.join('&')}`).toString('latin1')
}

/** The signature of such a text. */
export function signV1(secret: string, text: string): string {
  return createHmac('sha1', secret).update(Buffer.from(text, 'latin1')).digest('base64')
}
