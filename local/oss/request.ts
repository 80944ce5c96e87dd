import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { invalidArgument, OssError } from './errors.ts'

/** One `name=value` of the query, decoded; `value` is empty for a bare name. */
export interface QueryItem {
  readonly name: string
  readonly value: string
  /** Whether there was a `=`, which matters to version 4 signatures only. */
  readonly assigned: boolean
}

/** A request, taken apart but not yet believed. */
export interface OssRequest {
  readonly message: IncomingMessage
  readonly id: string
  readonly method: string
  /** Absent on the service itself. */
  readonly bucket: string | undefined
  /** Absent on a bucket. */
  readonly key: string | undefined
  readonly query: readonly QueryItem[]
  readonly sourceIp: string
  readonly receivedAt: number
  /** The first value of a query parameter. */
  param(name: string): string | undefined
  /** A header as it was on the wire (latin1). */
  header(name: string): string | undefined
}

/** An id like the service's own. */
export function newRequestId(): string {
  return randomBytes(12).toString('hex').toUpperCase()
}

/** Reads method, bucket, key and query; throws where they cannot be. `boundTo` knows the domains of buckets. */
export function readRequest(
  message: IncomingMessage,
  id: string,
  receivedAt: number,
  boundTo: (domain: string) => string | undefined = () => undefined,
): OssRequest {
  // Clients with a proxy name the whole address. https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
  const [, named, rest] = /^https?:\/\/([^/?]*)(.*)$/i.exec(message.url ?? '/') ?? []
  const url = rest ?? message.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = mark < 0 ? [] : readQuery(url.slice(mark + 1))
  return {
    message,
    id,
    method: message.method ?? 'GET',
    ...readResource(path, named ?? message.headers.host ?? '', boundTo),
    query,
    sourceIp: (message.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    receivedAt,
    param: (name) => query.find((item) => item.name === name)?.value,
    header: (name) => headerOf(message, name),
  }
}

function headerOf(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function readQuery(text: string): readonly QueryItem[] {
  const pairs = text.split('&').filter((pair) => pair !== '')
  return pairs.map((pair) => {
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    const value = equals < 0 ? '' : pair.slice(equals + 1)
    return { name: decode(name.replaceAll('+', ' ')), value: decode(value.replaceAll('+', ' ')), assigned: equals >= 0 }
  })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidArgument('query', text.slice(0, 64), 'The query is not valid percent-encoded UTF-8.')
  }
}

/** `bucket.` before a name under which this service is known, S3's among them; others carry the bucket in the path. */
const VIRTUAL_HOST = /^(?!s3\.)([^.]+)\.(?:s3\.)?(?:localhost|127\.0\.0\.1|oss(?:-[a-z0-9-]+)?\.aliyuncs\.com)$/i

function readResource(
  path: string,
  host: string,
  boundTo: (domain: string) => string | undefined,
): Pick<OssRequest, 'bucket' | 'key'> {
  const domain = host.replace(/:\d+$/, '').toLowerCase()
  const named = VIRTUAL_HOST.exec(domain)?.[1] ?? boundTo(domain)
  // Not the URL class: it would fold `..`, which is part of a key like any other text.
  const rest = path.startsWith('/') ? path.slice(1) : path
  if (named !== undefined) return { bucket: checkAddressedName(named), key: readKey(rest) }
  if (rest === '') return { bucket: undefined, key: undefined }
  const slash = rest.indexOf('/')
  const bucket = slash < 0 ? rest : rest.slice(0, slash)
  return { bucket: checkAddressedName(bucket), key: slash < 0 ? undefined : readKey(rest.slice(slash + 1)) }
}

/** Buckets of the first years could have an underscore in their names: one that is missing, not one that cannot be. */
function checkAddressedName(name: string): string {
  return checkBucketName(name.replaceAll('_', '-')) && name
}

/** 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end. */
export function checkBucketName(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)) {
    throw new OssError('InvalidBucketName', { BucketName: name.slice(0, 64) })
  }
  return name
}

/**
 * The same request where the path begins with the bucket that the host names already, as some clients send it to an
 * address; only the signature tells which of the two was meant.
 */
export function withoutRepeatedBucket(request: OssRequest): OssRequest | undefined {
  const { bucket, key, message } = request
  if (bucket === undefined || key === undefined) return undefined
  if (!VIRTUAL_HOST.test((message.headers.host ?? '').replace(/:\d+$/, ''))) return undefined
  if (key === bucket || key === `${bucket}/`) return { ...request, key: undefined }
  return key.startsWith(`${bucket}/`) ? { ...request, key: checkKey(key.slice(bucket.length + 1)) } : undefined
}

function readKey(encoded: string): string | undefined {
  if (encoded === '') return undefined
  return checkKey(decodeKey(encoded))
}

/** A key as paths and copy sources carry it; the SDK of Go writes a space as `+`, and the service reads it so. */
export function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    throw new OssError('InvalidArgument', {}, 'The characters encoding must be utf-8.')
  }
}

const MAX_KEY_BYTES = 1023

/** 1 to 1023 bytes that do not begin with a slash or a backslash; NUL is refused by this service alone. */
export function checkKey(key: string): string {
  if (key === '' || /^[/\\]/.test(key) || key.includes('\0') || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new OssError('InvalidObjectName', { ObjectName: key.slice(0, 64) })
  }
  return key
}
