import { readXml, writeXml, type XmlFields } from '../wire/xml.ts'
import { readOptionalXmlBody } from './bodies.ts'
import { type Context, type Operation, type Reply, xmlReply } from './context.ts'
import type { Headers } from './cors.ts'
import { defaultEncryption, encryptionDocument, readEncryption } from './encryption.ts'
import { invalidArgument, OssError } from './errors.ts'
import { readPageSize } from './listing.ts'
import { isBucketAcl, readStorageClass, xmlDate } from './metadata.ts'
import type { BucketAcl, BucketRecord, ObjectRecord, StorageClass, Tags } from './records.ts'
import { checkBucketName, type OssRequest } from './request.ts'
import { BUCKET_TAGS, readTags } from './tags.ts'

/** Name of the bucket that a bucket or object operation is about; `detect` has chosen the operation by its presence. */
export function bucketOf({ request }: Context): string {
  if (request.bucket === undefined) throw new OssError('InvalidBucketName')
  return request.bucket
}

/** Whose things these are, as every document spells it. */
export function owner({ accountId }: Context): XmlFields {
  return { ID: accountId, DisplayName: accountId }
}

export const listBuckets: Operation = {
  action: 'oss:ListBuckets',
  run(context) {
    const { request, store } = context
    const prefix = request.param('prefix') ?? ''
    // No name begins so; the suite of the SDK for Go wants that refused, under which code is not known.
    if (!/^[a-z0-9-]*$/.test(prefix))
      throw invalidArgument('prefix', prefix.slice(0, 64), 'Invalid bucket name prefix.')
    const marker = request.param('marker') ?? ''
    const max = readPageSize(request, 'max-keys', 100)
    const wanted = readTagFilter(request)
    const found = store
      .buckets()
      .filter(({ name, record }) => name.startsWith(prefix) && name > marker && hasTags(record, wanted))
    const page = found.slice(0, max)
    const truncated = found.length > max
    return xmlReply(
      writeXml('ListAllMyBucketsResult', {
        Prefix: prefix || undefined,
        Marker: marker || undefined,
        MaxKeys: max,
        IsTruncated: truncated,
        NextMarker: truncated ? page.at(-1)?.name : undefined,
        Owner: owner(context),
        Buckets: {
          Bucket: page.map(({ name, record }) => ({
            ...describeBucket(context, name, record),
            ...shownTags(record, wanted),
          })),
        },
      }),
    )
  },
}

/** The one region that there is. */
export const describeRegions: Operation = {
  action: 'oss:DescribeRegions',
  run({ region }) {
    const name = `oss-${region}`
    const info = {
      Region: name,
      InternetEndpoint: `${name}.aliyuncs.com`,
      InternalEndpoint: `${name}-internal.aliyuncs.com`,
      AccelerateEndpoint: 'oss-accelerate.aliyuncs.com',
    }
    return xmlReply(writeXml('RegionInfoList', { RegionInfo: info }))
  },
}

/** A tag that is looked for; any value will do where none is named. */
interface WantedTag {
  readonly key: string
  readonly value: string | undefined
}

/** `?tagging="a":"1","b":"2"`, or `tag-key` and `tag-value`: buckets that have all of them. */
function readTagFilter(request: OssRequest): readonly WantedTag[] {
  const listed = [...(request.param('tagging') ?? '').matchAll(/"([^"]*)":"([^"]*)"/g)]
  const key = request.param('tag-key')
  const single = key === undefined ? [] : [{ key, value: request.param('tag-value') }]
  return [...single, ...listed.map(([, name = '', value]) => ({ key: name, value }))]
}

function hasTags(record: BucketRecord, wanted: readonly WantedTag[]): boolean {
  if (wanted.length === 0) return true
  const tags = tagsOf(record)
  return wanted.every((one) => tags.some(([key, value]) => key === one.key && value === (one.value ?? value)))
}

/** Who asks for buckets by their tags is told the tags. */
function shownTags(record: BucketRecord, wanted: readonly WantedTag[]): XmlFields {
  if (wanted.length === 0) return {}
  return { Tagging: { TagSet: { Tag: tagsOf(record).map(([Key, Value]) => ({ Key, Value })) } } }
}

function tagsOf({ settings }: BucketRecord): Tags {
  const text = settings?.tagging
  return text === undefined ? [] : readTags(readXml(text, 'Tagging'), BUCKET_TAGS)
}

/** To make one's own bucket once more changes its ACL, if one is given, and nothing else. */
export const putBucket: Operation = {
  action: 'oss:PutBucket',
  async run(context) {
    const { request, store } = context
    const name = checkBucketName(bucketOf(context))
    const acl = readBucketAcl(request)
    const encryption = readEncryption(request)
    const { storageClass, redundancy } = await readConfiguration(context)
    const existing = store.findBucket(name)
    if (existing && storageClass && storageClass !== (existing.storageClass ?? 'Standard')) {
      const message = "Cannot modify existing bucket's storage class."
      throw new OssError('BucketAlreadyExists', { BucketName: name }, message)
    }
    const made = { createdAt: context.now(), acl: acl ?? 'private', cors: [] } as const
    await store.createBucket(name, {
      ...made,
      ...(storageClass && { storageClass }),
      ...(redundancy && { redundancy }),
      ...(encryption && { settings: { encryption: encryptionDocument(encryption) } }),
    })
    if (existing && acl) await changeAcl(context, acl)
    return { status: 200, headers: [['Location', `/${name}`]] }
  },
}

async function readConfiguration({ request, region }: Context) {
  const body = await readOptionalXmlBody(request, 'CreateBucketConfiguration')
  const storageClass = body?.value('StorageClass')?.trim() || request.header('x-oss-storage-class')
  const redundancy = body?.value('DataRedundancyType')?.trim() || 'LRS'
  const location = body?.value('LocationConstraint')?.trim() || `oss-${region}`
  if (location !== `oss-${region}`) throw new OssError('InvalidLocationConstraint', { Location: location.slice(0, 64) })
  if (redundancy !== 'LRS' && redundancy !== 'ZRS') throw new OssError('MalformedXML')
  return {
    storageClass: readStorageClass(storageClass),
    redundancy: redundancy === 'LRS' ? undefined : redundancy,
  } as const
}

export const deleteBucket: Operation = {
  action: 'oss:DeleteBucket',
  async run(context) {
    await context.store.removeBucket(bucketOf(context))
    return { status: 204 }
  },
}

export const headBucket: Operation = {
  action: 'oss:GetBucketInfo',
  run(context) {
    context.store.bucket(bucketOf(context))
    return { status: 200, headers: [['x-oss-bucket-region', `oss-${context.region}`]] }
  },
}

export const getBucketInfo: Operation = {
  action: 'oss:GetBucketInfo',
  run(context) {
    const name = bucketOf(context)
    const record = context.store.bucket(name)
    const encryption = defaultEncryption(record)
    const is = (setting: string, text: string) => record.settings?.[setting]?.includes(text) ?? false
    return xmlReply(
      writeXml('BucketInfo', {
        Bucket: {
          AccessMonitor: is('accessmonitor', 'Enabled') ? 'Enabled' : 'Disabled',
          BlockPublicAccess: is('publicAccessBlock', 'true'),
          Comment: '',
          ...describeBucket(context, name, record),
          CrossRegionReplication: 'Disabled',
          DataRedundancyType: record.redundancy ?? 'LRS',
          ResourceGroupId: 'rg-default',
          TransferAcceleration: is('transferAcceleration', 'true') ? 'Enabled' : 'Disabled',
          Versioning: record.versioning,
          Owner: owner(context),
          AccessControlList: { Grant: record.acl },
          ServerSideEncryptionRule: {
            SSEAlgorithm: encryption?.algorithm ?? 'None',
            KMSMasterKeyID: encryption?.keyId,
            KMSDataEncryption: encryption?.dataAlgorithm,
          },
          BucketPolicy: { LogBucket: '', LogPrefix: '' },
        },
      }),
    )
  },
}

const STAT_NAMES = {
  Standard: 'Standard',
  IA: 'InfrequentAccess',
  Archive: 'Archive',
  ColdArchive: 'ColdArchive',
  DeepColdArchive: 'DeepColdArchive',
} as const satisfies Record<StorageClass, string>

/** What is stored, by class; here it is counted when it is asked for. */
export const getBucketStat: Operation = {
  action: 'oss:GetBucketStat',
  run(context) {
    const { store, now } = context
    const bucket = bucketOf(context)
    store.bucket(bucket)
    const versions = [...store.versions(bucket, '', Buffer.alloc(0))].map(({ version }) => version)
    const objects = versions.filter((version) => version.type !== 'DeleteMarker')
    const sum = (records: readonly ObjectRecord[]) => records.reduce((total, { size }) => total + size, 0)
    const ofClass = (Object.keys(STAT_NAMES) as StorageClass[]).map((name) => {
      const own = objects.filter(({ storageClass }) => storageClass === name)
      const label = STAT_NAMES[name]
      const real: XmlFields = name === 'Standard' ? {} : { [`${label}RealStorage`]: sum(own) }
      return { [`${label}Storage`]: sum(own), ...real, [`${label}ObjectCount`]: own.length }
    })
    const uploads = [...store.uploads.list(bucket, '', Buffer.alloc(0))]
    return xmlReply(
      writeXml('BucketStat', {
        Storage: sum(objects),
        ObjectCount: objects.length,
        MultipartUploadCount: uploads.length,
        LiveChannelCount: store.channels.count(bucket),
        LastModifiedTime: Math.floor(now() / 1000),
        ...Object.assign({}, ...ofClass),
        MultipartPartCount: uploads.reduce((total, upload) => total + store.uploads.parts(upload).length, 0),
        DeleteMarkerCount: versions.length - objects.length,
      }),
    )
  },
}

function describeBucket({ region }: Context, name: string, record: BucketRecord): XmlFields {
  return {
    CreationDate: xmlDate(record.createdAt),
    ExtranetEndpoint: `oss-${region}.aliyuncs.com`,
    IntranetEndpoint: `oss-${region}-internal.aliyuncs.com`,
    Location: `oss-${region}`,
    Name: name,
    Region: region,
    StorageClass: record.storageClass ?? 'Standard',
  }
}

export const getBucketLocation: Operation = {
  action: 'oss:GetBucketLocation',
  run(context) {
    context.store.bucket(bucketOf(context))
    return xmlReply(writeXml('LocationConstraint', `oss-${context.region}`))
  },
}

export const putBucketAcl: Operation = {
  action: 'oss:PutBucketAcl',
  async run(context) {
    const acl = readBucketAcl(context.request)
    if (acl === undefined) throw new OssError('MissingArgument', { ArgumentName: 'x-oss-acl' })
    // As the service does it, this also makes a bucket that is not there.
    const name = checkBucketName(bucketOf(context))
    await context.store.createBucket(name, { createdAt: context.now(), acl: 'private', cors: [] })
    await changeAcl(context, acl)
    return { status: 200 }
  },
}

export const getBucketAcl: Operation = {
  action: 'oss:GetBucketAcl',
  run: (context) => aclReply(context, context.store.bucket(bucketOf(context)).acl),
}

/** The document that tells an ACL. */
export function aclReply(context: Context, grant: string, headers: Headers = []): Reply {
  const document = { Owner: owner(context), AccessControlList: { Grant: grant } }
  return xmlReply(writeXml('AccessControlPolicy', document), headers)
}

async function changeAcl({ request, store }: Context, acl: BucketAcl): Promise<void> {
  await store.changeBucket(request.bucket ?? '', ({ settings }) => {
    if (acl === 'private' || !settings?.publicAccessBlock?.includes('true')) return { acl }
    throw new OssError('AccessDenied', {}, 'Put public bucket acl is not allowed.')
  })
}

function readBucketAcl(request: OssRequest): BucketAcl | undefined {
  const acl = request.header('x-oss-acl')
  if (acl === undefined || isBucketAcl(acl)) return acl
  throw invalidArgument('x-oss-acl', acl.slice(0, 64), 'no such bucket access control exists')
}
