import { writeXml, type XmlElement } from '../wire/xml.ts'
import { readXmlBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { type Operation, xmlReply } from './context.ts'
import { invalidArgument, OssError } from './errors.ts'
import type { CorsRule } from './records.ts'

export const putBucketCors: Operation = {
  action: 'oss:PutBucketCors',
  async run(context) {
    context.store.bucket(bucketOf(context))
    const body = await readXmlBody(context.request, 'CORSConfiguration')
    const rules = body.all('CORSRule').map(readCorsRule)
    if (rules.length === 0 || rules.length > 20)
      throw new OssError('MalformedXML', {}, '1 to 20 CORSRule are expected.')
    const corsVary = body.value('ResponseVary')?.trim() === 'true'
    await context.store.changeBucket(bucketOf(context), { cors: rules, corsVary })
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
    // Names of headers have no case, and these are given back in small letters.
    allowedHeaders: texts('AllowedHeader').map((name) => name.toLowerCase()),
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
  const unsafe = rule.exposeHeaders?.find((name) => !/^[\x20-\x7e]+$/.test(name) || name.includes('*'))
  if (unsafe !== undefined) throw invalidCors('ExposeHeader', unsafe)
  return rule
}

function invalidCors(name: string, value: string): OssError {
  return invalidArgument(name, value.slice(0, 64), `The CORS rule has an invalid ${name}.`)
}

export const getBucketCors: Operation = {
  action: 'oss:GetBucketCors',
  run(context) {
    const { cors, corsVary } = context.store.bucket(bucketOf(context))
    if (cors.length === 0) throw new OssError('NoSuchCORSConfiguration', { BucketName: bucketOf(context) })
    const rules = cors.map((rule) => ({
      AllowedOrigin: rule.allowedOrigins,
      AllowedMethod: rule.allowedMethods,
      AllowedHeader: rule.allowedHeaders,
      ExposeHeader: rule.exposeHeaders,
      MaxAgeSeconds: rule.maxAgeSeconds,
    }))
    return xmlReply(writeXml('CORSConfiguration', { CORSRule: rules, ResponseVary: corsVary ?? false }))
  },
}

export const deleteBucketCors: Operation = {
  action: 'oss:DeleteBucketCors',
  async run(context) {
    await context.store.changeBucket(bucketOf(context), { cors: [], corsVary: false })
    return { status: 204 }
  },
}
