import { createHash, randomBytes } from 'node:crypto'
import { writeXml, type XmlElement } from '../wire/xml.ts'
import type { StoredBody } from './blobs.ts'
import { readXmlBody, storeBody } from './bodies.ts'
import { plainETag } from './conditions.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { combineCrc64 } from './crc64.ts'
import { encryptionHeaders } from './encryption.ts'
import { invalidArgument, OssError } from './errors.ts'
import { nameEncoder, readPageSize } from './listing.ts'
import { contentTypeOf, quoted, readObjectAcl, readSettings, userMetaOf, xmlDate } from './metadata.ts'
import { announce, objectOf, readOverwrite, versionHeaders, writtenHeaders } from './object-operations.ts'
import type { ObjectRecord, PartRecord, UploadRecord } from './records.ts'
import type { OssRequest } from './request.ts'
import type { UploadName } from './tables.ts'
import type { NumberedPart } from './uploads.ts'

const MAX_PARTS = 10_000
/** No part but the last may be smaller. https://help.aliyun.com/zh/oss/developer-reference/completemultipartupload */
const MIN_PART_BYTES = 100 * 1024

/** Name of the upload that a request is about. */
export function uploadOf(context: Context): UploadName {
  const uploadId = context.request.param('uploadId') ?? ''
  // Ids are ours, so anything else cannot be one; it must not reach the index as a key either.
  if (!/^[0-9A-F]{32}$/.test(uploadId)) throw new OssError('NoSuchUpload', { UploadId: uploadId.slice(0, 64) })
  return { ...objectOf(context), uploadId }
}

/** 1 to 10000. */
export function readPartNumber(request: OssRequest): number {
  const text = request.param('partNumber') ?? ''
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= MAX_PARTS) return number
  const message = 'Part number must be an integer between 1 and 10000, inclusive'
  throw invalidArgument('partNumber', text.slice(0, 64), message)
}

/** The service announces the beginning and the parts of an upload too; who listens chooses by name. */
export function announceUpload(
  context: Context,
  operation: string,
  { headers }: UploadRecord,
  { size, eTag }: Pick<PartRecord, 'size' | 'eTag'>,
): void {
  context.emit({
    eventName: `ObjectCreated:${operation}`,
    ...objectOf(context),
    size,
    eTag,
    contentType: contentTypeOf(headers),
    userMeta: userMetaOf(headers),
  })
}

/** Stores the bytes of one part. */
export async function putPart(
  { store, now }: Context,
  name: UploadName,
  number: number,
  stored: StoredBody,
): Promise<PartRecord> {
  const part: PartRecord = {
    size: stored.size,
    eTag: stored.md5.toString('hex').toUpperCase(),
    crc64: stored.crc64.toString(),
    blobs: stored.blobs,
    lastModifiedAt: now(),
  }
  await store.uploads.putPart(name, number, part)
  return part
}

export const initiateMultipartUpload: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const object = objectOf(context)
    readOverwrite(context, object)
    const settings = readSettings(request, store.bucket(object.bucket))
    if (settings.tags) context.authorize('oss:PutObjectTagging', object)
    // The ACL is a matter of the completion: the service leaves out what is asked for here.
    const record: UploadRecord = { ...settings, acl: 'default', initiatedAt: context.now() }
    // Ids of one key are listed in the order in which the uploads began.
    const uploadId = `${context.now().toString(16).padStart(12, '0')}${randomBytes(10).toString('hex')}`.toUpperCase()
    await store.uploads.start({ ...object, uploadId }, record)
    announceUpload(context, 'InitiateMultipartUpload', record, { size: 0, eTag: '' })
    const key = nameEncoder(request)(object.key)
    const type = request.param('encoding-type') || undefined
    const document = { EncodingType: type, Bucket: object.bucket, Key: key, UploadId: uploadId }
    return xmlReply(writeXml('InitiateMultipartUploadResult', document), encryptionHeaders(record.encryption))
  },
}

export const uploadPart: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = uploadOf(context)
    const number = readPartNumber(request)
    const upload = store.uploads.get(name)
    const stored = await storeBody(context)
    const part = await putPart(context, name, number, stored)
    announceUpload(context, 'UploadPart', upload, part)
    const headers = [...writtenHeaders(part), ...encryptionHeaders(upload.encryption)]
    return { status: 200, headers: [...headers, ['Content-MD5', stored.md5.toString('base64')]] }
  },
}

export const completeMultipartUpload: Operation = {
  action: 'oss:PutObject',
  async run(context) {
    const { request, store } = context
    const name = uploadOf(context)
    store.uploads.get(name)
    const overwrite = readOverwrite(context, name)
    const wanted = await readWantedParts(request)
    const acl = request.header('x-oss-object-acl') === undefined ? {} : { acl: readObjectAcl(request) }
    const record = await store.uploads.complete(name, overwrite, (stored, upload) => ({
      ...joinParts(choose(wanted, stored), upload, context.now()),
      ...acl,
    }))
    announce(context, 'CompleteMultipartUpload', { bucket: name.bucket, key: name.key }, record)
    const encode = nameEncoder(request)
    const document = {
      EncodingType: request.param('encoding-type') || undefined,
      Location: locationOf(request),
      Bucket: name.bucket,
      Key: encode(name.key),
      ETag: quoted(record.eTag),
    }
    const headers = [...writtenHeaders(record), ...versionHeaders(context, name, record)]
    return xmlReply(writeXml('CompleteMultipartUploadResult', document), headers)
  },
}

/** Where the object is, with its name as it is and not encoded. */
function locationOf({ header, bucket, key, message }: OssRequest): string {
  const host = header('host') ?? 'localhost'
  const inPath = message.url?.startsWith(`/${bucket}/`) && !host.startsWith(`${bucket}.`)
  return `http://${host}/${inPath ? `${bucket}/` : ''}${key ?? ''}`
}

interface WantedPart {
  readonly number: number
  readonly eTag: string
}

/** The parts that the client names, or `all` with x-oss-complete-all. */
async function readWantedParts(request: OssRequest): Promise<readonly WantedPart[] | 'all'> {
  if (request.header('x-oss-complete-all')?.toLowerCase() === 'yes') {
    if (Number(request.header('content-length') ?? 0) === 0) return 'all'
    throw invalidArgument('x-oss-complete-all', 'yes', 'The request body must be empty with x-oss-complete-all.')
  }
  const body = await readXmlBody(request, 'CompleteMultipartUpload')
  const parts = body.all('Part').map(readWantedPart)
  if (parts.length === 0 || parts.length > MAX_PARTS) throw new OssError('MalformedXML')
  const unordered = parts.some(({ number }, index) => index > 0 && number <= (parts[index - 1]?.number ?? 0))
  if (unordered) throw new OssError('InvalidPartOrder')
  return parts
}

function readWantedPart(part: XmlElement): WantedPart {
  const number = part.value('PartNumber')?.trim() ?? ''
  const eTag = part.value('ETag')?.trim()
  if (!/^\d{1,5}$/.test(number) || eTag === undefined) throw new OssError('MalformedXML')
  return { number: Number(number), eTag: plainETag(eTag) }
}

function choose(wanted: readonly WantedPart[] | 'all', stored: readonly NumberedPart[]): readonly PartRecord[] {
  if (wanted === 'all') return stored.map(({ part }) => part)
  const byNumber = new Map(stored.map(({ number, part }) => [number, part]))
  return wanted.map(({ number, eTag }) => {
    const part = byNumber.get(number)
    if (part?.eTag === eTag) return part
    throw new OssError('InvalidPart', { PartNumber: number, PartEtag: eTag })
  })
}

function joinParts(parts: readonly PartRecord[], upload: UploadRecord, now: number): ObjectRecord {
  if (parts.length === 0) throw new OssError('InvalidPart')
  const small = parts.findIndex((part, index) => part.size < MIN_PART_BYTES && index < parts.length - 1)
  if (small >= 0) {
    const details = { ProposedSize: parts[small]?.size ?? 0, MinSizeAllowed: MIN_PART_BYTES, PartNumber: small + 1 }
    throw new OssError('EntityTooSmall', details)
  }
  const md5 = createHash('md5')
  // Over the texts of the parts' ETags, as the example of the reference has it (test/contracts/oss.local.test.ts).
  for (const part of parts) md5.update(part.eTag)
  return {
    headers: upload.headers,
    acl: upload.acl,
    storageClass: upload.storageClass,
    ...(upload.tags && { tags: upload.tags }),
    ...(upload.encryption && { encryption: upload.encryption }),
    type: 'Multipart',
    size: parts.reduce((sum, part) => sum + part.size, 0),
    eTag: `${md5.digest('hex').toUpperCase()}-${parts.length}`,
    crc64: parts.reduce((sum, part) => combineCrc64(sum, BigInt(part.crc64), part.size), 0n).toString(),
    blobs: parts.flatMap((part) => part.blobs),
    lastModifiedAt: now,
  }
}

export const abortMultipartUpload: Operation = {
  action: 'oss:AbortMultipartUpload',
  async run(context) {
    await context.store.uploads.abort(uploadOf(context))
    return { status: 204 }
  },
}

export const listParts: Operation = {
  action: 'oss:ListParts',
  run(context) {
    const { request, store } = context
    const name = uploadOf(context)
    const upload = store.uploads.get(name)
    const marker = readMarker(request)
    const max = readPageSize(request, 'max-parts', 1000)
    const encode = nameEncoder(request)
    const found = store.uploads.parts(name).filter(({ number }) => number > marker)
    const page = found.slice(0, max)
    return xmlReply(
      writeXml('ListPartsResult', {
        EncodingType: request.param('encoding-type') || undefined,
        Bucket: name.bucket,
        Key: encode(name.key),
        UploadId: name.uploadId,
        StorageClass: upload.storageClass,
        PartNumberMarker: marker,
        NextPartNumberMarker: page.at(-1)?.number ?? marker,
        MaxParts: max,
        IsTruncated: found.length > page.length,
        Part: page.map(({ number, part }) => ({
          PartNumber: number,
          LastModified: xmlDate(part.lastModifiedAt),
          ETag: quoted(part.eTag),
          HashCrc64ecma: part.crc64,
          Size: part.size,
        })),
      }),
    )
  },
}

function readMarker(request: OssRequest): number {
  const text = request.param('part-number-marker') || '0'
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw invalidArgument('part-number-marker', text.slice(0, 64), 'The part number marker must be an integer.')
}
