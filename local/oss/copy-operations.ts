import { writeXml } from '../wire/xml.ts'
import { storeBytes } from './bodies.ts'
import { type ByteRange, checkConditions } from './conditions.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import type { Headers } from './cors.ts'
import { invalidArgument, OssError } from './errors.ts'
import { quoted, readSettings, xmlDate } from './metadata.ts'
import { announceUpload, putPart, readPartNumber, uploadOf } from './multipart-operations.ts'
import {
  announce,
  checkVersionId,
  existingObject,
  objectOf,
  readOverwrite,
  versionHeaders,
  writtenHeaders,
} from './object-operations.ts'
import type { ObjectRecord, ObjectSettings } from './records.ts'
import { checkBucketName, checkKey, decodeKey, type OssRequest } from './request.ts'
import { checkReadable } from './restoration.ts'
import type { ObjectName } from './tables.ts'
import { lingerFor } from './traffic.ts'
import { versionIdOf } from './versions.ts'

export const copyObject: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = objectOf(context)
    const overwrite = readOverwrite(context, name)
    const { source, versionId } = readSource(context)
    if (checkConditions(source, request.header, 'x-oss-copy-source-') === 'not_modified') return { status: 304 }
    const settings = readCopySettings(context, source, name)
    // Before it takes its time, in which the source may be replaced.
    const content = await copyContent(context, source)
    await lingerFor(source.size, request)
    const made: ObjectRecord = { ...content, ...settings, lastModifiedAt: context.now() }
    const record = await store.putObject(name, made, overwrite)
    announce(context, 'CopyObject', name, record)
    const document = { ETag: quoted(record.eTag), LastModified: xmlDate(record.lastModifiedAt) }
    const copied: Headers = versionId === undefined ? [] : [['x-oss-copy-source-version-id', versionId]]
    const headers = [...writtenHeaders(record), ...versionHeaders(context, name, record), ...copied]
    return xmlReply(writeXml('CopyObjectResult', document), headers)
  },
}

/** What belongs to the bytes; an appendable object becomes a normal one, whose ETag is the sum of its bytes. */
async function copyContent(context: Context, source: ObjectRecord): Promise<Omit<ObjectRecord, keyof ObjectSettings>> {
  const { blobs } = context.store
  const release = blobs.pin(source.blobs)
  const { type, size, eTag, crc64, target, lastModifiedAt } = source
  try {
    if (type === 'Appendable') {
      const stored = await storeBytes(context, blobs.read(source.blobs, 0, size - 1))
      const sum = stored.md5.toString('hex').toUpperCase()
      return { type: 'Normal', size, eTag: sum, crc64, blobs: stored.blobs, lastModifiedAt }
    }
    const copies = await blobs.copy(source.blobs)
    return { type, size, eTag, crc64, blobs: copies, lastModifiedAt, ...(target !== undefined && { target }) }
  } finally {
    release()
  }
}

/** The source's headers and tags unless others are asked for; class and encryption are never the source's. */
function readCopySettings(context: Context, source: ObjectRecord, name: ObjectName): ObjectSettings {
  const { request, store } = context
  const own = readSettings(request, store.bucket(name.bucket))
  const headers = readDirective(request, 'x-oss-metadata-directive') === 'REPLACE' ? own.headers : source.headers
  const tags = readDirective(request, 'x-oss-tagging-directive') === 'REPLACE' ? own.tags : source.tags
  const { acl, storageClass, encryption } = own
  if (tags?.length) context.authorize('oss:PutObjectTagging', name)
  return { headers, acl, storageClass, ...(encryption && { encryption }), ...(tags && { tags }) }
}

function readDirective(request: OssRequest, name: string): 'COPY' | 'REPLACE' {
  const directive = request.header(name)?.toUpperCase() ?? 'COPY'
  if (directive === 'COPY' || directive === 'REPLACE') return directive
  throw invalidArgument(name, directive.slice(0, 64), 'The directive must be COPY or REPLACE.')
}

interface Source {
  readonly source: ObjectRecord
  /** As it was asked for, or as the bucket of the source names it. */
  readonly versionId: string | undefined
}

/** The object that is copied from; to read it is a right of its own. */
function readSource(context: Context): Source {
  const { versionId, ...name } = parseSource(context.request.header('x-oss-copy-source') ?? '')
  context.authorize(versionId === undefined ? 'oss:GetObject' : 'oss:GetObjectVersion', { ...name, versionId })
  const source = existingObject(context, name, versionId)
  checkReadable(context, name, source)
  const kept = context.store.bucket(name.bucket).versioning !== undefined
  return { source, versionId: versionId ?? (kept ? versionIdOf(source) : undefined) }
}

function parseSource(text: string): ObjectName & { readonly versionId: string | undefined } {
  const mark = text.indexOf('?')
  const path = mark < 0 ? text : text.slice(0, mark)
  const [, bucket, encoded] = /^\/?([^/]+)\/(.+)$/.exec(path) ?? []
  if (!bucket || !encoded) throw invalidSource(text)
  return {
    ...sourceName(bucket, encoded, text),
    versionId: mark < 0 ? undefined : sourceVersion(text.slice(mark + 1), text),
  }
}

function sourceName(bucket: string, encoded: string, text: string): ObjectName {
  try {
    return { bucket: checkBucketName(bucket), key: checkKey(decodeKey(encoded)) }
  } catch {
    throw invalidSource(text)
  }
}

function sourceVersion(query: string, text: string): string | undefined {
  const [name, value, ...rest] = query.split('=')
  if (name !== 'versionId' || rest.length > 0) throw invalidSource(text)
  try {
    return checkVersionId(decodeURIComponent(value ?? ''))
  } catch {
    throw invalidArgument('versionId', (value ?? '').slice(0, 128), 'Invalid version id specified')
  }
}

function invalidSource(text: string): OssError {
  return invalidArgument('x-oss-copy-source', text.slice(0, 128), 'Copy Source must mention the source bucket and key.')
}

export const uploadPartCopy: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = uploadOf(context)
    const number = readPartNumber(request)
    const upload = store.uploads.get(name)
    const { source, versionId } = readSource(context)
    if (source.target !== undefined) throw new OssError('InvalidTargetType')
    if (checkConditions(source, request.header, 'x-oss-copy-source-') === 'not_modified') return { status: 304 }
    const { start, end } = readSourceRange(request, source.size)
    const release = store.blobs.pin(source.blobs)
    const stored = await storeBytes(context, store.blobs.read(source.blobs, start, end)).finally(release)
    const part = await putPart(context, name, number, stored)
    announceUpload(context, 'UploadPartCopy', upload, part)
    const document = { LastModified: xmlDate(part.lastModifiedAt), ETag: quoted(part.eTag) }
    const copied: Headers = versionId === undefined ? [] : [['x-oss-copy-source-version-id', versionId]]
    return xmlReply(writeXml('CopyPartResult', document), [...writtenHeaders(part), ...copied])
  },
}

function readSourceRange(request: OssRequest, size: number): ByteRange {
  const text = request.header('x-oss-copy-source-range')
  if (text === undefined) return { start: 0, end: size - 1 }
  const [, from, to] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(text) ?? []
  if (from === undefined) throw invalidArgument('x-oss-copy-source-range', text.slice(0, 64), 'The range is invalid.')
  const start = Number(from)
  const end = to ? Number(to) : size - 1
  if (start <= end && end < size) return { start, end }
  throw new OssError('InvalidRange', { ActualObjectSize: size, RangeRequested: text })
}
