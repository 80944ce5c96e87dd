import { OssError } from './errors.ts'
import type { ObjectRecord } from './records.ts'

/** Whether the content is to be sent, or the client's copy is still good. */
export type Freshness = 'send' | 'not_modified'

type Known = Pick<ObjectRecord, 'eTag' | 'lastModifiedAt'>

/** Evaluates the conditional headers of a read (`prefix` is empty) or of the source of a copy. */
export function checkConditions(
  record: Known,
  header: (name: string) => string | undefined,
  prefix: '' | 'x-oss-copy-source-' = '',
): Freshness {
  const read = (name: string) => header(`${prefix}${name}`)
  const modifiedAt = wholeSeconds(record.lastModifiedAt)
  const match = read('if-match')
  if (match !== undefined && !namesETag(match, record.eTag)) throw failed('If-Match')
  const unmodifiedSince = parseDate(read('if-unmodified-since'))
  if (unmodifiedSince !== undefined && modifiedAt > unmodifiedSince) throw failed('If-Unmodified-Since')
  const noneMatch = read('if-none-match')
  if (noneMatch !== undefined) return namesETag(noneMatch, record.eTag) ? 'not_modified' : 'send'
  const modifiedSince = parseDate(read('if-modified-since'))
  return modifiedSince !== undefined && modifiedAt <= modifiedSince ? 'not_modified' : 'send'
}

function failed(condition: string): OssError {
  return new OssError('PreconditionFailed', { Condition: condition })
}

function namesETag(header: string, eTag: string): boolean {
  const names = header.split(',').map((name) => plainETag(name.trim().replace(/^W\//, '')))
  return names.some((name) => name === '*' || name === eTag)
}

/** An ETag as it is stored, from one in quotes and in any case. */
export function plainETag(text: string): string {
  return text.replace(/^"|"$/g, '').toUpperCase()
}

function parseDate(text: string | undefined): number | undefined {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? undefined : at
}

function wholeSeconds(at: number): number {
  return Math.floor(at / 1000) * 1000
}

/** First and last byte of a part of an object. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The part that `Range` asks for, or `undefined` for the whole. As the service does it, a range that reaches outside the
 * object is ignored, unless `x-oss-range-behavior: standard` asks for the rules of HTTP; of several ranges the first counts.
 * https://help.aliyun.com/document_detail/39571.html
 */
export function readRange(
  range: string | undefined,
  behavior: string | undefined,
  size: number,
): ByteRange | undefined {
  const asked = parseRange(range, size)
  if (asked === undefined) return undefined
  const { start, end } = asked
  if (start >= 0 && end < size && start <= end) return asked
  if (behavior !== 'standard') return undefined
  if (start >= size) throw new OssError('InvalidRange', { ActualObjectSize: size, RangeRequested: range ?? '' })
  return { start: Math.max(start, 0), end: Math.min(end, size - 1) }
}

/** `bytes=a-b`, `bytes=a-` or `bytes=-n` as positions, which may lie outside the object; anything else is no range. */
function parseRange(range: string | undefined, size: number): ByteRange | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)(?:,|$)/.exec(range ?? '') ?? []
  if (from === '') return to === '' ? undefined : { start: size - Number(to), end: size - 1 }
  const end = to === '' ? size - 1 : Number(to)
  return to !== '' && Number(from) > end ? undefined : { start: Number(from), end }
}
