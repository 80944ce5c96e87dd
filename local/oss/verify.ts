import { timingSafeEqual } from 'node:crypto'
import { CredentialError, type Credentials, type Identity, type RefusedCredential } from '../wire/credentials.ts'
import { invalidArgument, OssError, type OssErrorCode } from './errors.ts'
import type { OssRequest } from './request.ts'
import { signV1, stringToSignV1 } from './sign-v1.ts'
import { signV2, stringToSignV2 } from './sign-v2.ts'
import { canonicalRequestV4, type EmptyValues, type ScopeV4, signV4, stringToSignV4 } from './sign-v4.ts'

export interface VerifyOptions {
  readonly credentials: Credentials
  readonly region: string
  readonly now: () => number
  /** What the date of a signature is compared with; the time itself when missing. */
  readonly nearest?: (at: number) => number
}

/** Who sent the request, `undefined` for no one in particular; a signature that does not hold throws. */
export function authenticate(request: OssRequest, options: VerifyOptions): Identity | undefined {
  const authorization = request.header('authorization')
  if (authorization?.startsWith('OSS4-HMAC-SHA256 ')) return verifyHeaderV4(request, authorization, options)
  if (authorization?.startsWith('OSS2 ')) return verifyHeaderV2(request, authorization, options)
  if (authorization?.startsWith('OSS ')) return verifyHeaderV1(request, authorization, options)
  if (authorization !== undefined) {
    throw invalidArgument('Authorization', authorization.slice(0, 32), 'Authorization header is invalid.')
  }
  const has = (name: string) => request.param(name) !== undefined
  if (request.param('x-oss-signature-version') === 'OSS2') return verifyUrlV2(request, options)
  if (has('x-oss-signature-version') || has('x-oss-signature')) return verifyUrlV4(request, options)
  if (has('OSSAccessKeyId') || has('Signature')) return verifyUrlV1(request, options)
  return undefined
}

/** How far a date may be from the clock. */
export const MAX_SKEW_MS = 15 * 60_000
const MAX_URL_SECONDS = 604_800

function verifyHeaderV1(request: OssRequest, authorization: string, options: VerifyOptions): Identity {
  const [, accessKeyId, signature] = /^OSS ([^:\s]+):(\S+)$/.exec(authorization) ?? []
  if (!accessKeyId || !signature) {
    throw invalidArgument('Authorization', authorization.slice(0, 32), 'Authorization header is invalid.')
  }
  const date = request.header('x-oss-date') ?? request.header('date') ?? ''
  checkSkew(date, Date.parse(date), options)
  const identity = findIdentity(accessKeyId, request.header('x-oss-security-token'), options.credentials)
  compareV1(request, identity, signature, date)
  return identity
}

function verifyUrlV1(request: OssRequest, options: VerifyOptions): Identity {
  const accessKeyId = request.param('OSSAccessKeyId')
  const signature = request.param('Signature')
  const expires = request.param('Expires')
  if (!accessKeyId || !signature || !expires) {
    const message = 'Query-string authentication requires the Signature, Expires and OSSAccessKeyId parameters'
    throw new OssError('AccessDenied', {}, message)
  }
  if (!/^\d{1,12}$/.test(expires))
    throw new OssError('AccessDenied', {}, 'Invalid date (should be seconds since epoch)')
  checkExpiry(Number(expires) * 1000, options.now())
  const token = request.param('security-token') ?? request.header('x-oss-security-token')
  const identity = findIdentity(accessKeyId, token, options.credentials)
  compareV1(request, identity, signature, expires)
  return identity
}

function compareV1(request: OssRequest, identity: Identity, signature: string, date: string): void {
  const text = stringToSignV1(request, date)
  if (equal(signature, signV1(identity.accessKeySecret, text))) return
  throw mismatch(identity, signature, text)
}

function verifyHeaderV2(request: OssRequest, authorization: string, options: VerifyOptions): Identity {
  const fields = new Map(
    authorization
      .slice('OSS2 '.length)
      .split(',')
      .map((field) => field.trim().split(/:(.*)/s))
      .map(([name = '', value = '']) => [name, value]),
  )
  const accessKeyId = fields.get('AccessKeyId')
  const signature = fields.get('Signature')
  if (!accessKeyId || !signature) {
    throw invalidArgument('Authorization', authorization.slice(0, 32), 'Authorization header is invalid.')
  }
  const date = request.header('x-oss-date') ?? request.header('date') ?? ''
  checkSkew(date, Date.parse(date), options)
  const identity = findIdentity(accessKeyId, request.header('x-oss-security-token'), options.credentials)
  compareV2(request, identity, signature, date, readAdditional(fields.get('AdditionalHeaders')))
  return identity
}

function verifyUrlV2(request: OssRequest, options: VerifyOptions): Identity {
  const accessKeyId = request.param('x-oss-access-key-id')
  const signature = request.param('x-oss-signature')
  const expires = request.param('x-oss-expires') ?? ''
  if (!accessKeyId || !signature || !/^\d{1,12}$/.test(expires)) {
    const message =
      'Query-string authentication requires the x-oss-signature, x-oss-expires and x-oss-access-key-id parameters'
    throw new OssError('AccessDenied', {}, message)
  }
  checkExpiry(Number(expires) * 1000, options.now())
  const token = request.param('x-oss-security-token') ?? request.param('security-token')
  const identity = findIdentity(accessKeyId, token ?? request.header('x-oss-security-token'), options.credentials)
  compareV2(request, identity, signature, expires, readAdditional(request.param('x-oss-additional-headers')))
  return identity
}

function compareV2(
  request: OssRequest,
  identity: Identity,
  signature: string,
  date: string,
  additional: readonly string[],
): void {
  const text = stringToSignV2(request, date, additional)
  if (equal(signature, signV2(identity.accessKeySecret, text))) return
  throw mismatch(identity, signature, text)
}

function verifyHeaderV4(request: OssRequest, authorization: string, options: VerifyOptions): Identity {
  const fields = new Map(
    authorization
      .slice('OSS4-HMAC-SHA256 '.length)
      .split(',')
      .map((field) => readField(field.trim())),
  )
  const signature = fields.get('Signature') ?? ''
  const { accessKeyId, scope } = readCredential(fields.get('Credential') ?? '', options.region)
  const time = request.header('x-oss-date') ?? compactDate(request.header('date') ?? '')
  checkSkew(time, parseTime(time), options)
  checkScopeDate(scope, time)
  const payload = request.header('x-oss-content-sha256')
  if (payload !== 'UNSIGNED-PAYLOAD') {
    throw invalidArgument('x-oss-content-sha256', payload ?? '', 'x-oss-content-sha256 must be UNSIGNED-PAYLOAD.')
  }
  const identity = findIdentity(accessKeyId, request.header('x-oss-security-token'), options.credentials)
  compareV4(request, identity, { signature, scope, time, additional: readAdditional(fields.get('AdditionalHeaders')) })
  return identity
}

function verifyUrlV4(request: OssRequest, options: VerifyOptions): Identity {
  const required = (name: string) => {
    const value = request.param(name)
    if (value) return value
    throw invalidArgument(name, '', `Query-string authentication version 4 requires the ${name} parameter.`)
  }
  const version = required('x-oss-signature-version')
  if (version !== 'OSS4-HMAC-SHA256') {
    throw invalidArgument('x-oss-signature-version', version.slice(0, 32), 'The signature version is not supported.')
  }
  const { accessKeyId, scope } = readCredential(required('x-oss-credential'), options.region)
  const time = required('x-oss-date')
  const seconds = Number(required('x-oss-expires'))
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_URL_SECONDS) {
    throw invalidArgument('x-oss-expires', String(seconds), 'x-oss-expires must be between 1 and 604800 seconds.')
  }
  const signedAt = parseTime(time)
  checkScopeDate(scope, time)
  checkExpiry(signedAt + seconds * 1000, options.now())
  if (signedAt > options.now() + MAX_SKEW_MS) checkSkew(time, signedAt, options)
  const token = request.param('x-oss-security-token') ?? request.header('x-oss-security-token')
  const identity = findIdentity(accessKeyId, token, options.credentials)
  const additional = readAdditional(request.param('x-oss-additional-headers'))
  compareV4(request, identity, { signature: required('x-oss-signature'), scope, time, additional })
  return identity
}

interface ClaimV4 {
  readonly signature: string
  readonly scope: ScopeV4
  readonly time: string
  readonly additional: readonly string[]
}

/**
 * A parameter without a value is signed as its bare name. ali-oss signs `prefix: ''` as `prefix=`; both are taken, since
 * either form commits to the same request.
 */
function compareV4(request: OssRequest, identity: Identity, claim: ClaimV4): void {
  const missing = claim.additional.find((name) => request.header(name) === undefined)
  if (missing !== undefined) {
    throw invalidArgument('AdditionalHeaders', missing, 'Additional headers must be headers of the request.')
  }
  const attempt = (empty: EmptyValues) => {
    const canonical = canonicalRequestV4(request, claim.additional, 'UNSIGNED-PAYLOAD', empty)
    const text = stringToSignV4(canonical, claim.time, claim.scope)
    return { canonical, text, holds: equal(claim.signature, signV4(identity.accessKeySecret, text, claim.scope)) }
  }
  const bare = attempt('bare')
  if (bare.holds || attempt('assigned').holds) return
  const canonical = Buffer.from(bare.canonical, 'latin1').toString()
  throw mismatch(identity, claim.signature, bare.text, { CanonicalRequest: canonical })
}

/** A signature that is not the one over this text. */
export function mismatch(
  identity: Identity,
  signature: string,
  text: string,
  more: Record<string, string> = {},
): OssError {
  const bytes = Buffer.from(text, 'latin1')
  return new OssError('SignatureDoesNotMatch', {
    OSSAccessKeyId: identity.accessKeyId,
    SignatureProvided: signature.slice(0, 128),
    StringToSign: bytes.toString(),
    StringToSignBytes: (bytes.toString('hex').toUpperCase().match(/../g) ?? []).join(' '),
    ...more,
  })
}

/** Compares the texts, not what base64 decodes to: two texts can decode to the same bytes. */
export function equal(given: string, wanted: string): boolean {
  const a = Buffer.from(given)
  const b = Buffer.from(wanted)
  return a.length === b.length && timingSafeEqual(a, b)
}

const REFUSALS: Readonly<Record<RefusedCredential, OssErrorCode>> = {
  unknown_key: 'InvalidAccessKeyId',
  token_missing: 'InvalidAccessKeyId',
  bad_token: 'InvalidSecurityToken',
  token_expired: 'SecurityTokenExpired',
}

/** Whose key this is. */
export function findIdentity(accessKeyId: string, token: string | undefined, credentials: Credentials): Identity {
  try {
    return credentials.find(accessKeyId, token)
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    throw new OssError(REFUSALS[error.reason], { OSSAccessKeyId: accessKeyId.slice(0, 64) })
  }
}

function readField(field: string): readonly [string, string] {
  const equals = field.indexOf('=')
  return [field.slice(0, Math.max(equals, 0)), field.slice(equals + 1)]
}

/** `AccessKeyId/YYYYMMDD/region/oss/aliyun_v4_request`, for our region. */
export function readCredential(
  text: string,
  region: string,
): { readonly accessKeyId: string; readonly scope: ScopeV4 } {
  const [accessKeyId, date, given, product, terminator, ...rest] = text.split('/')
  const complete = accessKeyId && date && product && terminator === 'aliyun_v4_request' && rest.length === 0
  if (!complete) throw invalidArgument('Credential', text.slice(0, 128), 'The credential scope is invalid.')
  if (product !== 'oss') {
    const details = { ArgumentName: 'Credential', ArgumentValue: text.slice(0, 128), EC: '0002-00000227' }
    throw new OssError('InvalidArgument', details, 'Invalid signing product in Authorization header.')
  }
  if (given !== region) throw invalidArgument('Credential', text.slice(0, 128), `The signing region must be ${region}.`)
  return { accessKeyId, scope: { date, region } }
}

function readAdditional(text: string | undefined): readonly string[] {
  return text ? text.toLowerCase().split(';') : []
}

/** The day of a credential must be the one on which it was used. */
export function checkScopeDate(scope: ScopeV4, time: string): void {
  if (time.slice(0, 8) === scope.date) return
  throw invalidArgument('Credential', scope.date, 'The date of the credential must be the day of x-oss-date.')
}

/** Refuses a time that is too far from the clock. */
export function checkSkew(text: string, at: number, options: VerifyOptions): void {
  if (Number.isNaN(at)) throw new OssError('AccessDenied', {}, 'OSS authentication requires a valid Date.')
  const now = options.nearest?.(at) ?? options.now()
  if (Math.abs(now - at) <= MAX_SKEW_MS) return
  throw new OssError('RequestTimeTooSkewed', {
    MaxAllowedSkewMilliseconds: MAX_SKEW_MS,
    RequestTime: text.slice(0, 64),
    ServerTime: new Date(now).toISOString(),
  })
}

/** Refuses what is over. */
export function checkExpiry(expiresAt: number, now: number): void {
  if (now <= expiresAt) return
  const details = { Expires: new Date(expiresAt).toISOString(), ServerTime: new Date(now).toISOString() }
  throw new OssError('AccessDenied', details, 'Request has expired.')
}

/** `YYYYMMDDThhmmssZ` in milliseconds. */
export function parseTime(text: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(at)) throw new OssError('AccessDenied', {}, 'OSS authentication requires a valid Date.')
  return at
}

function compactDate(text: string): string {
  const at = Date.parse(text)
  return Number.isNaN(at) ? text : `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}
