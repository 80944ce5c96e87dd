import { isUtf8 } from 'node:buffer'
import { invalid } from './errors.ts'

/**
 * Protocol Buffers (proto2) driven by plain descriptors: just what the service's messages use. Enumerations are `int32`.
 * https://protobuf.dev/programming-guides/encoding/
 */
type Scalar = 'string' | 'bytes' | 'int32' | 'int64' | 'bool'
type Rule = 'required' | 'optional' | 'repeated'

interface Field<K extends Scalar | Shape = Scalar | Shape, R extends Rule = Rule> {
  readonly id: number
  readonly kind: K
  readonly rule: R
}

/** The fields of a message by name. */
export interface Shape {
  readonly [name: string]: Field
}

type ValueOf<K> = K extends 'string'
  ? string
  : K extends 'bytes'
    ? Buffer
    : K extends 'int32'
      ? number
      : K extends 'int64'
        ? bigint
        : K extends 'bool'
          ? boolean
          : K extends Shape
            ? Message<K>
            : never

/** The JavaScript value of a message. */
export type Message<S extends Shape> = {
  readonly [N in keyof S as S[N]['rule'] extends 'optional' ? never : N]: S[N]['rule'] extends 'repeated'
    ? readonly ValueOf<S[N]['kind']>[]
    : ValueOf<S[N]['kind']>
} & {
  readonly [N in keyof S as S[N]['rule'] extends 'optional' ? N : never]?: ValueOf<S[N]['kind']> | undefined
}

/** A field that must be present. */
export function required<const K extends Scalar | Shape>(id: number, kind: K): Field<K, 'required'> {
  return { id, kind, rule: 'required' }
}

/** A field that may be absent. */
export function optional<const K extends Scalar | Shape>(id: number, kind: K): Field<K, 'optional'> {
  return { id, kind, rule: 'optional' }
}

/** A field that may occur any number of times. */
export function repeated<const K extends Scalar | Shape>(id: number, kind: K): Field<K, 'repeated'> {
  return { id, kind, rule: 'repeated' }
}

/** Reads a message; anything that does not fit is `OTSParameterInvalid`. */
export function decode<S extends Shape>(shape: S, bytes: Buffer): Message<S> {
  return readMessage(shape, bytes) as Message<S>
}

/** Writes a message. */
export function encode<S extends Shape>(shape: S, message: Message<S>): Buffer {
  return writeMessage(shape, message as Loose)
}

type Loose = { readonly [name: string]: unknown }

interface Cursor {
  readonly bytes: Buffer
  position: number
}

function malformed(): Error {
  return invalid('Failed to parse the ProtoBuf message.')
}

function readMessage(shape: Shape, bytes: Buffer): Loose {
  const fields = Object.entries(shape)
  const message: Record<string, unknown> = {}
  for (const [name, field] of fields) if (field.rule === 'repeated') message[name] = []
  const cursor: Cursor = { bytes, position: 0 }
  while (cursor.position < bytes.length) {
    const tag = Number(readVarint(cursor) & 0xffff_ffffn)
    const [name, field] = fields.find((each) => each[1].id === tag >>> 3) ?? []
    if (name === undefined || field === undefined) skip(cursor, tag & 7)
    else readField(cursor, tag & 7, field, name, message)
  }
  if (fields.some(([name, field]) => field.rule === 'required' && message[name] === undefined)) throw malformed()
  return message
}

function readField(cursor: Cursor, wire: number, field: Field, name: string, message: Record<string, unknown>): void {
  const list = message[name]
  const varint = field.kind === 'int32' || field.kind === 'int64' || field.kind === 'bool'
  if (varint && wire === 2 && Array.isArray(list)) {
    const packed: Cursor = { bytes: readBytes(cursor), position: 0 }
    while (packed.position < packed.bytes.length) list.push(readValue(packed, field))
    return
  }
  if (wire !== (varint ? 0 : 2)) throw malformed()
  const value = readValue(cursor, field)
  if (Array.isArray(list)) list.push(value)
  else message[name] = value
}

function readValue(cursor: Cursor, { kind }: Field): unknown {
  if (kind === 'int32') return Number(BigInt.asIntN(32, readVarint(cursor)))
  if (kind === 'int64') return BigInt.asIntN(64, readVarint(cursor))
  if (kind === 'bool') return readVarint(cursor) !== 0n
  const bytes = readBytes(cursor)
  if (kind === 'bytes') return bytes
  if (kind !== 'string') return readMessage(kind, bytes)
  if (!isUtf8(bytes)) throw malformed()
  return bytes.toString('utf8')
}

function readVarint(cursor: Cursor): bigint {
  let result = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.bytes[cursor.position++]
    if (byte === undefined) throw malformed()
    result |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return result
  }
  throw malformed()
}

function readBytes(cursor: Cursor): Buffer {
  const length = readVarint(cursor)
  if (length > BigInt(cursor.bytes.length - cursor.position)) throw malformed()
  const start = cursor.position
  cursor.position += Number(length)
  return cursor.bytes.subarray(start, cursor.position)
}

function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readVarint(cursor)
  else if (wire === 2) readBytes(cursor)
  else if (wire === 1) cursor.position += 8
  else if (wire === 5) cursor.position += 4
  else throw malformed()
  if (cursor.position > cursor.bytes.length) throw malformed()
}

function writeMessage(shape: Shape, message: Loose): Buffer {
  const parts: Buffer[] = []
  for (const [name, field] of Object.entries(shape)) {
    const value = message[name]
    if (value === undefined) continue
    for (const each of Array.isArray(value) ? value : [value]) writeField(parts, field, each)
  }
  return Buffer.concat(parts)
}

function writeField(parts: Buffer[], { id, kind }: Field, value: unknown): void {
  if (kind === 'int32' || kind === 'int64' || kind === 'bool') {
    const number = kind === 'bool' ? (value ? 1n : 0n) : BigInt(value as number | bigint)
    parts.push(varint(BigInt(id << 3)), varint(BigInt.asUintN(64, number)))
    return
  }
  const bytes =
    kind === 'string'
      ? Buffer.from(value as string)
      : kind === 'bytes'
        ? (value as Buffer)
        : writeMessage(kind, value as Loose)
  parts.push(varint(BigInt((id << 3) | 2)), varint(BigInt(bytes.length)), bytes)
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}
