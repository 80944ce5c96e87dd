import { createHmac, timingSafeEqual } from 'node:crypto'
import { acs3Verifier, checkDate, findCaller, header, nonces, OpenApiError, type SignedRequest } from './acs3.ts'
import type { Credentials, Identity } from './credentials.ts'

/** What a request to an RPC-style API asks for, however it is signed. */
export interface RpcCall {
  readonly action: string
  readonly version: string
  /** Query and form together; of a name that is there twice, `get` gives the first. */
  readonly parameters: URLSearchParams
  readonly format: 'JSON' | 'XML'
}

/**
 * Reads the call without trusting it: the older signature carries everything in parameters, ACS3 carries action and
 * version in headers. https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism
 */
export function readRpcCall(request: SignedRequest): RpcCall {
  const parameters = readParameters(request)
  const isAcs3 = isAcs3Signed(request)
  const named = (name: string) => header(request, `x-acs-${name.toLowerCase()}`)
  const accepts = isAcs3 ? (header(request, 'accept') ?? 'json') : (parameters.get('Format') ?? 'XML')
  return {
    action: (isAcs3 ? named('Action') : undefined) ?? parameters.get('Action') ?? '',
    version: (isAcs3 ? named('Version') : undefined) ?? parameters.get('Version') ?? '',
    parameters,
    format: /xml/i.test(accepts) && !/json/i.test(accepts) ? 'XML' : 'JSON',
  }
}

/**
 * Verifies either signature and says who calls; throws `OpenApiError`. `now` is told what the request says, since a
 * service may know two times.
 */
export function rpcVerifier(
  credentials: Credentials,
  now: (sentAt: number) => number,
): (request: SignedRequest) => Identity {
  const verifyAcs3 = acs3Verifier(credentials, now)
  const spendNonce = nonces(Date.now)
  return (request) => {
    if (isAcs3Signed(request)) return verifyAcs3(request)
    const parameters = readParameters(request)
    const claim = readClaim(parameters)
    checkDate(claim.timestamp, now)
    const identity = findCaller(credentials, claim.accessKeyId, parameters.get('SecurityToken') ?? undefined)
    const toSign = rpcStringToSign(request.method, parameters)
    const wanted = createHmac(claim.algorithm, `${identity.accessKeySecret}&`).update(toSign).digest()
    if (claim.signature.length !== wanted.length || !timingSafeEqual(claim.signature, wanted)) {
      const message = `Specified signature is not matched with our calculation. server string to sign is:${toSign}`
      throw new OpenApiError(400, 'SignatureDoesNotMatch', message)
    }
    spendNonce(`${claim.accessKeyId} ${claim.nonce}`)
    return identity
  }
}

/** The text under the HMAC: every parameter but the signature itself, sorted by name. */
export function rpcStringToSign(method: string, parameters: URLSearchParams): string {
  const names = [...new Set(parameters.keys())].filter((name) => name !== 'Signature').sort()
  const canonical = names.map((name) => `${encode(name)}=${encode(parameters.get(name) ?? '')}`).join('&')
  return `${method}&${encode('/')}&${encode(canonical)}`
}

const ALGORITHMS: Readonly<Record<string, string>> = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256' }

function readClaim(parameters: URLSearchParams) {
  const value = (name: string) => mandatory(parameters, name)
  const claim = {
    // An empty one is a key that nobody has: https://github.com/aliyun/aliyun-oss-php-sdk/blob/master/tests/OSS/Tests/StsTest.php
    accessKeyId: parameters.get('AccessKeyId') ?? value('AccessKeyId'),
    signature: Buffer.from(value('Signature'), 'base64'),
    algorithm: ALGORITHMS[value('SignatureMethod')],
    nonce: value('SignatureNonce'),
    // The same test writes an H where the T should be.
    timestamp: value('Timestamp').replace(/^(\d{4}-\d\d-\d\d)H/, '$1T'),
  }
  if (typeof claim.algorithm !== 'string') throw notValid('SignatureMethod')
  if (value('SignatureVersion') !== '1.0') throw notValid('SignatureVersion')
  return { ...claim, algorithm: claim.algorithm }
}

/** A parameter that has to be there, or the refusal that names it. */
export function mandatory(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name)
  if (!value) throw new OpenApiError(400, `Missing${name}`, `${name} is mandatory for this action.`)
  return value
}

function notValid(name: string): OpenApiError {
  return new OpenApiError(400, `Invalid${name}`, `Specified parameter ${name} is not valid.`)
}

/** The older signature is a parameter; a request with neither is measured by the headers that it brings. */
function isAcs3Signed({ headers }: SignedRequest): boolean {
  return headers.authorization !== undefined || headers['x-acs-content-sha256'] !== undefined
}

function readParameters(request: SignedRequest): URLSearchParams {
  const at = request.url.indexOf('?')
  const parameters = new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1))
  if (header(request, 'content-type')?.startsWith('application/x-www-form-urlencoded')) {
    for (const [key, value] of new URLSearchParams(request.body.toString())) parameters.append(key, value)
  }
  return parameters
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
