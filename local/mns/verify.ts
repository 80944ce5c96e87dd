import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { CredentialError, type Credentials, type Identity } from '../wire/credentials.ts'
import { MnsError } from './errors.ts'

/** A request as it came over the wire. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

const VERSION = '2015-06-06'
const SKEW_MS = 15 * 60_000

/**
 * Says who calls; throws `MnsError`. Takes the older signature (`MNS keyId:signature`) and `MNS4-HMAC-SHA256`.
 * https://www.alibabacloud.com/help/en/mns/developer-reference/sign-requests
 */
export function authenticate(
  request: SignedRequest,
  credentials: Credentials,
  nearest: (sentAt: number) => number,
): Identity {
  const authorization = header(request, 'authorization')
  if (!authorization) throw new MnsError('MissingAuthorizationHeader')
  checkVersion(header(request, 'x-mns-version'))
  const date = sentAt(request)
  if (Math.abs(date - nearest(date)) > SKEW_MS) throw new MnsError('TimeExpired')
  const claim = readSimple(authorization) ?? readDerived(authorization)
  if (!claim) throw new MnsError('InvalidAuthorizationHeader')
  const identity = findCaller(credentials, claim.accessKeyId, header(request, 'security-token'))
  checkDigest(request)
  const wanted = claim.sign(request, identity.accessKeySecret, date)
  const given = Buffer.from(claim.signature, claim.encoding)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new MnsError('SignatureDoesNotMatch')
  return identity
}

/** One value of a header, several joined as they would be on one line. */
export function header(request: Pick<SignedRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : value?.join(',')
}

interface Claim {
  readonly accessKeyId: string
  readonly signature: string
  readonly encoding: 'base64' | 'hex'
  sign(request: SignedRequest, secret: string, sentAt: number): Buffer
}

function readSimple(authorization: string): Claim | undefined {
  const match = /^MNS ([^:\s]+):(\S+)$/.exec(authorization)
  if (!match) return undefined
  const [, accessKeyId = '', signature = ''] = match
  const sign = (request: SignedRequest, secret: string) =>
    createHmac('sha1', secret).update(stringToSign(request)).digest()
  return { accessKeyId, signature, encoding: 'base64', sign }
}

/** What both sides put under the HMAC; the resource is path and query just as they are sent. */
export function stringToSign(request: SignedRequest): string {
  const value = (name: string) => header(request, name) ?? ''
  const lines = mnsHeaders(request).map((name) => `${name}:${value(name).trim()}\n`)
  const date = header(request, 'date') ?? value('x-mns-date')
  return `${request.method}\n${value('content-md5')}\n${value('content-type')}\n${date}\n${lines.join('')}${request.url}`
}

/** https://help.aliyun.com/zh/mns/developer-reference/sign-requests-v4, as the vendor's Java and Go clients do it. */
function readDerived(authorization: string): Claim | undefined {
  const pattern =
    /^MNS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/mns\/aliyun_v4_request,\s*Signature=([0-9a-f]+)$/
  const match = pattern.exec(authorization)
  if (!match) return undefined
  const [, accessKeyId = '', day = '', region = '', signature = ''] = match
  return {
    accessKeyId,
    signature,
    encoding: 'hex',
    sign(request, secret, date) {
      const steps = [day, region, 'mns', 'aliyun_v4_request']
      const key = steps.reduce<Buffer>(
        (from, step) => createHmac('sha256', from).update(step).digest(),
        Buffer.from(`aliyun_v4${secret}`),
      )
      const time = new Date(date).toISOString().replace(/[-:]|\.\d+/g, '')
      const scope = steps.join('/')
      const text = `MNS4-HMAC-SHA256\n${time}\n${scope}\n${canonicalRequest(request)}`
      return createHmac('sha256', key).update(text).digest()
    },
  }
}

function canonicalRequest(request: SignedRequest): string {
  const [path = '/', query = ''] = request.url.split(/\?(.*)/s)
  const signed = [...['content-type', 'content-md5'].filter((name) => header(request, name)), ...mnsHeaders(request)]
  const headers = signed.sort().map((name) => `${name}:${(header(request, name) ?? '').trim()}\n`)
  return `${request.method}\n${path}\n${canonicalQuery(query)}\n${headers.join('')}\n`
}

/** Names in small letters; a name without a value stands without its equals sign. */
function canonicalQuery(query: string): string {
  const pairs = query.split('&').filter((pair) => pair !== '')
  const read = pairs.map((pair) => {
    const [name = '', value = ''] = pair.split(/=(.*)/s)
    return [encode(name.toLowerCase()), encode(decode(value))] as const
  })
  const sorted = read.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted.map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join('&')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new MnsError('InvalidQueryString')
  }
}

function mnsHeaders(request: SignedRequest): string[] {
  return Object.keys(request.headers)
    .filter((name) => name.startsWith('x-mns-'))
    .sort()
}

function checkVersion(version: string | undefined): void {
  if (!version) throw new MnsError('MissingVersionHeader')
  if (version !== VERSION) throw new MnsError('InvalidVersionHeader')
}

function sentAt(request: SignedRequest): number {
  const text = header(request, 'date') ?? header(request, 'x-mns-date')
  if (!text) throw new MnsError('MissingDateHeader')
  const date = Date.parse(text)
  if (Number.isNaN(date)) throw new MnsError('InvalidDateHeader')
  return date
}

/** The header is the base64 of the hex of the MD5; the base64 of the MD5 itself, as in HTTP, does as well. */
function checkDigest(request: SignedRequest): void {
  const given = header(request, 'content-md5')
  if (!given) return
  const digest = createHash('md5').update(request.body)
  const raw = digest.digest()
  const hex = raw.toString('hex')
  const accepted = [Buffer.from(hex).toString('base64'), raw.toString('base64'), hex, hex.toUpperCase()]
  if (!accepted.includes(given)) throw new MnsError('InvalidDegist')
}

function findCaller(credentials: Credentials, accessKeyId: string, token: string | undefined): Identity {
  try {
    return credentials.find(accessKeyId, token || undefined)
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    throw new MnsError(error.reason === 'unknown_key' ? 'InvalidAccessKeyId' : 'InvalidSecurityToken')
  }
}
