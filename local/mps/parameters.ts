import { mpsError } from './errors.ts'

/** A JSON object as a client sent it. */
export type Json = Readonly<Record<string, unknown>>

/** A file in OSS; the key as the client sees it, that is, URL-encoded. */
export interface OssFile {
  readonly Bucket: string
  readonly Location: string
  readonly Object: string
}

/** A parameter that has to be there. */
export function required(parameters: URLSearchParams, name: string): string {
  const value = parameters.get(name)
  if (value === null) throw mpsError('InvalidParameter.NullValue', name)
  if (value.trim() === '') throw mpsError('InvalidParameter.EmptyValue', name)
  return value
}

/** Ids that are separated by commas, at most so many. */
export function idList(parameters: URLSearchParams, name: string, most = 10): readonly string[] {
  const ids = required(parameters, name)
    .split(',')
    .map((id) => id.trim())
  if (ids.length > most) throw mpsError('InvalidParameter.OutOfRange', name)
  return ids
}

/** A JSON object in a parameter or in a field; objects in objects come as text or as they are. */
export function jsonObject(value: unknown, name: string): Json {
  const parsed = parse(value)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw mpsError('InvalidParameter.JsonObjectFormatInvalid', name)
  }
  return parsed as Json
}

/** A JSON array. */
export function jsonArray(value: unknown, name: string): readonly unknown[] {
  const parsed = parse(value)
  if (!Array.isArray(parsed)) throw mpsError('InvalidParameter.JsonArrayFormatInvalid', name)
  return parsed
}

function parse(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

/** A field as text; numbers and truth values are often sent as what they are. */
export function textOf(object: Json, name: string): string | undefined {
  const value = object[name]
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** A field as a number within a range. */
export function numberOf(object: Json, name: string, [low, high]: readonly [number, number]): number | undefined {
  const text = textOf(object, name)
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) throw mpsError('InvalidParameter.NumberFormatInvalid', name)
  if (number < low || number > high) throw mpsError('InvalidParameter.OutOfRange', name)
  return number
}

/** A whole number in a parameter. */
export function integerParameter(
  parameters: URLSearchParams,
  name: string,
  range: readonly [number, number],
  fallback: number,
): number {
  const number = numberOf({ [name]: parameters.get(name) ?? '' }, name, range) ?? fallback
  if (!Number.isInteger(number)) throw mpsError('InvalidParameter.NumberFormatInvalid', name)
  return number
}

/** Whether a field is true, in either spelling. */
export function isTrue(object: Json, name: string): boolean {
  return textOf(object, name)?.toLowerCase() === 'true'
}

/** A file that is named by bucket, location and key. */
export function ossFile(value: unknown, name: string, region: string): OssFile {
  const object = jsonObject(value, name)
  const bucket = textOf(object, 'Bucket')
  const key = textOf(object, 'Object')
  if (bucket === undefined) throw mpsError('InvalidParameter.NullValue', `${name}.Bucket`)
  if (key === undefined) throw mpsError('InvalidParameter.NullValue', `${name}.Object`)
  checkKey(key)
  return { Bucket: bucketName(bucket), Location: location(textOf(object, 'Location'), region), Object: key }
}

/** The name of a bucket. */
export function bucketName(name: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{2,254}$/.test(name)) throw mpsError('InvalidParameter.BucketNameInvalid', name)
  return name
}

/** Where a bucket is; everything has to be in one region. */
export function location(value: string | undefined, region: string): string {
  const wanted = value ?? `oss-${region}`
  if (wanted !== `oss-${region}`) throw mpsError('InvalidParameter.LocationInvalid', wanted)
  return wanted
}

/** The key itself, of a key as the client writes it: a form's encoding, so that a plus sign is a blank. */
export function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    throw mpsError('InvalidParameter.ObjectKeyInvalid', encoded)
  }
}

/** A key as the client sees it. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
}

/** Refuses what cannot be a key. */
export function checkKey(encoded: string): void {
  const key = decodeKey(encoded)
  const bytes = Buffer.byteLength(key)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 cannot hold
  const isBad = /[\u0000-\u0008\u000a-\u001f]/.test(key)
  if (bytes < 1 || bytes > 1023 || isBad || key.startsWith('/')) {
    throw mpsError('InvalidParameter.ObjectKeyInvalid', encoded)
  }
}

/** What a client wants to find again: letters and so on, up to 1024 bytes. */
export function userData(value: string | undefined): string | undefined {
  if (value !== undefined && Buffer.byteLength(value) > 1024) throw mpsError('InvalidParameter.OutOfRange', 'UserData')
  return value
}
