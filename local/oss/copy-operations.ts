import { writeXml } from '../wire/xml.ts'
import { storeBytes } from './bodies.ts'
import { type ByteRange, checkConditions } from './conditions.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { quoted, readSettings, xmlDate } from './metadata.ts'
import { announceUpload, putPart, readPartNumber, uploadOf } from './multipart-operations.ts'
import { announce, existingObject, objectOf, readOverwrite, writtenHeaders } from './object-operations.ts'
import type { ObjectRecord, ObjectSettings } from './records.ts'
import { checkBucketName, checkKey, type OssRequest } from './request.ts'
import type { ObjectName } from './tables.ts'

export const copyObject: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = objectOf(context)
    const overwrite = readOverwrite(context, name)
    const source = readSource(context)
    if (checkConditions(source, request.header, 'x-oss-copy-source-') === 'not_modified') return { status: 304 }
    const settings = readDirective(request) === 'REPLACE' ? readSettings(request) : keptSettings(request, source)
    const release = store.blobs.pin(source.blobs)
    const blobs = await store.blobs.copy(source.blobs).finally(release)
    const record: ObjectRecord = { ...source, ...settings, blobs, lastModifiedAt: context.now() }
    await store.putObject(name, record, overwrite)
    announce(context, 'CopyObject', name, record)
    const document = { ETag: quoted(record.eTag), LastModified: xmlDate(record.lastModifiedAt) }
    return xmlReply(writeXml('CopyObjectResult', document), writtenHeaders(record))
  },
}

function keptSettings(request: OssRequest, source: ObjectRecord): ObjectSettings {
  const { acl, storageClass } = readSettings(request)
  return { headers: source.headers, acl, storageClass }
}

function readDirective(request: OssRequest): 'COPY' | 'REPLACE' {
  const directive = request.header('x-oss-metadata-directive')?.toUpperCase() ?? 'COPY'
  if (directive === 'COPY' || directive === 'REPLACE') return directive
  throw invalidArgument('x-oss-metadata-directive', directive.slice(0, 64), 'The directive must be COPY or REPLACE.')
}

/** The object that is copied from; to read it is a right of its own. */
function readSource(context: Context): ObjectRecord {
  const name = parseSource(context.request.header('x-oss-copy-source') ?? '')
  context.authorize('oss:GetObject', name)
  return existingObject(context, name)
}

function parseSource(text: string): ObjectName {
  if (text.includes('?')) throw new OssError('NotImplemented', { Header: 'x-oss-copy-source', Parameters: 'versionId' })
  const [, bucket, encoded] = /^\/?([^/]+)\/(.+)$/.exec(text) ?? []
  if (!bucket || !encoded) throw invalidSource(text)
  try {
    return { bucket: checkBucketName(bucket), key: checkKey(decodeURIComponent(encoded)) }
  } catch {
    throw invalidSource(text)
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
    const source = readSource(context)
    if (source.target !== undefined) throw new OssError('InvalidTargetType')
    if (checkConditions(source, request.header, 'x-oss-copy-source-') === 'not_modified') return { status: 304 }
    const { start, end } = readSourceRange(request, source.size)
    const release = store.blobs.pin(source.blobs)
    const stored = await storeBytes(context, store.blobs.read(source.blobs, start, end)).finally(release)
    const part = await putPart(context, name, number, stored)
    announceUpload(context, 'UploadPartCopy', upload, part)
    const document = { LastModified: xmlDate(part.lastModifiedAt), ETag: quoted(part.eTag) }
    return xmlReply(writeXml('CopyPartResult', document), writtenHeaders(part))
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
