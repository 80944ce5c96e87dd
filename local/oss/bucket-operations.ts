import { writeXml, type XmlElement, type XmlFields } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { type Context, type Operation, type Reply, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import { readPageSize } from './listing.ts'
import { isBucketAcl, xmlDate } from './metadata.ts'
import type { BucketAcl, BucketRecord, CorsRule } from './records.ts'
import type { OssRequest } from './request.ts'

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
    const marker = request.param('marker') ?? ''
    const max = readPageSize(request, 'max-keys', 100)
    const found = store.buckets().filter(({ name }) => name.startsWith(prefix) && name > marker)
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
        Buckets: { Bucket: page.map(({ name, record }) => describeBucket(context, name, record)) },
      }),
    )
  },
}

export const putBucket: Operation = {
  action: 'oss:PutBucket',
  async run(context) {
    const acl = readBucketAcl(context.request) ?? 'private'
    await context.store.createBucket(bucketOf(context), { createdAt: context.now(), acl, cors: [] })
    return { status: 200, headers: [['Location', `/${bucketOf(context)}`]] }
  },
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
    const details = { AccessControlList: { Grant: record.acl }, Owner: owner(context), Versioning: undefined }
    return xmlReply(writeXml('BucketInfo', { Bucket: { ...describeBucket(context, name, record), ...details } }))
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
    StorageClass: 'Standard',
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
    await context.store.changeBucket(bucketOf(context), { acl })
    return { status: 200 }
  },
}

export const getBucketAcl: Operation = {
  action: 'oss:GetBucketAcl',
  run: (context) => aclReply(context, context.store.bucket(bucketOf(context)).acl),
}

/** The document that tells an ACL. */
export function aclReply(context: Context, grant: string): Reply {
  return xmlReply(writeXml('AccessControlPolicy', { Owner: owner(context), AccessControlList: { Grant: grant } }))
}

function readBucketAcl(request: OssRequest): BucketAcl | undefined {
  const acl = request.header('x-oss-acl')
  if (acl === undefined || isBucketAcl(acl)) return acl
  throw invalidArgument('x-oss-acl', acl.slice(0, 64), 'no such bucket access control exists')
}

export const putBucketCors: Operation = {
  action: 'oss:PutBucketCors',
  async run(context) {
    const body = await readXmlBody(context.request, 'CORSConfiguration')
    const rules = body.all('CORSRule').map(readCorsRule)
    if (rules.length === 0 || rules.length > 20)
      throw new OssError('MalformedXML', {}, '1 to 20 CORSRule are expected.')
    await context.store.changeBucket(bucketOf(context), { cors: rules })
    return { status: 200 }
  },
}

const METHODS = new Set(['GET', 'PUT', 'DELETE', 'POST', 'HEAD'])

function readCorsRule(rule: XmlElement): CorsRule {
  const texts = (name: string) => rule.all(name).map(({ text }) => text.trim())
  const age = rule.value('MaxAgeSeconds')
  if (age !== undefined && !/^\d{1,9}$/.test(age)) throw invalidCors('MaxAgeSeconds', age)
  return checkCorsRule({
    allowedOrigins: texts('AllowedOrigin'),
    allowedMethods: texts('AllowedMethod'),
    allowedHeaders: texts('AllowedHeader'),
    exposeHeaders: texts('ExposeHeader'),
    ...(age === undefined ? {} : { maxAgeSeconds: Number(age) }),
  })
}

/** Refuses a rule that the service would refuse. */
export function checkCorsRule(rule: CorsRule): CorsRule {
  if (rule.allowedOrigins.length === 0) throw invalidCors('AllowedOrigin', '')
  if (rule.allowedMethods.length === 0) throw invalidCors('AllowedMethod', '')
  const method = rule.allowedMethods.find((name) => !METHODS.has(name))
  if (method !== undefined) throw invalidCors('AllowedMethod', method)
  const manyStars = (pattern: string) => pattern.split('*').length > 2
  const origin = rule.allowedOrigins.find(manyStars)
  if (origin !== undefined) throw invalidCors('AllowedOrigin', origin)
  const header = rule.allowedHeaders?.find(manyStars)
  if (header !== undefined) throw invalidCors('AllowedHeader', header)
  const unsafe = rule.exposeHeaders?.find((name) => !/^[\w-]+$/.test(name))
  if (unsafe !== undefined) throw invalidCors('ExposeHeader', unsafe)
  return rule
}

function invalidCors(name: string, value: string): OssError {
  return invalidArgument(name, value.slice(0, 64), `The CORS rule has an invalid ${name}.`)
}

export const getBucketCors: Operation = {
  action: 'oss:GetBucketCors',
  run(context) {
    const { cors } = context.store.bucket(bucketOf(context))
    if (cors.length === 0) throw new OssError('NoSuchCORSConfiguration', { BucketName: bucketOf(context) })
    const rules = cors.map((rule) => ({
      AllowedOrigin: rule.allowedOrigins,
      AllowedMethod: rule.allowedMethods,
      AllowedHeader: rule.allowedHeaders,
      ExposeHeader: rule.exposeHeaders,
      MaxAgeSeconds: rule.maxAgeSeconds,
    }))
    return xmlReply(writeXml('CORSConfiguration', { CORSRule: rules, ResponseVary: false }))
  },
}

export const deleteBucketCors: Operation = {
  action: 'oss:DeleteBucketCors',
  async run(context) {
    await context.store.changeBucket(bucketOf(context), { cors: [] })
    return { status: 204 }
  },
}
