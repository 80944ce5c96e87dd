import type { Identity } from '../../wire/credentials.ts'
import { OssError } from '../errors.ts'
import type { OssRequest } from '../request.ts'
import { signV1 } from '../sign-v1.ts'
import { checkExpiry, checkSkew, equal, findIdentity, MAX_SKEW_MS, mismatch, type VerifyOptions } from '../verify.ts'
import { stringToSignAws2 } from './aws2.ts'
import { type AwsScope, canonicalRequestAws4, signAws4, signedPaths, stringToSignAws4 } from './aws4.ts'
import { type Payload, readPayload, UNSIGNED } from './payload.ts'

/** Who sent a request, and what its body must be. */
export interface Proof {
  /** `undefined` for no one in particular. */
  readonly caller: Identity | undefined
  readonly payload: Payload
}

/**
 * Checks the signature of an S3 client. Numbers are those of the error pages, such as
 * https://help.aliyun.com/zh/oss/user-guide/0002-00000429; these do not tell the codes, which are taken from what the
 * service answers to its own signatures.
 */
export function authenticateS3(request: OssRequest, options: VerifyOptions): Proof {
  const authorization = request.header('authorization')
  if (authorization?.startsWith('AWS4-')) return verifyHeader4(request, authorization, options)
  if (authorization !== undefined) return verifyHeader2(request, authorization, options)
  if (request.query.some(({ name }) => /^X-Amz-(?:Algorithm|Credential|Signature)$/.test(name))) {
    return verifyUrl4(request, options)
  }
  const url2 = ['AWSAccessKeyId', 'Signature'].some((name) => request.param(name) !== undefined)
  return url2 ? verifyUrl2(request, options) : { caller: undefined, payload: readPayload(request, UNSIGNED) }
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

function verifyHeader4(request: OssRequest, authorization: string, options: VerifyOptions): Proof {
  const [algorithm = '', rest = ''] = authorization.split(/ (.*)/s)
  if (algorithm !== ALGORITHM) throw invalid('Authorization', algorithm, '0002-00000411')
  const fields = new Map(
    rest.split(',').map((field) => {
      const [name = '', value = ''] = field.trim().split(/=(.*)/s)
      return [name, value]
    }),
  )
  const { accessKeyId, scope } = readCredential(fields.get('Credential') ?? '', 'Authorization')
  const time = request.header('x-amz-date') ?? compactDate(request.header('date') ?? '')
  checkSkew(time, timeOf(time, 'X-Amz-Date'), options)
  checkDay(scope, time)
  const caller = findIdentity(accessKeyId, request.header('x-amz-security-token'), options.credentials)
  const given = request.header('x-amz-content-sha256')
  if (given === undefined) throw invalid('x-amz-content-sha256', '', '0002-00000427')
  return compare4(request, caller, {
    signature: fields.get('Signature') ?? '',
    signedHeaders: readNames(fields.get('SignedHeaders')),
    scope,
    time,
    content: given,
  })
}

/** Parameters of a signed URL that must be there, with the numbers that are published for their absence. */
const REQUIRED = {
  'X-Amz-Algorithm': '0002-00000410',
  'X-Amz-Credential': '0002-00000412',
  'X-Amz-Date': '0002-00000414',
  'X-Amz-Expires': '0002-00000416',
  'X-Amz-SignedHeaders': '0002-00000419',
  'X-Amz-Signature': '0002-00000422',
} as const

const MAX_URL_SECONDS = 604_800

function verifyUrl4(request: OssRequest, options: VerifyOptions): Proof {
  const required = (name: keyof typeof REQUIRED) => {
    const value = request.param(name)
    if (value) return value
    throw invalid(name, '', REQUIRED[name])
  }
  const algorithm = required('X-Amz-Algorithm')
  if (algorithm !== ALGORITHM) throw invalid('X-Amz-Algorithm', algorithm, '0002-00000411')
  const { accessKeyId, scope } = readCredential(required('X-Amz-Credential'), 'X-Amz-Credential')
  const time = required('X-Amz-Date')
  const signedAt = timeOf(time, 'X-Amz-Date')
  const expires = required('X-Amz-Expires')
  const seconds = /^\d{1,6}$/.test(expires) ? Number(expires) : 0
  if (seconds < 1 || seconds > MAX_URL_SECONDS) throw invalid('X-Amz-Expires', expires, '0002-00000417')
  const signedHeaders = readNames(required('X-Amz-SignedHeaders'))
  const signature = required('X-Amz-Signature')
  if (signature.length !== 64) throw invalid('X-Amz-Signature', signature, '0002-00000423')
  checkDay(scope, time)
  checkExpiry(signedAt + seconds * 1000, options.now())
  if (signedAt > options.now() + MAX_SKEW_MS) checkSkew(time, signedAt, options)
  const token = request.param('X-Amz-Security-Token') ?? request.header('x-amz-security-token')
  const caller = findIdentity(accessKeyId, token, options.credentials)
  const content = request.header('x-amz-content-sha256') ?? request.param('X-Amz-Content-Sha256') ?? UNSIGNED
  return compare4(request, caller, { signature, signedHeaders, scope, time, content })
}

interface Claim {
  readonly signature: string
  readonly signedHeaders: readonly string[]
  readonly scope: AwsScope
  readonly time: string
  readonly content: string
}

function compare4(request: OssRequest, caller: Identity, claim: Claim): Proof {
  const { scope, time, signature, signedHeaders, content } = claim
  const secret = caller.accessKeySecret
  const attempts = signedPaths(request).map((path) => {
    const canonical = canonicalRequestAws4(request, path, signedHeaders, content)
    return { canonical, text: stringToSignAws4(canonical, time, scope) }
  })
  const refuse = (EC: string) => {
    const [{ canonical, text } = { canonical: '', text: '' }] = attempts
    throw mismatch(caller, signature, text, { CanonicalRequest: Buffer.from(canonical, 'latin1').toString(), EC })
  }
  if (!attempts.some(({ text }) => equal(signature, signAws4(secret, text, scope)))) refuse('0002-00000429')
  if (!coversHeaders(request, signedHeaders)) refuse('0002-00000431')
  const payload = readPayload(request, content, { caller, scope, time, seed: signature })
  return { caller, payload }
}

/** Host and all x-amz- headers must be signed. https://help.aliyun.com/zh/oss/user-guide/0002-00000431 */
function coversHeaders({ message }: OssRequest, signedHeaders: readonly string[]): boolean {
  const amazon = Object.keys(message.headers).filter((name) => name.startsWith('x-amz-'))
  return ['host', ...amazon].every((name) => signedHeaders.includes(name) || name === 'x-amz-content-sha256')
}

function verifyHeader2(request: OssRequest, authorization: string, options: VerifyOptions): Proof {
  const [, accessKeyId, signature] = /^AWS ([^:\s]+):(\S+)$/.exec(authorization) ?? []
  if (!accessKeyId || !signature) throw invalid('Authorization', authorization)
  const date = request.header('x-amz-date') ?? request.header('date') ?? ''
  checkSkew(date, Date.parse(date), options)
  const caller = findIdentity(accessKeyId, request.header('x-amz-security-token'), options.credentials)
  return compare2(request, caller, signature, date)
}

function verifyUrl2(request: OssRequest, options: VerifyOptions): Proof {
  const required = (name: string, EC?: string) => {
    const value = request.param(name)
    if (value) return value
    const message = 'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters'
    throw new OssError('AccessDenied', EC ? { EC } : {}, message)
  }
  const expires = required('Expires', request.param('Expires') === '' ? '0002-00000302' : '0002-00000301')
  const accessKeyId = required('AWSAccessKeyId', '0002-00000303')
  const signature = required('Signature')
  if (!/^\d{1,12}$/.test(expires)) {
    throw new OssError('AccessDenied', {}, 'Invalid date (should be seconds since epoch)')
  }
  checkExpiry(Number(expires) * 1000, options.now())
  const token = request.param('x-amz-security-token') ?? request.header('x-amz-security-token')
  return compare2(request, findIdentity(accessKeyId, token, options.credentials), signature, expires)
}

function compare2(request: OssRequest, caller: Identity, signature: string, date: string): Proof {
  // Some clients end the name of a bucket with a slash in the text, though not in the request.
  const paths = signedPaths(request).flatMap((path) => (request.key === undefined ? [path, `${path}/`] : [path]))
  const texts = paths.map((path) => stringToSignAws2(request, path, date))
  const holds = texts.some((text) => equal(signature, signV1(caller.accessKeySecret, text)))
  if (!holds) throw mismatch(caller, signature, texts[0] ?? '', { EC: '0002-00000307' })
  return { caller, payload: readPayload(request, UNSIGNED) }
}

/** `AccessKeyId/YYYYMMDD/REGION/s3/aws4_request`, whatever the region: the documentation's own examples sign for others. */
export function readCredential(
  text: string,
  where: string,
): { readonly accessKeyId: string; readonly scope: AwsScope } {
  const [accessKeyId, date, region, service, terminator, ...rest] = text.split('/')
  if (!accessKeyId || !date || !region || !service || !terminator || rest.length > 0) {
    throw invalid(where, text, '0002-00000413')
  }
  const plausible = /^\d{8}$/.test(date) && service === 's3' && terminator === 'aws4_request'
  if (!plausible) throw invalid(where, text, '0002-00000425')
  return { accessKeyId, scope: { date, region } }
}

function readNames(text: string | undefined): readonly string[] {
  return text ? text.toLowerCase().split(';') : []
}

function checkDay(scope: AwsScope, time: string): void {
  if (time.slice(0, 8) !== scope.date) throw invalid('X-Amz-Credential', scope.date, '0002-00000425')
}

/** `YYYYMMDDThhmmssZ` in milliseconds. */
export function timeOf(text: string, where: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(at)) throw invalid(where, text, '0002-00000415')
  return at
}

function compactDate(text: string): string {
  const at = Date.parse(text)
  return Number.isNaN(at) ? text : `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** Refuses a part of a signature; `EC` is its published number. */
export function invalid(name: string, value: string, EC?: string): OssError {
  const details = { ArgumentName: name, ArgumentValue: value.slice(0, 128), ...(EC && { EC }) }
  const why = value === '' ? 'is missing' : 'is invalid'
  return new OssError('InvalidArgument', details, `The ${name} of the signature ${why}.`)
}
