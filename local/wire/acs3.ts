import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CredentialError, type Credentials, type Identity } from './credentials.ts'
import { permits } from './policy.ts'

/** A request as it came over the wire, before anything was decoded. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A refusal in the words of the OpenAPI gateway. */
export class OpenApiError extends Error {
  readonly code: string
  readonly status: number
  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'OpenApiError'
    this.code = code
    this.status = status
  }
}

const ALGORITHM = 'ACS3-HMAC-SHA256'
const SKEW_MS = 15 * 60_000

/**
 * Verifies ACS3-HMAC-SHA256 and says who calls; throws `OpenApiError`. A nonce is good for one request. `now` is told
 * what the request says, since a service may know two times.
 * https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
export function acs3Verifier(
  credentials: Credentials,
  now: (sentAt: number) => number,
): (request: SignedRequest) => Identity {
  const spendNonce = nonces(Date.now)
  return (request) => {
    const claim = parseAuthorization(request.headers.authorization)
    requireSignedHeaders(request, claim.signedHeaders)
    const identity = findCaller(credentials, claim.accessKeyId, header(request, 'x-acs-security-token'))
    checkDate(header(request, 'x-acs-date'), now)
    const bodyHash = sha256(request.body)
    if (header(request, 'x-acs-content-sha256') !== bodyHash) {
      throw mismatch('x-acs-content-sha256 is not the SHA-256 of the body')
    }
    const toSign = stringToSign(canonicalRequest(request, claim.signedHeaders, bodyHash))
    const wanted = createHmac('sha256', identity.accessKeySecret).update(toSign).digest()
    const given = Buffer.from(claim.signature, 'hex')
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw mismatch(`Specified signature does not match our calculation. server string to sign is:${toSign}`)
    }
    spendNonce(`${claim.accessKeyId} ${header(request, 'x-acs-signature-nonce') ?? ''}`)
    return identity
  }
}

/** Whether a session's own policy lets it do this; without one, role and account may do everything. */
export function sessionAllows(identity: Identity, action: string, resource: string): boolean {
  return identity.policy === undefined || permits(identity.policy, { action, resource, context: {} })
}

/** The canonical request that both sides hash. */
export function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[], bodyHash: string): string {
  const [path = '/', query = ''] = splitOnce(request.url, '?')
  const headers = signedHeaders.map((name) => `${name}:${(header(request, name) ?? '').trim()}\n`).join('')
  return [request.method, canonicalPath(path), canonicalQuery(query), headers, signedHeaders.join(';'), bodyHash].join(
    '\n',
  )
}

/** The text under the HMAC. */
export function stringToSign(canonical: string): string {
  return `${ALGORITHM}\n${sha256(canonical)}`
}

/** One value of a header, several joined as they would be on one line. */
export function header(request: Pick<SignedRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function canonicalPath(path: string): string {
  return path.replaceAll('+', '%20').replaceAll('*', '%2A').replaceAll('%7E', '~')
}

function canonicalQuery(query: string): string {
  return [...new URLSearchParams(query)]
    .map(([key, value]) => [encode(key), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `${key}=${value}`)
    .join('&')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function parseAuthorization(authorization: string | undefined) {
  if (!authorization) throw new OpenApiError(400, 'MissingParameter', 'The Authorization header is required.')
  const match = /^(\S+) Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)$/i.exec(authorization)
  if (match?.[1] !== ALGORITHM) {
    throw new OpenApiError(400, 'IncompleteSignature', `The Authorization header must be ${ALGORITHM}.`)
  }
  const [, , accessKeyId = '', signedHeaders = '', signature = ''] = match
  return { accessKeyId, signedHeaders: signedHeaders.toLowerCase().split(';'), signature }
}

/** What is not under the signature could be changed on the way. */
function requireSignedHeaders(request: SignedRequest, signed: readonly string[]): void {
  const needed = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-acs-'))
  for (const name of [...needed, 'x-acs-date', 'x-acs-signature-nonce', 'x-acs-content-sha256']) {
    if (request.headers[name] === undefined) {
      throw new OpenApiError(400, 'MissingParameter', `The header ${name} is required.`)
    }
    if (!signed.includes(name)) {
      throw new OpenApiError(400, 'IncompleteSignature', `The header ${name} must be among SignedHeaders.`)
    }
  }
}

/** Refuses a date that is not one, or that is further than 15 minutes away. */
export function checkDate(date: string | undefined, now: (sentAt: number) => number): void {
  if (!date || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) || Number.isNaN(Date.parse(date))) {
    throw new OpenApiError(400, 'InvalidTimeStamp.Format', 'Specified time stamp or date value is not well formatted.')
  }
  const sentAt = Date.parse(date)
  if (Math.abs(sentAt - now(sentAt)) > SKEW_MS) {
    throw new OpenApiError(400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.')
  }
}

const REFUSALS = {
  unknown_key: [404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.'],
  bad_token: [400, 'InvalidSecurityToken.Malformed', 'Specified SecurityToken is malformed.'],
  token_expired: [400, 'InvalidSecurityToken.Expired', 'Specified SecurityToken is expired.'],
  token_missing: [400, 'MissingSecurityToken', 'SecurityToken is mandatory for this action.'],
} as const

/** Looks a caller up, in the words of the OpenAPI gateway. */
export function findCaller(credentials: Credentials, accessKeyId: string, token: string | undefined): Identity {
  try {
    return credentials.find(accessKeyId, token)
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    const [status, code, message] = REFUSALS[error.reason]
    throw new OpenApiError(status, code, message)
  }
}

/** Takes each nonce once, and forgets it when its signature would be too old anyway. */
export function nonces(now: () => number): (nonce: string) => void {
  const seen = new Map<string, number>()
  return (nonce) => {
    for (const [old, at] of seen) {
      if (Math.abs(now() - at) <= 2 * SKEW_MS) break
      seen.delete(old)
    }
    if (seen.has(nonce)) {
      throw new OpenApiError(400, 'SignatureNonceUsed', 'Specified signature nonce was used already.')
    }
    seen.set(nonce, now())
  }
}

function mismatch(message: string): OpenApiError {
  return new OpenApiError(400, 'SignatureDoesNotMatch', message)
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
