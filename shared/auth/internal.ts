import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from '../errors.ts'

/** How far the clocks of sender and receiver may be apart. */
const MAX_SKEW_SECONDS = 300
/** It becomes part of a table's key, which holds 1024 bytes. */
const MAX_NONCE = 128
const NAME = /^[A-Za-z][A-Za-z0-9]*$/
const VALUE = /^[A-Za-z0-9._~:/-]*$/

/** The key of one route, so that a request signed for one is worth nothing on another. */
export function routeKey(key: string | Buffer, path: string): Buffer {
  return createHmac('sha256', key).update(`route:${path}`).digest()
}

/**
 * The parameters without `sign`, sorted by name, as `k=v` joined by `&`, values decoded. Only names and values that cannot hold a
 * separator are let in: otherwise one parameter could be signed and read as two.
 */
export function canonicalQuery(parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).filter(([name]) => name !== 'sign')
  for (const [name, value] of pairs) {
    if (!NAME.test(name)) throw malformed('parameter names must be letters and digits')
    if (!VALUE.test(value)) throw malformed(`the value of ${name} must be of A-Z a-z 0-9 . _ ~ : / -`)
  }
  return pairs
    .sort(([a], [b]) => byCodeUnits(a, b))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** What is signed: the canonical query and the body, each ended by a line feed. */
export function stringToSign(canonical: string, body: string): string {
  return `${canonical}\n${body}\n`
}

/** The query string to send: the canonical query and `sign`, in the standard alphabet. */
export function signedQuery(key: string | Buffer, canonical: string, body: string): string {
  const sign = mac(key, stringToSign(canonical, body)).toString('base64')
  return `${canonical}&sign=${encodeURIComponent(sign)}`
}

/** Signs a request to a route of ours: adds the time and a nonce, gives the query string. */
export function signInternal(
  request: {
    readonly key: string | Buffer
    readonly parameters: Readonly<Record<string, string>>
    readonly body: string
  },
  nowMs: number,
  nonce: string,
): string {
  const timestamp = String(Math.floor(nowMs / 1000))
  return signedQuery(request.key, canonicalQuery({ ...request.parameters, timestamp, nonce }), request.body)
}

/** The verified parameters of a request, `sign` taken off; throws `invalid_signature` or `signature_mismatch`. */
export function verifyInternal(
  request: { readonly key: string | Buffer; readonly query: URLSearchParams; readonly body: string },
  nowMs: number,
): Record<string, string> {
  const { sign, ...parameters } = once(request.query)
  const canonical = canonicalQuery(parameters)
  const { timestamp = '', nonce = '' } = parameters
  if (!/^\d{1,12}$/.test(timestamp)) throw malformed('timestamp must be seconds since 1970')
  if (nonce === '' || nonce.length > MAX_NONCE) throw malformed(`nonce must be 1 to ${MAX_NONCE} characters long`)
  const given = signatureBytes(sign ?? '')
  const expected = mac(request.key, stringToSign(canonical, request.body))
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new AppError('signature_mismatch', 'The request was not signed with the key of this route')
  }
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > MAX_SKEW_SECONDS) {
    throw new AppError('signature_mismatch', `timestamp must be within ${MAX_SKEW_SECONDS} s of now`)
  }
  return parameters
}

function once(query: URLSearchParams): Record<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of query) {
    if (parameters.has(name)) throw malformed('a parameter may be given once')
    parameters.set(name, value)
  }
  return Object.fromEntries(parameters)
}

/** Standard and URL-safe alphabet, padded or not; a `+` that was not encoded arrives as a space. */
function signatureBytes(sign: string): Buffer {
  const text = sign.replaceAll(' ', '+').replaceAll('-', '+').replaceAll('_', '/')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw malformed('sign must be base64')
  return Buffer.from(text, 'base64')
}

function mac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function malformed(expected: string): AppError {
  return new AppError('invalid_signature', expected)
}
