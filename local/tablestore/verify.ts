import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CredentialError, type Credentials, type Identity } from '../wire/credentials.ts'
import { invalid, TablestoreError } from './errors.ts'

/** A request as far as its signature goes. */
export interface SignedRequest {
  readonly method: string
  readonly path: string
  /** The query string without its question mark. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const REQUIRED = ['date', 'apiversion', 'accesskeyid', 'contentmd5', 'instancename', 'signature'].map(
  (name) => `x-ots-${name}`,
)
const API_VERSION = '2015-12-31'
const MAX_SKEW_MS = 15 * 60 * 1000
const DATE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)$/

/** Checks headers, signature, date, instance and body digest, in this order; gives who is calling. */
export function verify(request: SignedRequest, instance: string, credentials: Credentials, now: number): Identity {
  const header = (name: string) => String(request.headers[name] ?? '').trim()
  for (const name of REQUIRED) if (header(name) === '') throw invalid(`Missing header: '${name}'.`)
  const version = header('x-ots-apiversion')
  if (version !== API_VERSION) throw invalid(`Invalid api version: ${version}.`)
  const date = header('x-ots-date')
  const time = DATE.test(date) ? Date.parse(date) : Number.NaN
  if (Number.isNaN(time)) throw invalid(`Invalid date format: ${date}.`)
  const identity = findCaller(credentials, header('x-ots-accesskeyid'), header('x-ots-ststoken') || undefined)
  const signature = requestSignature(request, identity.accessKeySecret)
  if (!equal(signature, header('x-ots-signature'))) throw authFailed('Signature mismatch.')
  if (Math.abs(time - now) > MAX_SKEW_MS) throw authFailed(`Mismatch between system time and x-ots-date: ${date}.`)
  if (header('x-ots-instancename') !== instance) throw authFailed('The instance is not found.')
  if (!equal(md5(request.body), header('x-ots-contentmd5'))) {
    throw authFailed('Mismatch between MD5 value of request body and x-ots-contentmd5 in header.')
  }
  return identity
}

/**
 * The headers of an answer, signed for the caller when it is known, as the SDKs of other languages check them.
 * https://github.com/aliyun/aliyun-tablestore-python-sdk/blob/master/tablestore/protocol.py
 */
export function responseHeaders(
  path: string,
  body: Buffer,
  requestId: string,
  now: number,
  identity: Identity | undefined,
): Record<string, string> {
  const headers = {
    'x-ots-contentmd5': md5(body),
    'x-ots-contenttype': 'protocol buffer',
    'x-ots-date': new Date(now).toISOString(),
    'x-ots-requestid': requestId,
  }
  if (!identity) return headers
  const signature = hmac(identity.accessKeySecret, `${canonicalHeaders(headers)}\n${path}`)
  return { ...headers, authorization: `OTS ${identity.accessKeyId}:${signature}` }
}

function requestSignature({ method, path, query, headers }: SignedRequest, secret: string): string {
  const signed = Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('x-ots-') && name !== 'x-ots-signature'),
  )
  const sortedQuery = query.split('&').sort().join('&')
  return hmac(secret, `${path}\n${method}\n${sortedQuery}\n${canonicalHeaders(signed)}\n`)
}

function canonicalHeaders(headers: IncomingHttpHeaders): string {
  return Object.keys(headers)
    .sort()
    .map((name) => `${name}:${String(headers[name]).trim()}`)
    .join('\n')
}

/** The service says no more than this about any credential that it does not accept. */
const REFUSED = {
  unknown_key: 'The AccessKeyID does not exist.',
  bad_token: 'The STS token is invalid.',
  token_expired: 'The STS token has expired.',
  token_missing: 'The STS token is missing.',
} as const

function findCaller(credentials: Credentials, accessKeyId: string, token: string | undefined): Identity {
  try {
    return credentials.find(accessKeyId, token)
  } catch (error) {
    if (error instanceof CredentialError) throw authFailed(REFUSED[error.reason])
    throw error
  }
}

function authFailed(message: string): TablestoreError {
  return new TablestoreError('OTSAuthFailed', message)
}

function equal(wanted: string, given: string): boolean {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('base64')
}

function hmac(secret: string, text: string): string {
  return createHmac('sha1', secret).update(text).digest('base64')
}
