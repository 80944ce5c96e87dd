import { writeXml, type XmlFields } from '../wire/xml.ts'
import { bucketOf, owner } from './bucket-operations.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument } from './errors.ts'
import { checkListText, type Entry, justAfter, listPage, nameEncoder, type Page, readPageSize } from './listing.ts'
import { quoted, xmlDate } from './metadata.ts'
import { restorationState } from './restoration.ts'
import type { ListedObject } from './store.ts'
import { following } from './tables.ts'
import type { ListedUpload } from './uploads.ts'

export const listObjects: Operation = {
  action: 'oss:ListObjects',
  run(context) {
    const { request } = context
    const marker = checkListText(request, 'marker')
    const query = readListQuery(context)
    const page = objectsAfter(context, query, marker)
    const encode = nameEncoder(request)
    return xmlReply(
      writeXml('ListBucketResult', {
        Name: bucketOf(context),
        Prefix: encode(query.prefix),
        Marker: encode(marker),
        MaxKeys: query.max,
        Delimiter: encode(query.delimiter),
        EncodingType: request.param('encoding-type') || undefined,
        IsTruncated: page.last !== undefined,
        NextMarker: page.last && encode(nameOf(page.last)),
        Contents: page.rows.map((row) => describeRow(context, row, encode, owner(context))),
        CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
      }),
    )
  },
}

export const listObjectsV2: Operation = {
  action: 'oss:ListObjects',
  run(context) {
    const { request } = context
    if (request.param('list-type') !== '2') {
      throw invalidArgument('list-type', request.param('list-type') ?? '', 'The list-type must be 2.')
    }
    const token = request.param('continuation-token') || undefined
    const startAfter = checkListText(request, 'start-after')
    const query = readListQuery(context)
    const page = objectsAfter(context, query, token === undefined ? startAfter : readToken(token))
    const encode = nameEncoder(request)
    const shownOwner = request.param('fetch-owner') === 'true' ? owner(context) : undefined
    return xmlReply(
      writeXml('ListBucketResult', {
        Name: bucketOf(context),
        Prefix: encode(query.prefix),
        StartAfter: encode(startAfter) || undefined,
        ContinuationToken: token,
        MaxKeys: query.max,
        Delimiter: encode(query.delimiter),
        EncodingType: request.param('encoding-type') || undefined,
        IsTruncated: page.last !== undefined,
        NextContinuationToken: page.last && Buffer.from(nameOf(page.last)).toString('base64'),
        Contents: page.rows.map((row) => describeRow(context, row, encode, shownOwner)),
        CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
        KeyCount: page.rows.length + page.prefixes.length,
      }),
    )
  },
}

/** The token is the last name that was told. */
function readToken(token: string): string {
  const name = Buffer.from(token, 'base64').toString()
  if (Buffer.from(name).toString('base64') === token) return name
  throw invalidArgument('continuation-token', token.slice(0, 64), 'The continuation token provided is incorrect.')
}

interface ListQuery {
  readonly prefix: string
  readonly delimiter: string
  readonly max: number
}

function readListQuery({ request }: Context): ListQuery {
  const prefix = checkListText(request, 'prefix')
  const delimiter = checkListText(request, 'delimiter')
  return { prefix, delimiter, max: readPageSize(request, 'max-keys', 100) }
}

function objectsAfter(context: Context, query: ListQuery, after: string): Page<ListedObject> {
  const bucket = bucketOf(context)
  context.store.bucket(bucket)
  return listPage({
    ...query,
    from: justAfter(after),
    after,
    scan: (from) => context.store.objects(bucket, query.prefix, from),
    keyOf: (row) => row.key,
  })
}

function nameOf(entry: { row: { key: string } } | { prefix: string }): string {
  return 'prefix' in entry ? entry.prefix : entry.row.key
}

function describeRow(
  context: Context,
  { key, record }: ListedObject,
  encode: (name: string) => string,
  shown?: XmlFields,
): XmlFields {
  return {
    Key: encode(key),
    LastModified: xmlDate(record.lastModifiedAt),
    ETag: quoted(record.eTag),
    Type: record.type,
    Size: record.size,
    StorageClass: record.storageClass,
    Owner: shown,
    RestoreInfo: restorationState(record, context.now()),
  }
}

export const listMultipartUploads: Operation = {
  action: 'oss:ListMultipartUploads',
  run(context) {
    const { request } = context
    const keyMarker = checkListText(request, 'key-marker')
    // Without a key marker an upload id marker means nothing.
    const uploadMarker = keyMarker === '' ? '' : (request.param('upload-id-marker') ?? '')
    const max = readPageSize(request, 'max-uploads', 1000)
    const prefix = checkListText(request, 'prefix')
    const delimiter = checkListText(request, 'delimiter')
    const page = uploadsAfter(context, { prefix, delimiter, max }, keyMarker, uploadMarker)
    const last = page.last ?? lastOf(page)
    const encode = nameEncoder(request)
    return xmlReply(
      writeXml('ListMultipartUploadsResult', {
        Bucket: bucketOf(context),
        EncodingType: request.param('encoding-type') || undefined,
        KeyMarker: encode(keyMarker),
        UploadIdMarker: uploadMarker,
        // Told after the last page too, as the suite of the SDK for Java wants it.
        NextKeyMarker: last && encode(nameOf(last)),
        NextUploadIdMarker: last && ('row' in last ? last.row.uploadId : ''),
        Delimiter: encode(delimiter),
        Prefix: encode(prefix),
        MaxUploads: max,
        IsTruncated: page.last !== undefined,
        Upload: page.rows.map((row) => ({
          Key: encode(row.key),
          UploadId: row.uploadId,
          StorageClass: row.record.storageClass,
          Initiated: xmlDate(row.record.initiatedAt),
        })),
        CommonPrefixes: page.prefixes.map((one) => ({ Prefix: encode(one) })),
      }),
    )
  },
}

/** The entry at the end of a page, be it an upload or a group of them. */
function lastOf({ rows, prefixes }: Page<ListedUpload>): Entry<ListedUpload> | undefined {
  const row = rows.at(-1)
  const prefix = prefixes.at(-1)
  if (row === undefined) return prefix === undefined ? undefined : { prefix }
  const isRow = prefix === undefined || Buffer.compare(Buffer.from(prefix), Buffer.from(row.key)) < 0
  return isRow ? { row } : { prefix }
}

function uploadsAfter(context: Context, query: ListQuery, keyMarker: string, uploadMarker: string): Page<ListedUpload> {
  const bucket = bucketOf(context)
  context.store.bucket(bucket)
  return listPage({
    ...query,
    from: afterUpload(keyMarker, uploadMarker),
    after: keyMarker,
    scan: (from) => context.store.uploads.list(bucket, query.prefix, from),
    keyOf: (row) => row.key,
  })
}

/** Rows are `key NUL id`: after one upload of a key, or after all of them. */
function afterUpload(key: string, uploadId: string): Buffer {
  if (key === '') return Buffer.alloc(0)
  return following(Buffer.from(uploadId === '' ? `${key}\0` : `${key}\0${uploadId}`))
}
