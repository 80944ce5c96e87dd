import { createHash, createHmac } from 'node:crypto'
import type { Credentials } from './credentials.ts'

/** A bucket and how it is addressed. */
export interface BucketAddress {
  /** `http(s)://host[:port]`, without the bucket. */
  readonly endpoint: string
  readonly bucket: string
  readonly addressing: 'virtual' | 'path'
  /** `cn-hangzhou`, without `oss-`. */
  readonly region: string
}

export interface PresignRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT'
  readonly key: string
  readonly expiresSeconds: number
  readonly nowMs: number
  /** Overrides of the answer's headers, such as `content-disposition`. */
  readonly response?: Readonly<Record<string, string>>
  /** Headers that the request will carry: `content-type`, `content-md5` and `x-oss-*`. */
  readonly headers?: Readonly<Record<string, string>>
}

const ALGORITHM = 'OSS4-HMAC-SHA256'
const MAX_SECONDS = 7 * 24 * 3600
const MAX_CACHED_KEYS = 16
const signingKeys = new Map<string, Buffer>()

/**
 * A presigned URL, signature version 4. It never outlives the security token it was made with.
 * https://help.aliyun.com/zh/oss/developer-reference/add-signatures-to-urls
 */
export function presignUrl(place: BucketAddress, credentials: Credentials, request: PresignRequest): string {
  const { expiresSeconds, nowMs } = request
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_SECONDS) {
    throw new Error(`a presigned URL lives from 1 to ${MAX_SECONDS} seconds`)
  }
  const time = timestamp(nowMs)
  const scope = `${time.slice(0, 8)}/${place.region}/oss/aliyun_v4_request`
  const query = request.response
    ? queryOf({ ...overrides(request.response), ...signatureParameters(credentials, scope, time, expiresSeconds) })
    : plainQuery(credentials, scope, time, expiresSeconds)
  const text = stringToSign(time, scope, canonicalRequest(place.bucket, request, query))
  const signature = hmac(signingKey(credentials.accessKeySecret, scope), text).toString('hex')
  return `${addressOf(place, request.key)}?${query}&x-oss-signature=${signature}`
}

function overrides(response: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(response).map(([name, value]) => [`response-${name}`, value]))
}

function signatureParameters({ accessKeyId, securityToken }: Credentials, scope: string, time: string, life: number) {
  return {
    'x-oss-credential': `${accessKeyId}/${scope}`,
    'x-oss-date': time,
    'x-oss-expires': String(life),
    'x-oss-signature-version': ALGORITHM,
    ...(securityToken ? { 'x-oss-security-token': securityToken } : {}),
  }
}

let last = { id: '', query: '' }

/** All URLs of one second differ in their key alone, and a viewer's segments come many at a time. */
function plainQuery(credentials: Credentials, scope: string, time: string, life: number): string {
  const id = `${credentials.accessKeyId}\n${credentials.securityToken}\n${scope}\n${time}\n${life}`
  if (last.id !== id) last = { id, query: queryOf(signatureParameters(credentials, scope, time, life)) }
  return last.query
}

/** The bucket is in the path of the canonical request however it is addressed. */
function canonicalRequest(bucket: string, request: PresignRequest, query: string): string {
  const headers = Object.entries(request.headers ?? {})
    .map(([name, value]) => [name.toLowerCase(), value.trim()] as const)
    .sort(byName)
    .map(([name, value]) => `${name}:${value}\n`)
    .join('')
  return [request.method, `/${bucket}/${encodeKey(request.key)}`, query, headers, '', 'UNSIGNED-PAYLOAD'].join('\n')
}

function stringToSign(time: string, scope: string, canonical: string): string {
  return [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
}

/** Four HMACs that are the same all day for the same credentials; a redirect per segment should not repeat them. */
function signingKey(secret: string, scope: string): Buffer {
  const id = `${secret}\n${scope}`
  const known = signingKeys.get(id)
  if (known) return known
  const key = scope.split('/').reduce(hmac, Buffer.from(`aliyun_v4${secret}`))
  if (signingKeys.size >= MAX_CACHED_KEYS) signingKeys.clear()
  signingKeys.set(id, key)
  return key
}

function addressOf({ endpoint, bucket, addressing }: BucketAddress, key: string): string {
  if (addressing === 'path') return `${endpoint}/${bucket}/${encodeKey(key)}`
  return `${endpoint.replace('://', `://${bucket}.`)}/${encodeKey(key)}`
}

function queryOf(parameters: Record<string, string>): string {
  return Object.entries(parameters)
    .sort(byName)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&')
}

/** By code units of the names; a locale has no say. */
function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : Number(a > b)
}

function encodeKey(key: string): string {
  return key.split('/').map(encode).join('/')
}

/** RFC 3986: everything but letters, digits and `-_.~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
