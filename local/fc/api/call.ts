import { OpenApiError } from '../../wire/acs3.ts'
import type { AsyncQueue } from '../async-queue.ts'
import type { Catalog } from '../catalog.ts'
import type { Fleet } from '../fleet.ts'
import type { LayerName } from '../function-config.ts'
import { ManifestError } from '../manifest-error.ts'
import type { Packages } from '../packages.ts'
import type { Records } from '../records.ts'

/** What the operations of the management API work on. */
export interface ApiContext {
  readonly records: Records
  readonly catalog: Catalog
  readonly fleet: Fleet
  readonly queue: AsyncQueue
  readonly packages: Packages
  readonly region: string
  readonly accountId: string
  now(): number
  /** An object of the local OSS; `undefined` when there is none. */
  readObject(bucket: string, key: string, limitBytes: number): Promise<Buffer | 'too-large' | undefined>
  /** Whether the layer's contents are among the project's own. */
  hasProjectLayer(layer: LayerName): boolean
  /** A link that gives a package for some minutes. */
  packageUrl(id: string): string
  /** The code of a folder of the project as a package. */
  packFolder(path: string): Promise<Buffer>
  /** Where this HTTP trigger can be reached. */
  triggerUrl(functionName: string, qualifier: string): string
  /** Called after every change of triggers or functions. */
  syncTriggers(): void
}

/** One request, taken apart. */
export interface ApiCall {
  /** The parts of the path that have a name. */
  readonly path: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
}

/** Answers with a body, or with none (204). */
export type Operation = (call: ApiCall, context: ApiContext) => object | undefined | Promise<object | undefined>

/** A named part of the path. */
export function part({ path }: ApiCall, name: string): string {
  return path[name] ?? ''
}

/** The qualifier of the query. */
export function qualifierOf({ query }: ApiCall): string {
  return query.get('qualifier') || 'LATEST'
}

/** Something that a name leads nowhere to. */
export function notFound(code: string, message: string): OpenApiError {
  return new OpenApiError(404, code, message)
}

/** Something that is there already. */
export function alreadyExists(code: string, message: string): OpenApiError {
  return new OpenApiError(409, code, message)
}

/** A time as the API states it. */
export function isoTime(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** The name of something in this account. */
export function arnOf({ region, accountId }: Pick<ApiContext, 'region' | 'accountId'>, path: string): string {
  return `acs:fc:${region}:${accountId}:${path}`
}

/** A page of a list that is in the order of its names; the token is the next name, wrapped up. */
export function page<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  { query }: ApiCall,
): { readonly items: readonly T[]; readonly nextToken?: string } {
  const limit = readLimit(query.get('limit'))
  const from = readToken(query.get('nextToken'))
  const rest = from === undefined ? items : items.slice(Math.max(0, indexFrom(items, nameOf, from)))
  const next = rest[limit]
  const shown = rest.slice(0, limit)
  return next === undefined
    ? { items: shown }
    : { items: shown, nextToken: Buffer.from(nameOf(next)).toString('base64url') }
}

/** `limit` of a list: 20 unless it is given, 100 at most. */
export function readLimit(text: string | null): number {
  if (text === null || text === '') return 20
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (limit >= 1 && limit <= 100) return limit
  throw new ManifestError('limit', 'expected an integer from 1 to 100')
}

function readToken(token: string | null): string | undefined {
  if (!token) return undefined
  const name = Buffer.from(token, 'base64url').toString()
  if (Buffer.from(name).toString('base64url') !== token)
    throw new ManifestError('nextToken', 'expected a token of this list')
  return name
}

/** What the token names may be gone; then the list goes on behind it. */
function indexFrom<T>(items: readonly T[], nameOf: (item: T) => string, from: string): number {
  const exact = items.findIndex((item) => nameOf(item) === from)
  if (exact >= 0) return exact
  const after = items.findIndex((item) => nameOf(item) > from)
  return after >= 0 ? after : items.length
}
