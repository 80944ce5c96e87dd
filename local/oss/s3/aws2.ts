import type { OssRequest } from '../request.ts'

/**
 * Amazon's signatures of version 2: HMAC-SHA1 over method, three headers, the x-amz- headers and the resource.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
 * Text here is latin1, as with the service's own signatures of version 1, whose `signV1` signs it.
 */
const SIGNED_PARAMETERS = new Set(
  `accelerate acl analytics cors defaultObjectAcl delete encryption intelligent-tiering inventory lifecycle location
  logging metrics notification object-lock ownershipControls partNumber policy policyStatus publicAccessBlock
  replication requestPayment response-cache-control response-content-disposition response-content-encoding
  response-content-language response-content-type response-expires restore retention select select-type tagging
  torrent uploadId uploads versionId versioning versions website legal-hold`.split(/\s+/),
)

/** The text to be signed; `date` is the Date of a header signature or the Expires of a URL. */
export function stringToSignAws2(request: OssRequest, path: string, date: string): string {
  return [
    request.method,
    request.header('content-md5') ?? '',
    request.header('content-type') ?? '',
    // Where there is an x-amz-date it is among the headers.
    request.header('x-amz-date') === undefined ? date : '',
    ...canonicalHeaders(request),
    canonicalResource(request, path),
  ].join('\n')
}

/** `name:value` of every x-amz- header, sorted; a signed URL carries some of them as parameters. */
function canonicalHeaders({ message, header, query }: OssRequest): readonly string[] {
  const names = Object.keys(message.headers).filter((name) => name.startsWith('x-amz-'))
  const inQuery = query.filter(({ name }) => name.startsWith('x-amz-') && !names.includes(name))
  const lines = [
    ...names.map((name) => `${name}:${(header(name) ?? '').trim()}`),
    ...inQuery.map(({ name, value }) => `${name}:${value}`),
  ]
  return lines.sort()
}

/** Bucket, the path as it was sent, and the parameters that select what is meant, decoded. */
function canonicalResource(request: OssRequest, path: string): string {
  const inPath = request.bucket === undefined || isInPath(path, request.bucket, request.key)
  const resource = inPath ? path : `/${request.bucket}${path}`
  const pairs = request.query
    .filter(({ name }) => SIGNED_PARAMETERS.has(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, value }) => (value === '' ? name : `${name}=${value}`))
  return Buffer.from(pairs.length === 0 ? resource : `${resource}?${pairs.join('&')}`).toString('latin1')
}

/** Whether the path named the bucket, and not the host: the key is then what follows it. */
function isInPath(path: string, bucket: string, key: string | undefined): boolean {
  if (path !== `/${bucket}` && !path.startsWith(`/${bucket}/`)) return false
  const rest = decodeURIComponent(path.slice(bucket.length + 2).replaceAll('+', ' '))
  return rest === (key ?? '')
}
