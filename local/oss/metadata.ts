import type { Headers } from './cors.ts'
import { defaultEncryption, encryptionHeaders, readEncryption, usableEncryption } from './encryption.ts'
import { invalidArgument, OssError } from './errors.ts'
import type {
  BucketAcl,
  BucketRecord,
  ObjectAcl,
  ObjectRecord,
  ObjectSettings,
  StorageClass,
  StoredHeaders,
} from './records.ts'
import type { OssRequest } from './request.ts'
import { parseTags } from './tags.ts'

const KEPT = new Set([
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
])
const META_PREFIX = 'x-oss-meta-'
const MAX_META_BYTES = 8 * 1024
const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

/** What a request says about the object that it creates, and its bucket where the request is silent. */
export function readSettings(request: OssRequest, bucket?: BucketRecord): ObjectSettings {
  const tagging = request.header('x-oss-tagging')
  const tags = tagging === undefined ? [] : parseTags(Buffer.from(tagging, 'latin1').toString())
  const encryption = usableEncryption(readEncryption(request) ?? defaultEncryption(bucket))
  return {
    headers: readStoredHeaders(request),
    acl: readObjectAcl(request),
    storageClass: readStorageClass(request.header('x-oss-storage-class')) ?? bucket?.storageClass ?? 'Standard',
    ...(tags.length === 0 ? {} : { tags }),
    ...(encryption && { encryption }),
  }
}

/** The headers that come back with the object. */
export function readStoredHeaders(request: OssRequest): StoredHeaders {
  const names = Object.keys(request.message.headers).filter((name) => KEPT.has(name) || name.startsWith(META_PREFIX))
  const given = names.map((name) => [name, request.header(name) ?? ''] as const)
  // Some clients send an empty type instead of none.
  const headers = given.filter(([name, value]) => name !== 'content-type' || value !== '')
  const meta = headers.filter(([name]) => name.startsWith(META_PREFIX))
  const size = meta.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (size > MAX_META_BYTES) throw new OssError('InvalidArgument', {}, 'The user metadata exceeds 8 KB.')
  return headers
}

/** `x-oss-object-acl`, or `default`. */
export function readObjectAcl(request: OssRequest): ObjectAcl {
  const acl = request.header('x-oss-object-acl') ?? 'default'
  if (acl === 'default' || isBucketAcl(acl)) return acl
  throw invalidArgument('x-oss-object-acl', acl.slice(0, 64), 'no such object access control exists')
}

/** Whether a text names an access rule of buckets. */
export function isBucketAcl(text: string): text is BucketAcl {
  return text === 'private' || text === 'public-read' || text === 'public-read-write'
}

const CLASSES: readonly StorageClass[] = ['Standard', 'IA', 'Archive', 'ColdArchive', 'DeepColdArchive']

/** A storage class by its name; absent where none is named. */
export function readStorageClass(name: string | undefined): StorageClass | undefined {
  if (name === undefined || name === '') return undefined
  const found = CLASSES.find((one) => one === name)
  if (found !== undefined) return found
  throw invalidArgument('x-oss-storage-class', name.slice(0, 64), 'The storage class you specified is invalid.')
}

/** Content type of a stored object. */
export function contentTypeOf(headers: StoredHeaders): string {
  return headers.find(([name]) => name === 'content-type')?.[1] ?? DEFAULT_CONTENT_TYPE
}

/** `x-oss-meta-*` by their full names, as events have them, and as text; the stored form is the bytes on the wire. */
export function userMetaOf(headers: StoredHeaders): Record<string, string> {
  const meta = headers.filter(([name]) => name.startsWith(META_PREFIX))
  return Object.fromEntries(meta.map(([name, value]) => [name, Buffer.from(value, 'latin1').toString()]))
}

/** An ETag as it goes into a header or a document. */
export function quoted(eTag: string): string {
  return `"${eTag}"`
}

/** Headers by which a read describes the object, apart from its length. */
export function describeObject(record: ObjectRecord): Headers {
  const stored = record.headers.map(([name, value]) => [wireName(name), value] as const)
  const typed = stored.some(([name]) => name === 'Content-Type')
  // The ETag of other kinds of objects is no sum over their bytes.
  const md5: Headers =
    record.type === 'Normal' && /^[0-9A-F]{32}$/.test(record.eTag)
      ? [['Content-MD5', Buffer.from(record.eTag, 'hex').toString('base64')]]
      : []
  const position: Headers = record.type === 'Appendable' ? [['x-oss-next-append-position', String(record.size)]] : []
  const tags: Headers = record.tags?.length ? [['x-oss-tagging-count', String(record.tags.length)]] : []
  return [
    ...(typed ? [] : [['Content-Type', DEFAULT_CONTENT_TYPE] as const]),
    ...stored,
    ['ETag', quoted(record.eTag)],
    ['Last-Modified', new Date(record.lastModifiedAt).toUTCString()],
    ['Accept-Ranges', 'bytes'],
    ['x-oss-object-type', record.type],
    ['x-oss-storage-class', record.storageClass],
    ['x-oss-hash-crc64ecma', record.crc64],
    ...md5,
    ...position,
    ...tags,
    ...encryptionHeaders(record.encryption),
  ]
}

function wireName(name: string): string {
  return KEPT.has(name) ? name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()) : name
}

const OVERRIDES = [...KEPT].map((name) => [`response-${name}`, wireName(name)] as const)

/** Replaces headers by the `response-*` parameters of the request; only a signed request may do so. */
export function overrideHeaders(headers: Headers, request: OssRequest, signed: boolean): Headers {
  const wanted = OVERRIDES.flatMap(([parameter, name]) => {
    const value = request.param(parameter)
    return value === undefined ? [] : [[name, headerText(parameter, value)] as const]
  })
  if (wanted.length === 0) return headers
  if (!signed) throw new OssError('InvalidRequest', {}, 'Response headers can only be overridden in a signed request.')
  const replaced = new Set(wanted.map(([name]) => name))
  return [...headers.filter(([name]) => !replaced.has(name)), ...wanted]
}

function headerText(name: string, value: string): string {
  const text = Buffer.from(value).toString('latin1')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a header
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return text
  throw invalidArgument(name, value.slice(0, 64), 'A header value must not contain control characters.')
}

/** `2026-11-22T01:30:00.000Z`; the service knows no fractions of a second. */
export function xmlDate(at: number): string {
  return new Date(Math.floor(at / 1000) * 1000).toISOString()
}
