import { invalidArgument } from './errors.ts'
import type { OssRequest } from './request.ts'
import { following } from './tables.ts'

/** A row or a group of rows that share a prefix up to the delimiter. */
export type Entry<Row> = { readonly row: Row } | { readonly prefix: string }

export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly prefixes: readonly string[]
  /** The last entry, where there are more after it. */
  readonly last: Entry<Row> | undefined
}

/** What to list: rows after `from` whose key has `prefix`, grouped at `delimiter`, at most `max` entries. */
export interface Wanted<Row> {
  readonly prefix: string
  readonly delimiter: string
  /** Where to begin (inclusive), in bytes. */
  readonly from: Buffer
  /** A group that was told already and is to be passed over. */
  readonly after: string
  readonly max: number
  scan(from: Buffer): Iterable<Row>
  keyOf(row: Row): string
}

/** One page; a group costs one seek, however many rows it has. */
export function listPage<Row>(wanted: Wanted<Row>): Page<Row> {
  const found: Entry<Row>[] = []
  let from: Buffer | undefined = wanted.from
  while (from !== undefined && found.length <= wanted.max) from = collect(wanted, from, found)
  const page = found.slice(0, wanted.max)
  return {
    rows: page.flatMap((entry) => ('row' in entry ? [entry.row] : [])),
    prefixes: page.flatMap((entry) => ('prefix' in entry ? [entry.prefix] : [])),
    last: found.length > wanted.max ? page.at(-1) : undefined,
  }
}

/** Adds rows up to the first group, or one more than wanted; returns where to go on after that group. */
function collect<Row>(wanted: Wanted<Row>, from: Buffer, found: Entry<Row>[]): Buffer | undefined {
  for (const row of wanted.scan(from)) {
    const group = groupOf(wanted.keyOf(row), wanted.prefix, wanted.delimiter)
    if (group === undefined) found.push({ row })
    else if (group !== wanted.after) found.push({ prefix: group })
    if (group !== undefined) return following(Buffer.from(group))
    if (found.length > wanted.max) return undefined
  }
  return undefined
}

function groupOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/** The first key after this one, in bytes. */
export function justAfter(key: string): Buffer {
  return key === '' ? Buffer.alloc(0) : Buffer.from(`${key}\0`)
}

/** 1 to 1000. */
export function readPageSize(request: OssRequest, name: string, otherwise: number): number {
  const text = request.param(name)
  if (text === undefined || text === '') return otherwise
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (size >= 1 && size <= 1000) return size
  throw invalidArgument(name, text.slice(0, 64), `Argument ${name} must be an integer between 1 and 1000.`)
}

const MAX_TEXT_BYTES = 1024

/** A prefix, delimiter or marker; longer ones than a key can be are refused. */
export function checkListText(request: OssRequest, name: string): string {
  const text = request.param(name) ?? ''
  if (Buffer.byteLength(text) <= MAX_TEXT_BYTES) return text
  throw invalidArgument(name, text.slice(0, 64), `The length of ${name} must be at most ${MAX_TEXT_BYTES} bytes.`)
}

/** How names are written into a document: as they are, or encoded if the request says so. */
export function nameEncoder(request: OssRequest): (name: string) => string {
  const type = request.param('encoding-type')
  if (type === undefined || type === '') return (name) => name
  if (type === 'url') return (name) => encodeURIComponent(name)
  throw invalidArgument('encoding-type', type.slice(0, 64), 'Invalid Encoding Method specified in Request.')
}
