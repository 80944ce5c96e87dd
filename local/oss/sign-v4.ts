import { createHash, createHmac } from 'node:crypto'
import type { OssRequest, QueryItem } from './request.ts'

/**
 * Version 4 signatures: HMAC-SHA256 with a key derived for day, region and service.
 * https://help.aliyun.com/zh/oss/developer-reference/recommend-to-use-signature-version-4
 * Header values stay the bytes on the wire (latin1); everything else is ASCII once it is encoded.
 */
export interface ScopeV4 {
  /** `YYYYMMDD`. */
  readonly date: string
  readonly region: string
}

/** How a parameter without a value is written. */
export type EmptyValues = 'bare' | 'assigned'

/** Method, resource, query, headers, additional header names and payload, one under the other. */
export function canonicalRequestV4(
  request: OssRequest,
  additional: readonly string[],
  payload: string,
  empty: EmptyValues,
): string {
  return [
    request.method,
    request.bucket === undefined ? '/' : `/${request.bucket}/${encode(request.key ?? '').replaceAll('%2F', '/')}`,
    canonicalQueryV4(request.query, empty),
    canonicalHeadersV4(request, additional),
    additional.join(';'),
    payload,
  ].join('\n')
}

// Sub-resources are bare whatever was sent; only other parameters can be meant as "empty text".
const BARE = new Set(`acl append bucketInfo cors delete location objectMeta symlink uploads`.split(' '))

/** Encoded pairs in byte order; the signature itself is no part of it. */
function canonicalQueryV4(query: readonly QueryItem[], empty: EmptyValues): string {
  const pairs = query
    .filter(({ name }) => name !== 'x-oss-signature')
    .map(({ name, value, assigned }) => {
      const bare = value === '' && (empty === 'bare' || !assigned || BARE.has(name))
      return [encode(name), bare ? '' : `=${encode(value)}`] as const
    })
  return pairs
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map((pair) => pair.join(''))
    .join('&')
}

function canonicalHeadersV4(request: OssRequest, additional: readonly string[]): string {
  const always = (name: string) => name === 'content-type' || name === 'content-md5' || name.startsWith('x-oss-')
  const names = Object.keys(request.message.headers).filter((name) => always(name) || additional.includes(name))
  return names
    .sort()
    .map((name) => `${name}:${(request.header(name) ?? '').trim()}\n`)
    .join('')
}

/** Algorithm, time, scope and hash of the canonical request. */
export function stringToSignV4(canonicalRequest: string, time: string, scope: ScopeV4): string {
  const hash = createHash('sha256').update(Buffer.from(canonicalRequest, 'latin1')).digest('hex')
  return ['OSS4-HMAC-SHA256', time, `${scope.date}/${scope.region}/oss/aliyun_v4_request`, hash].join('\n')
}

/** The signature of such a text. */
export function signV4(secret: string, text: string, scope: ScopeV4): string {
  const steps = [scope.date, scope.region, 'oss', 'aliyun_v4_request']
  const key = steps.reduce<Buffer>((last, step) => hmac(last, step), Buffer.from(`aliyun_v4${secret}`))
  return hmac(key, text).toString('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
