import { networkInterfaces } from 'node:os'
import { OssError } from '../errors.ts'

/** Whom to tell about an upload, and in which words. */
export interface Callback {
  /** Tried in this order until one answers well. */
  readonly urls: readonly URL[]
  /** Instead of the host of the URL. */
  readonly host: string | undefined
  readonly body: string
  readonly bodyType: 'application/x-www-form-urlencoded' | 'application/json'
  readonly sni: boolean
  readonly additionalHeaders: Readonly<Record<string, string>>
  /** By their whole names, `x:…`. */
  readonly variables: ReadonlyMap<string, string>
}

const MAX_BYTES = 5 * 1024
const MAX_URLS = 5

/**
 * Reads what a request says about its callback, before anything is stored.
 * https://help.aliyun.com/zh/oss/developer-reference/callback, errors at /oss/support/0007-00000002 and what follows it
 */
export function readCallback(encoded: string, variables: string | undefined): Callback {
  const { document, refuse } = decode('callback', encoded, ['', '0007-00000002', '0007-00000003'])
  const text = (name: string, exactCode: string) => {
    const value = document[name]
    if (value === undefined || typeof value === 'string') return value
    throw refuse(exactCode, `The ${name} of the callback configuration must be a string.`)
  }
  const body = text('callbackBody', '')
  if (!body) throw refuse('0007-00000011', 'The callbackBody of the callback configuration is empty.')
  if (/\$\(|\$\{[^}]*$/.test(body)) throw refuse('0007-00000011', 'The callbackBody has a variable that is not valid.')
  const bodyType = text('callbackBodyType', '0007-00000012') ?? 'application/x-www-form-urlencoded'
  if (bodyType !== 'application/x-www-form-urlencoded' && bodyType !== 'application/json') {
    throw refuse('', 'The callbackBodyType of the callback configuration is not supported.')
  }
  const { callbackSNI: sni = false, additionalHeaders = {}, signatureVersion = '1.0' } = document
  if (sni !== true && sni !== false) throw refuse('', 'The callbackSNI must be a boolean.')
  if (signatureVersion !== '1.0') throw refuse('', 'The signatureVersion of the callback is not supported.')
  if (!areHeaders(additionalHeaders))
    throw refuse('0007-00000026', 'The additionalHeaders of the callback are invalid.')
  return {
    urls: readUrls(text('callbackUrl', '0007-00000004') ?? '', refuse),
    host: text('callbackHost', '') || undefined,
    body,
    bodyType,
    sni,
    additionalHeaders,
    variables: variables === undefined ? new Map() : readVariables(variables),
  }
}

/** The number is empty where the service's own is not published. */
type Refuse = (exactCode: string, message: string) => OssError

function decode(
  name: 'callback' | 'callback-var',
  encoded: string,
  [tooLong, notBase64, notJson]: readonly [string, string, string],
): { readonly document: Readonly<Record<string, unknown>>; readonly refuse: Refuse } {
  const refuser = (value: string) => (exactCode: string, message: string) => {
    const details = { ArgumentName: name, ArgumentValue: value.slice(0, 1024) }
    return new OssError('InvalidArgument', exactCode ? { ...details, EC: exactCode } : details, message)
  }
  const what = name === 'callback' ? 'callback configuration' : 'callback-var configuration'
  if (encoded.length > MAX_BYTES) throw refuser(encoded)(tooLong, `The ${what} is too long.`)
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) throw refuser(encoded)(notBase64, `The ${what} is not base64 encoded.`)
  const text = Buffer.from(encoded, 'base64').toString()
  const refuse = refuser(text)
  try {
    const document: unknown = JSON.parse(text)
    if (isObject(document)) return { document, refuse }
  } catch {}
  throw refuse(notJson, `The ${what} is not json format.`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function areHeaders(value: unknown): value is Readonly<Record<string, string>> {
  const valid = ([name, text]: readonly [string, unknown]) =>
    /^[!#$%&'*+.^_`|~\w-]+$/.test(name) &&
    !/^x-oss-/i.test(name) &&
    typeof text === 'string' &&
    /^[\t\x20-\x7e]*$/.test(text)
  return isObject(value) && Object.entries(value).every(valid)
}

function readVariables(encoded: string): ReadonlyMap<string, string> {
  const { document, refuse } = decode('callback-var', encoded, ['', '0007-00000102', '0007-00000103'])
  return new Map(
    Object.entries(document).map(([name, value]) => {
      if (name.startsWith('x:') && typeof value === 'string') return [name, value]
      throw refuse('', 'The callback-var must have names that begin with x: and values that are strings.')
    }),
  )
}

function readUrls(text: string, refuse: Refuse): readonly URL[] {
  const urls = text.split(';').filter((url) => url.trim() !== '')
  if (urls.length === 0) throw refuse('0007-00000004', 'The callbackUrl of the callback configuration is empty.')
  if (urls.length > MAX_URLS) throw refuse('0007-00000005', 'The callbackUrl has more than 5 urls.')
  return urls.map((url) => readUrl(url.trim(), refuse))
}

function readUrl(text: string, refuse: Refuse): URL {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(absolute) ? new URL(absolute) : undefined
  const named = url && (url.hostname === 'localhost' || /[.:]/.test(url.hostname))
  if (!url || !named || !/^https?:$/.test(url.protocol)) {
    throw refuse('0007-00000004', 'The callbackUrl of the callback configuration is not a valid url.')
  }
  if (isForbidden(url.hostname)) throw refuse('0007-00000008', 'Private address is forbidden to callback.')
  return url
}

const PRIVATE = /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|0\.)/

/** As on the service, private addresses are not called; this machine's own are, or nothing could be tried locally. */
export function isForbidden(hostname: string): boolean {
  if (!PRIVATE.test(hostname)) return false
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return !own.some(({ address }) => address === hostname)
}
