import { createHash } from 'node:crypto'
import { writeXml } from '../wire/xml.ts'
import { readXmlBody, storeBody } from './bodies.ts'
import { aclReply, bucketOf } from './bucket-operations.ts'
import { type ByteRange, checkConditions, readRange } from './conditions.ts'
import { type Content, type Context, type Operation, type Reply, xmlReply } from './context.ts'
import type { Headers } from './cors.ts'
import { invalidArgument, OssError } from './errors.ts'
import { nameEncoder } from './listing.ts'
import {
  contentTypeOf,
  describeObject,
  overrideHeaders,
  quoted,
  readObjectAcl,
  readSettings,
  userMetaOf,
} from './metadata.ts'
import type { ObjectRecord } from './records.ts'
import { checkKey, type OssRequest } from './request.ts'
import type { Overwrite } from './store.ts'
import type { ObjectName } from './tables.ts'

/** Name of the object that an object operation is about. */
export function objectOf(context: Context): ObjectName {
  const { key } = context.request
  if (key === undefined) throw new OssError('InvalidObjectName')
  return { bucket: bucketOf(context), key }
}

/** The object, or NoSuchKey. */
export function existingObject({ store }: Context, name: ObjectName): ObjectRecord {
  store.bucket(name.bucket)
  const record = store.findObject(name)
  if (record === undefined) throw new OssError('NoSuchKey', { Key: name.key })
  return record
}

/** Whether the request may replace an object; looks before a body is read, and the store looks again when it writes. */
export function readOverwrite({ request, store }: Context, name: ObjectName): Overwrite {
  store.bucket(name.bucket)
  const forbidden = request.header('x-oss-forbid-overwrite')?.toLowerCase() === 'true'
  if (forbidden && store.findObject(name) !== undefined) throw new OssError('FileAlreadyExists')
  return forbidden ? 'forbidden' : 'allowed'
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
    const settings = readSettings(context.request)
    const overwrite = readOverwrite(context, name)
    const stored = await storeBody(context)
    const record: ObjectRecord = {
      ...settings,
      type: 'Normal',
      size: stored.size,
      eTag: stored.md5.toString('hex').toUpperCase(),
      crc64: stored.crc64.toString(),
      blobs: stored.blobs,
      lastModifiedAt: context.now(),
    }
    await context.store.putObject(name, record, overwrite)
    announce(context, 'PutObject', name, record)
    return { status: 200, headers: [...writtenHeaders(record), ['Content-MD5', stored.md5.toString('base64')]] }
  },
}

/** What every write answers about what it wrote. */
export function writtenHeaders({ eTag, crc64 }: Pick<ObjectRecord, 'eTag' | 'crc64'>): Headers {
  return [
    ['ETag', quoted(eTag)],
    ['x-oss-hash-crc64ecma', crc64],
  ]
}

export const getObject: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const { request } = context
    const record = followLink(context, objectOf(context))
    const headers = overrideHeaders(describeObject(record), request, context.caller !== undefined)
    if (checkConditions(record, request.header) === 'not_modified') return notModified(record)
    const range = readRange(request.header('range'), request.header('x-oss-range-behavior'), record.size)
    const { start, end } = range ?? { start: 0, end: record.size - 1 }
    const body = openContent(context, record, { start, end })
    if (range === undefined) return { status: 200, headers, body }
    return { status: 206, headers: [...headers, ['Content-Range', `bytes ${start}-${end}/${record.size}`]], body }
  },
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
    const record = followLink(context, objectOf(context))
    const headers = overrideHeaders(describeObject(record), context.request, context.caller !== undefined)
    if (checkConditions(record, context.request.header) === 'not_modified') return notModified(record)
    return { status: 200, headers: [...headers, ['Content-Length', String(record.size)]] }
  },
}

export const getObjectMeta: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const record = followLink(context, objectOf(context))
    const kept = ['ETag', 'Last-Modified', 'x-oss-hash-crc64ecma']
    const headers = describeObject(record).filter(([name]) => kept.includes(name))
    return { status: 200, headers: [...headers, ['Content-Length', String(record.size)]] }
  },
}

/**
 * The object itself, or the bytes that a symbolic link leads to under the link's own type. Whether the caller may read
 * the target is asked again: a link alone must not open it.
 */
function followLink(context: Context, name: ObjectName): ObjectRecord {
  const link = existingObject(context, name)
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
  }
}

export const deleteObject: Operation = {
  action: 'oss:DeleteObject',
  async run(context) {
    const name = objectOf(context)
    context.store.bucket(name.bucket)
    await context.store.removeObject(name)
    return { status: 204 }
  },
}

const MAX_DELETED = 1000

export const deleteMultipleObjects: Operation = {
  async run(context) {
    const { request, store } = context
    const bucket = bucketOf(context)
    store.bucket(bucket)
    if (request.header('content-md5') === undefined) {
      throw new OssError('MissingArgument', { ArgumentName: 'Content-MD5' })
    }
    const body = await readXmlBody(request, 'Delete')
    const objects = body.all('Object')
    if (objects.length === 0 || objects.length > MAX_DELETED) throw new OssError('MalformedXML')
    if (objects.some((object) => object.value('VersionId')))
      throw new OssError('NotImplemented', { Element: 'VersionId' })
    const keys = objects.map((object) => checkKey(object.value('Key') ?? ''))
    for (const key of keys) context.authorize('oss:DeleteObject', { bucket, key })
    for (const key of keys) await store.removeObject({ bucket, key })
    if (body.value('Quiet')?.trim() === 'true') return xmlReply(writeXml('DeleteResult', {}))
    const encode = nameEncoder(request)
    const type = request.param('encoding-type') || undefined
    return xmlReply(
      writeXml('DeleteResult', { EncodingType: type, Deleted: keys.map((key) => ({ Key: encode(key) })) }),
    )
  },
}

export const putObjectAcl: Operation = {
  action: 'oss:PutObjectAcl',
  async run(context) {
    const { request, store } = context
    if (request.header('x-oss-object-acl') === undefined) {
      throw new OssError('MissingArgument', { ArgumentName: 'x-oss-object-acl' })
    }
    store.bucket(bucketOf(context))
    await store.changeObject(objectOf(context), { acl: readObjectAcl(request) })
    return { status: 200 }
  },
}

export const getObjectAcl: Operation = {
  action: 'oss:GetObjectAcl',
  run: (context) => aclReply(context, existingObject(context, objectOf(context)).acl),
}

export const putSymlink: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const name = objectOf(context)
    const target = readTarget(context.request)
    const overwrite = readOverwrite(context, name)
    const record: ObjectRecord = {
      ...readSettings(context.request),
      type: 'Symlink',
      size: 0,
      eTag: createHash('md5').update(target).digest('hex').toUpperCase(),
      crc64: '0',
      blobs: [],
      lastModifiedAt: context.now(),
      target,
    }
    await context.store.putObject(name, record, overwrite)
    announce(context, 'PutSymlink', name, record)
    return { status: 200, headers: [['ETag', quoted(record.eTag)]] }
  },
}

function readTarget(request: OssRequest): string {
  const encoded = request.header('x-oss-symlink-target')
  if (encoded === undefined) throw new OssError('MissingArgument', { ArgumentName: 'x-oss-symlink-target' })
  try {
    return checkKey(decodeURIComponent(encoded))
  } catch {
    throw invalidArgument('x-oss-symlink-target', encoded.slice(0, 64), 'The symbolic link target is not valid.')
  }
}

export const getSymlink: Operation = {
  action: 'oss:GetObject',
  run(context) {
    const record = existingObject(context, objectOf(context))
    if (record.target === undefined) throw new OssError('NotSymlink', { Key: objectOf(context).key })
    const headers: Headers = [
      ['x-oss-symlink-target', encodeURIComponent(record.target).replaceAll('%2F', '/')],
      ['ETag', quoted(record.eTag)],
      ['Last-Modified', new Date(record.lastModifiedAt).toUTCString()],
    ]
    return { status: 200, headers }
  },
}
