import { createHash, createHmac } from 'node:crypto'
import type { OssRequest } from '../request.ts'

/**
 * Amazon's signatures of version 4, as S3 has them: HMAC-SHA256 with a key derived for day and region.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Header values stay the bytes on the wire (latin1); everything else is ASCII once it is encoded.
 */
export interface AwsScope {
  /** `YYYYMMDD`. */
  readonly date: string
  /** What the client takes for the region; the service asks for no particular one. */
  readonly region: string
}

/** Method, path, query, headers, their names and the payload, one under the other. */
export function canonicalRequestAws4(
  request: OssRequest,
  path: string,
  signedHeaders: readonly string[],
  payload: string,
): string {
  return [
    request.method,
    path,
    canonicalQuery(request),
    ...signedHeaders.map((name) => `${name}:${(request.header(name) ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    payload,
  ].join('\n')
}

/** The path of a request as it came, and as it would be if only what must be was encoded. */
export function signedPaths({ message }: OssRequest): readonly string[] {
  const url = (message.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '')
  const raw = /^[^?]*/.exec(url)?.[0] || '/'
  return [...new Set([encode(decodeURIComponent(raw)).replaceAll('%2F', '/'), raw])]
}

function canonicalQuery({ query }: OssRequest): string {
  return query
    .filter(({ name }) => name !== 'X-Amz-Signature')
    .map(({ name, value }) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map((pair) => pair.join('='))
    .join('&')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Algorithm, time, scope and hash of the canonical request. */
export function stringToSignAws4(canonicalRequest: string, time: string, scope: AwsScope): string {
  return ['AWS4-HMAC-SHA256', time, scopeText(scope), sha256(Buffer.from(canonicalRequest, 'latin1'))].join('\n')
}

/**
 * What the signature of a chunk is over: the signature before it and the hash of its bytes.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export function stringToSignChunk(previous: string, time: string, scope: AwsScope, bytesHash: string): string {
  return ['AWS4-HMAC-SHA256-PAYLOAD', time, scopeText(scope), previous, EMPTY_SHA256, bytesHash].join('\n')
}

/** The signature of such a text. */
export function signAws4(secret: string, text: string, scope: AwsScope): string {
  const steps = [scope.date, scope.region, 's3', 'aws4_request']
  const key = steps.reduce<Buffer>((last, step) => hmac(last, step), Buffer.from(`AWS4${secret}`))
  return hmac(key, text).toString('hex')
}

/** The hash of no bytes. */
export const EMPTY_SHA256 = sha256(Buffer.alloc(0))

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function scopeText({ date, region }: AwsScope): string {
  return `${date}/${region}/s3/aws4_request`
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
