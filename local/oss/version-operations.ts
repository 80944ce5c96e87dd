import { writeXml, type XmlFields } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf, owner } from './bucket-operations.ts'
import { type Context, type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { checkListText, listPage, nameEncoder, type Page, readPageSize } from './listing.ts'
import { quoted, xmlDate } from './metadata.ts'
import { restorationState } from './restoration.ts'
import { following } from './tables.ts'
import { type ListedVersion, sequenceOf, versionIdOf } from './versions.ts'

export const putBucketVersioning: Operation = {
  action: 'oss:PutBucketVersioning',
  async run(context) {
    context.store.bucket(bucketOf(context))
    const document = await readXmlBody(context.request, 'VersioningConfiguration')
    const status = document.value('Status')?.trim()
    if (status !== 'Enabled' && status !== 'Suspended') throw new OssError('MalformedXML')
    await context.store.changeBucket(bucketOf(context), { versioning: status })
    return { status: 200 }
  },
}

export const getBucketVersioning: Operation = {
  action: 'oss:GetBucketVersioning',
  run(context) {
    const { versioning } = context.store.bucket(bucketOf(context))
    return xmlReply(writeXml('VersioningConfiguration', { Status: versioning }))
  },
}

export const listObjectVersions: Operation = {
  action: 'oss:ListObjectVersions',
  run(context) {
    const { request } = context
    const keyMarker = checkListText(request, 'key-marker')
    const versionMarker = checkListText(request, 'version-id-marker')
    if (versionMarker !== '' && keyMarker === '') {
      const message = 'A version-id marker cannot be specified without a key marker.'
      throw invalidArgument('version-id-marker', versionMarker.slice(0, 64), message)
    }
    const prefix = checkListText(request, 'prefix')
    const delimiter = checkListText(request, 'delimiter')
    const max = readPageSize(request, 'max-keys', 100)
    const page = versionsAfter(context, { prefix, delimiter, max }, keyMarker, versionMarker)
    const encode = nameEncoder(request)
    const { last } = page
    const next = last && ('row' in last ? last.row.key : last.prefix)
    const ofKind = (marker: boolean) => page.rows.filter(({ version }) => (version.type === 'DeleteMarker') === marker)
    return xmlReply(
      writeXml('ListVersionsResult', {
        Name: bucketOf(context),
        Prefix: encode(prefix),
        KeyMarker: encode(keyMarker),
        VersionIdMarker: versionMarker,
        MaxKeys: max,
        Delimiter: encode(delimiter),
        EncodingType: request.param('encoding-type') || undefined,
        IsTruncated: last !== undefined,
        NextKeyMarker: next && encode(next),
        NextVersionIdMarker: last && 'row' in last ? versionIdOf(last.row.version) : undefined,
        DeleteMarker: ofKind(true).map((row) => describe(context, row, encode)),
        Version: ofKind(false).map((row) => describe(context, row, encode)),
        CommonPrefixes: page.prefixes.map((one) => ({ Prefix: encode(one) })),
      }),
    )
  },
}

function describe(
  context: Context,
  { key, version, latest }: ListedVersion,
  encode: (name: string) => string,
): XmlFields {
  const common = { Key: encode(key), VersionId: versionIdOf(version), IsLatest: latest }
  const LastModified = xmlDate(version.lastModifiedAt)
  if (version.type === 'DeleteMarker') return { ...common, LastModified, Owner: owner(context) }
  return {
    ...common,
    LastModified,
    ETag: quoted(version.eTag),
    Type: version.type,
    Size: version.size,
    StorageClass: version.storageClass,
    RestoreInfo: restorationState(version, context.now()),
    Owner: owner(context),
  }
}

interface Query {
  readonly prefix: string
  readonly delimiter: string
  readonly max: number
}

function versionsAfter(context: Context, query: Query, keyMarker: string, versionMarker: string): Page<ListedVersion> {
  const bucket = bucketOf(context)
  context.store.bucket(bucket)
  const from = versionMarker === '' ? afterKey(keyMarker) : Buffer.from(keyMarker)
  return listPage({
    ...query,
    from,
    after: keyMarker,
    scan: (start) => afterVersion(context.store.versions(bucket, query.prefix, start), keyMarker, versionMarker),
    keyOf: ({ key }) => key,
  })
}

/** After all versions of a key. */
function afterKey(key: string): Buffer {
  return key === '' ? Buffer.alloc(0) : following(Buffer.from(`${key}\0`))
}

/** Passes over the versions of the marker's key that are not older than it. */
function* afterVersion(rows: Iterable<ListedVersion>, key: string, versionId: string): Iterable<ListedVersion> {
  const sequence = sequenceOf(versionId)
  let passed = versionId === ''
  for (const row of rows) {
    if (passed || row.key !== key) {
      yield row
      continue
    }
    passed = versionIdOf(row.version) === versionId
    // The marker itself may have been deleted meanwhile; its place in the order is in its name.
    const older = !passed && sequence !== undefined && (row.version.sequence ?? 0) < sequence
    if (older) {
      passed = true
      yield row
    }
  }
}
