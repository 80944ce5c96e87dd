import { storeBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { settingOf } from './bucket-settings.ts'
import { type ByteRange, checkConditions, readRange } from './conditions.ts'
import type { Content, Context, Operation, Reply } from './context.ts'
import type { Headers } from './cors.ts'
import { encryptionHeaders } from './encryption.ts'
import { invalidArgument, OssError } from './errors.ts'
import { contentTypeOf, describeObject, overrideHeaders, quoted, readSettings, userMetaOf } from './metadata.ts'
import { isProtected } from './overwrite-rules.ts'
import type { BucketRecord, ObjectRecord, VersionName } from './records.ts'
import type { OssRequest } from './request.ts'
import { checkReadable, restorationState } from './restoration.ts'
import type { Store } from './store.ts'
import type { ObjectName } from './tables.ts'
import { type Overwrite, sequenceOf, versionIdOf } from './versions.ts'

/** Name of the object that an object operation is about. */
export function objectOf(context: Context): ObjectName {
  const { key } = context.request
  if (key === undefined) throw new OssError('InvalidObjectName')
  return { bucket: bucketOf(context), key }
}

/** The version that a request names; absent for the current one. */
export function versionOf({ request }: Context): string | undefined {
  return checkVersionId(request.param('versionId'))
}

/** A name of a version as the service gives them, or none. */
export function checkVersionId(text: string | undefined): string | undefined {
  if (text === undefined || text === 'null' || sequenceOf(text) !== undefined) return text
  if (text === '') throw invalidArgument('versionId', '', 'Version id cannot be the empty string')
  throw invalidArgument('versionId', text.slice(0, 128), 'Invalid version id specified')
}

/** The object, or why there is none: NoSuchKey, NoSuchVersion, or that the version is a delete marker. */
export function existingObject({ request, store }: Context, name: ObjectName, versionId?: string): ObjectRecord {
  const { versioning } = store.bucket(name.bucket)
  const found = store.findVersion(name, versionId)
  if (found && found.type !== 'DeleteMarker') return found
  const marker: Headers = found
    ? [
        ['x-oss-delete-marker', 'true'],
        ['x-oss-version-id', versionIdOf(found)],
      ]
    : []
  if (versionId === undefined) throw new OssError('NoSuchKey', { Key: name.key }, undefined, marker)
  if (found === undefined && versioning === undefined && versionId === 'null') {
    throw new OssError('NoSuchKey', { Key: name.key })
  }
  if (found === undefined) throw new OssError('NoSuchVersion', { Key: name.key, VersionId: versionId })
  const details = { Method: request.method, ResourceType: 'DeleteMarker' }
  throw new OssError('MethodNotAllowed', details, undefined, [['Allow', 'DELETE'], ...marker])
}

/** The name of the version that an answer is about, where the bucket keeps versions. */
export function versionHeaders({ store }: Context, name: ObjectName, version: VersionName): Headers {
  if (store.findBucket(name.bucket)?.versioning === undefined) return []
  return [['x-oss-version-id', versionIdOf(version)]]
}

/** Whether the request may replace an object; looks before a body is read, and the store looks again when it writes. */
export function readOverwrite(context: Context, name: ObjectName): Overwrite {
  const { request, store } = context
  const bucket = store.bucket(name.bucket)
  refuseFull(bucket, name.bucket, store)
  const { versioning } = bucket
  const asked = request.header('x-oss-forbid-overwrite')?.toLowerCase() === 'true'
  const forbidden = (asked || isProtected(context, name)) && versioning === undefined
  if (forbidden && store.findObject(name) !== undefined) throw new OssError('FileAlreadyExists')
  return forbidden ? 'forbidden' : 'allowed'
}

const GIGABYTE = 1024 ** 3

/** A bucket may be given a capacity, which is looked at before something is added. */
function refuseFull({ settings }: BucketRecord, bucket: string, store: Store): void {
  const capacity = Number(settingOf(settings, 'qos')?.value('StorageCapacity') ?? -1)
  if (capacity < 0) return
  let stored = 0
  for (const { version } of store.versions(bucket, '', Buffer.alloc(0))) {
    if (version.type !== 'DeleteMarker') stored += version.size
  }
  if (stored >= capacity * GIGABYTE) throw new OssError('QuotaExceeded')
}

/** Tells whoever listens that an object is there. */
export function announce(context: Context, operation: string, name: ObjectName, record: ObjectRecord): void {
  context.emit({
    eventName: `ObjectCreated:${operation}`,
    ...name,
    size: record.size,
    eTag: record.eTag,
    contentType: contentTypeOf(record.headers),
    userMeta: userMetaOf(record.headers),
  })
}

export const putObject: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const name = objectOf(context)
    refuseConditions(context.request)
    const settings = readSettings(context.request, context.store.bucket(name.bucket))
    if (settings.tags) context.authorize('oss:PutObjectTagging', name)
    const overwrite = readOverwrite(context, name)
    const stored = await storeBody(context)
    const made: ObjectRecord = {
      ...settings,
      type: 'Normal',
      size: stored.size,
      eTag: stored.md5.toString('hex').toUpperCase(),
      crc64: stored.crc64.toString(),
      blobs: stored.blobs,
      lastModifiedAt: context.now(),
    }
    const record = await context.store.putObject(name, made, overwrite)
    announce(context, 'PutObject', name, record)
    const headers = [...writtenHeaders(record), ...versionHeaders(context, name, record)]
    return { status: 200, headers: [...headers, ['Content-MD5', stored.md5.toString('base64')]] }
  },
}

/** Writing knows no conditions but x-oss-forbid-overwrite: the service refuses these, as the suite of its SDK for Go tests. */
function refuseConditions(request: OssRequest): void {
  const names = ['if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match']
  const header = names.find((name) => request.header(name) !== undefined)
  if (header !== undefined) throw new OssError('NotImplemented', { Header: header })
}

/** What every write answers about what it wrote. */
export function writtenHeaders(record: Pick<ObjectRecord, 'eTag' | 'crc64' | 'encryption'>): Headers {
  return [
    ['ETag', quoted(record.eTag)],
    ['x-oss-hash-crc64ecma', record.crc64],
    ...encryptionHeaders(record.encryption),
  ]
}

export const getObject: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const { request } = context
    const name = objectOf(context)
    const record = followLink(context, name)
    const described = [...describeObject(record), ...describeVersion(context, name, record)]
    const headers = overrideHeaders(described, request, context.caller !== undefined)
    if (checkConditions(record, request.header) === 'not_modified') return notModified(record)
    checkReadable(context, name, record)
    const range = readRange(request.header('range'), request.header('x-oss-range-behavior'), record.size)
    const { start, end } = range ?? { start: 0, end: record.size - 1 }
    const body = openContent(context, record, { start, end })
    if (range === undefined && isCompressed(request, record))
      return { status: 200, headers: compressedHeaders(headers), body, gzip: true }
    if (range === undefined) return { status: 200, headers, body }
    return { status: 206, headers: [...headers, ['Content-Range', `bytes ${start}-${end}/${record.size}`]], body }
  },
}

const COMPRESSED = new Set(
  `text/cache-manifest text/xml text/plain text/css text/json application/javascript application/x-javascript
  application/rss+xml application/json`.split(/\s+/),
)
const MIN_COMPRESSED_BYTES = 1024

/** Texts are compressed for who says that it can read that. https://help.aliyun.com/zh/oss/developer-reference/getobject */
function isCompressed(request: OssRequest, record: ObjectRecord): boolean {
  const accepted = request
    .header('accept-encoding')
    ?.split(',')
    .map((one) => one.trim().split(';')[0])
  const type = contentTypeOf(record.headers).split(';')[0]?.trim() ?? ''
  const encoded = record.headers.some(([name]) => name === 'content-encoding')
  return (
    (accepted?.includes('gzip') ?? false) && COMPRESSED.has(type) && record.size >= MIN_COMPRESSED_BYTES && !encoded
  )
}

/** The ETag and the sum are those of other bytes. */
function compressedHeaders(headers: Headers): Headers {
  const kept = headers.filter(([name]) => !['ETag', 'Content-MD5', 'Accept-Ranges'].includes(name))
  return [...kept, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']]
}

/** Pins the blobs in the same turn in which the record was read, so that nothing can remove them in between. */
function openContent({ store }: Context, record: ObjectRecord, { start, end }: ByteRange): Content {
  return {
    bytes: end - start + 1,
    release: store.blobs.pin(record.blobs),
    send: (sink) => store.blobs.send(record.blobs, start, end, sink),
  }
}

function notModified(record: ObjectRecord): Reply {
  const kept = ['ETag', 'Last-Modified', 'Cache-Control', 'Expires']
  return { status: 304, headers: describeObject(record).filter(([name]) => kept.includes(name)) }
}

export const headObject: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const name = objectOf(context)
    const record = followLink(context, name)
    const described = [...describeObject(record), ...describeVersion(context, name, record)]
    const headers = overrideHeaders(described, context.request, context.caller !== undefined)
    if (checkConditions(record, context.request.header) === 'not_modified') return notModified(record)
    if (isCompressed(context.request, record)) return { status: 200, headers: compressedHeaders(headers), gzip: true }
    return { status: 200, headers: [...headers, ['Content-Length', String(record.size)]] }
  },
}

export const getObjectMeta: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const name = objectOf(context)
    const record = followLink(context, name)
    const kept = ['ETag', 'Last-Modified', 'x-oss-hash-crc64ecma']
    const headers = describeObject(record).filter(([header]) => kept.includes(header))
    const version = versionHeaders(context, name, record)
    return { status: 200, headers: [...headers, ...version, ['Content-Length', String(record.size)]] }
  },
}

/**
 * The object itself, or the bytes that a symbolic link leads to under the link's own type. Whether the caller may read
 * the target is asked again: a link alone must not open it.
 */
function followLink(context: Context, name: ObjectName): ObjectRecord {
  const link = existingObject(context, name, versionOf(context))
  if (link.target === undefined) return link
  const target = { bucket: name.bucket, key: link.target }
  context.authorize('oss:GetObject', target)
  const record = context.store.findObject(target)
  if (record === undefined) throw new OssError('SymlinkTargetNotExist', { Key: link.target })
  if (record.target !== undefined) throw new OssError('InvalidTargetType', { Key: link.target })
  const lastModifiedAt = Math.max(link.lastModifiedAt, record.lastModifiedAt)
  return {
    ...record,
    type: 'Symlink',
    headers: link.headers.length > 0 ? link.headers : record.headers,
    lastModifiedAt,
    ...versionName(link),
  }
}

function versionName({ versionId, sequence }: VersionName): VersionName {
  return { ...(versionId !== undefined && { versionId }), ...(sequence !== undefined && { sequence }) }
}

/** Which version is read, and how far it is restored. */
function describeVersion(context: Context, name: ObjectName, record: ObjectRecord): Headers {
  const state = restorationState(record, context.now())
  return [...versionHeaders(context, name, record), ...(state === undefined ? [] : [['x-oss-restore', state] as const])]
}
