import { invalid, TablestoreError } from './errors.ts'
import type { WireKeyColumn } from './plain-buffer-reader.ts'
import { type KeyColumn, sizeOfValue, type Value } from './values.ts'

export type KeyType = 'INTEGER' | 'STRING' | 'BINARY'

/** A primary key column of a table or an index. */
export interface KeySchema {
  readonly name: string
  readonly type: KeyType
  readonly autoIncrement: boolean
}

/** A predefined attribute column; only these can be indexed. */
export interface DefinedColumn {
  readonly name: string
  readonly type: Value['type']
}

export interface TableOptions {
  /** Seconds after which cells are gone; -1 is never. */
  readonly timeToLive: number
  readonly maxVersions: number
  /** How far a given cell timestamp may be from the clock. */
  readonly deviationSeconds: number
  readonly allowUpdate: boolean
}

/** A secondary index, as its table knows it. */
export interface Index {
  readonly name: string
  /** Local indexes keep the table's partition key and change with it at once; absent in folders older than them. */
  readonly local?: boolean
  /** The columns that were asked for; the index's own key adds the rest of the table's key. */
  readonly key: readonly string[]
  readonly defined: readonly string[]
}

/** A table, or the read-only table behind an index (then `base` names the table it follows). */
export interface Table {
  /** Never used again, so that rows of a deleted table cannot come back with its name. */
  readonly id: number
  readonly name: string
  readonly base?: string
  readonly key: readonly KeySchema[]
  readonly defined: readonly DefinedColumn[]
  readonly options: TableOptions
  readonly throughput: { readonly read: number; readonly write: number }
  /** Seconds since the epoch. */
  readonly throughputSetAt: number
  readonly indexes: readonly Index[]
  /** Milliseconds since the epoch; absent in folders older than it, as is all that follows. */
  readonly createdAt?: number
  readonly stream?: StreamSetting | undefined
  readonly encryption?: EncryptionSetting
  /** Local transactions are there unless this is false. */
  readonly transactions?: boolean
}

/** A stream of a table's changes that is switched on. */
export interface StreamSetting {
  readonly id: string
  readonly expirationHours: number
  readonly enabledAt: number
  readonly columns: readonly string[]
}

/** Server-side encryption: kept and read back, since what is stored is on this machine only. */
export interface EncryptionSetting {
  readonly enable: boolean
  readonly keyType?: number | undefined
  readonly keyId?: string | undefined
  readonly roleArn?: string | undefined
}

const VARIANT_NAME: Record<WireKeyColumn['value']['type'], string> = {
  INTEGER: 'VT_INTEGER',
  STRING: 'VT_STRING',
  BINARY: 'VT_BLOB',
  INF_MIN: 'VT_INF_MIN',
  INF_MAX: 'VT_INF_MAX',
  AUTO_INCREMENT: 'VT_AUTO_INCREMENT',
}

/** Refuses a key whose columns are not the table's, in number, order, name and type; `markers` names what else may stand. */
export function matchKey(
  schema: readonly KeySchema[],
  key: readonly WireKeyColumn[],
  markers: readonly WireKeyColumn['value']['type'][],
): void {
  const fail = (what: string, input: unknown, meta: unknown) =>
    new TablestoreError('OTSInvalidPK', `Validate PK ${what} fail. Input: ${input}, Meta: ${meta}.`)
  if (key.length !== schema.length) throw fail('size', key.length, schema.length)
  schema.forEach((column, at) => {
    const given = key[at]
    if (given?.name !== column.name) throw fail('name', given?.name, column.name)
    if (given.value.type === column.type || markers.includes(given.value.type)) return
    if (given.value.type === 'AUTO_INCREMENT') throw invalid("PKAutoIncr can't be used for read operations.")
    throw fail('type', VARIANT_NAME[given.value.type], VARIANT_NAME[column.type])
  })
}

/** A key without markers. */
export function plainKey(key: readonly WireKeyColumn[]): KeyColumn[] {
  return key.map(({ name, value }) => {
    if (value.type === 'INTEGER' || value.type === 'STRING' || value.type === 'BINARY') return { name, value }
    throw new TablestoreError('OTSInvalidPK', `Validate PK type fail. Input: ${VARIANT_NAME[value.type]}.`)
  })
}

/** Refuses a name that no table or index can have: letters, digits and underscores, not first a digit, up to 255. */
export function checkTableName(name: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name)) throw invalid(`Invalid table name: '${name}'.`)
}

/**
 * Refuses a name that no column can have. The documentation asks for letters, digits and underscores; the service takes
 * everything up to 255 bytes that does not begin with '#', as its Java SDK's ParameterLegalityTest says.
 */
export function checkColumnName(name: string): void {
  if (name === '' || name.startsWith('#') || Buffer.byteLength(name) > 255) {
    throw invalid(`Invalid column name: '${name}'.`)
  }
}

/** https://www.alibabacloud.com/help/en/tablestore/product-overview/general-limits */
const MAX_VALUE_BYTES = 2 * 1024 * 1024

/** Refuses a value that no attribute column can have, nor be compared with. */
export function checkValueSize(name: string, value: Value): void {
  const size = sizeOfValue(value)
  if (size <= MAX_VALUE_BYTES) return
  throw invalid(
    `The length of attribute column: '${name}' exceeds the MaxLength:${MAX_VALUE_BYTES} with CurrentLength:${size}.`,
  )
}
