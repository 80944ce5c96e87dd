import { createHmac } from 'node:crypto'
import type { OssRequest } from './request.ts'

/**
 * Version 2 signatures: HMAC-SHA256 over method, three headers, the x-oss- headers and others that are named, and the
 * whole resource. https://help.aliyun.com/document_detail/120525.html
 * Header values stay the bytes on the wire (latin1).
 */
export function stringToSignV2(request: OssRequest, date: string, additional: readonly string[]): string {
  const names = Object.keys(request.message.headers).filter(
    (name) => name.startsWith('x-oss-') || additional.includes(name),
  )
  return [
    request.method,
    request.header('content-md5') ?? '',
    request.header('content-type') ?? '',
    date,
    ...names.sort().map((name) => `${name}:${(request.header(name) ?? '').trim()}`),
    additional.join(';'),
    canonicalResourceV2(request),
  ].join('\n')
}

/** Bucket and key with every character escaped, slashes too, and all parameters but the signature. */
function canonicalResourceV2(request: OssRequest): string {
  const path = request.bucket === undefined ? '/' : `/${request.bucket}/${request.key ?? ''}`
  const pairs = request.query
    .filter(({ name }) => name !== 'x-oss-signature')
    .map(({ name, value }) => ({ name: encode(name), value: encode(value) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, value }) => (value === '' ? name : `${name}=${value}`))
  return pairs.length === 0 ? encode(path) : `${encode(path)}?${pairs.join('&')}`
}

/** The signature of such a text. */
export function signV2(secret: string, text: string): string {
  return createHmac('sha256', secret).update(Buffer.from(text, 'latin1')).digest('base64')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
