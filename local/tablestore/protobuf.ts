import { isUtf8 } from 'node:buffer'
import { invalid } from './errors.ts'

/**
 * Protocol Buffers (proto2) driven by plain descriptors: just what the service's messages use. Enumerations are `int32`.
 * https://protobuf.dev/programming-guides/encoding/
 */
type Scalar = 'string' | 'bytes' | 'int32' | 'int64' | 'sint64' | 'bool'
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
      : K extends 'int64' | 'sint64'
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

/** Fields by number, found once for each shape. */
interface Fields {
  readonly byId: ReadonlyMap<number, readonly [name: string, field: Field]>
  readonly all: readonly (readonly [name: string, field: Field])[]
}

const known = new WeakMap<Shape, Fields>()

function fieldsOf(shape: Shape): Fields {
  const found = known.get(shape)
  if (found) return found
  const all = Object.entries(shape)
  const fields = { all, byId: new Map(all.map((entry) => [entry[1].id, entry])) }
  known.set(shape, fields)
  return fields
}

function readMessage(shape: Shape, bytes: Buffer): Loose {
  const { byId, all } = fieldsOf(shape)
  const message: Record<string, unknown> = {}
  for (const [name, field] of all) if (field.rule === 'repeated') message[name] = []
  const cursor: Cursor = { bytes, position: 0 }
  while (cursor.position < bytes.length) {
    const tag = readUint32(cursor)
    const entry = byId.get(tag >>> 3)
    if (entry) readField(cursor, tag & 7, entry[1], entry[0], message)
    else skip(cursor, tag & 7)
  }
  for (const [name, field] of all) if (field.rule === 'required' && message[name] === undefined) throw malformed()
  return message
}

function readField(cursor: Cursor, wire: number, field: Field, name: string, message: Record<string, unknown>): void {
  const list = message[name]
  const varint = isVarint(field.kind)
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

function isVarint(kind: Field['kind']): kind is 'int32' | 'int64' | 'sint64' | 'bool' {
  return kind === 'int32' || kind === 'int64' || kind === 'sint64' || kind === 'bool'
}

function readValue(cursor: Cursor, { kind }: Field): unknown {
  switch (kind) {
    case 'int32':
      return readUint32(cursor) | 0
    case 'int64':
      return BigInt.asIntN(64, readVarint(cursor))
    case 'sint64': {
      const zigzag = BigInt.asUintN(64, readVarint(cursor))
      return (zigzag >> 1n) ^ -(zigzag & 1n)
    }
    case 'bool':
      return readVarint(cursor) !== 0n
    case 'bytes':
      return readBytes(cursor)
    case 'string': {
      const bytes = readBytes(cursor)
      if (!isUtf8(bytes)) throw malformed()
      return bytes.toString('utf8')
    }
    default:
      return readMessage(kind, readBytes(cursor))
  }
}

const MAX_VARINT_BYTES = 10

/** The low 32 bits of a number of any length. */
function readUint32(cursor: Cursor): number {
  let result = 0
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = cursor.bytes[cursor.position++]
    if (byte === undefined) throw malformed()
    if (index < 5) result |= (byte & 0x7f) << (7 * index)
    if (byte < 0x80) return result >>> 0
  }
  throw malformed()
}

function readVarint(cursor: Cursor): bigint {
  let result = 0n
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = cursor.bytes[cursor.position++]
    if (byte === undefined) throw malformed()
    result |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return result
  }
  throw malformed()
}

function readBytes(cursor: Cursor): Buffer {
  const first = cursor.position
  const length = readUint32(cursor)
  const start = cursor.position
  // Five bytes hold 32 bits; what is longer is beyond the end of any body.
  if (start - first > 5 || length > cursor.bytes.length - start) throw malformed()
  cursor.position += length
  return cursor.bytes.subarray(start, cursor.position)
}

function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readUint32(cursor)
  else if (wire === 2) readBytes(cursor)
  else if (wire === 1) cursor.position += 8
  else if (wire === 5) cursor.position += 4
  else throw malformed()
  if (cursor.position > cursor.bytes.length) throw malformed()
}

/** Bytes of the small parts, and the large ones as they are. */
type Parts = (Buffer | number[])[]

function writeMessage(shape: Shape, message: Loose): Buffer {
  const parts: Parts = []
  writeFields(parts, shape, message)
  return Buffer.concat(parts.map((part) => (Array.isArray(part) ? Buffer.from(part) : part)))
}

function writeFields(parts: Parts, shape: Shape, message: Loose): void {
  for (const [name, field] of fieldsOf(shape).all) {
    const value = message[name]
    if (value === undefined) continue
    if (Array.isArray(value)) for (const each of value) writeField(parts, field, each)
    else writeField(parts, field, value)
  }
}

function writeField(parts: Parts, { id, kind }: Field, value: unknown): void {
  if (isVarint(kind)) {
    writeVarint(parts, id << 3)
    writeNumber(parts, kind, value)
    return
  }
  const bytes =
    kind === 'string'
      ? Buffer.from(value as string)
      : kind === 'bytes'
        ? (value as Buffer)
        : writeMessage(kind, value as Loose)
  writeVarint(parts, (id << 3) | 2)
  writeVarint(parts, bytes.length)
  parts.push(bytes)
}

function writeNumber(parts: Parts, kind: 'int32' | 'int64' | 'sint64' | 'bool', value: unknown): void {
  const small = Number(value)
  if (kind !== 'sint64' && small >= 0 && small <= 0x7fff_ffff) {
    writeVarint(parts, small)
    return
  }
  const whole = BigInt(value as number | bigint)
  let rest = BigInt.asUintN(64, kind === 'sint64' ? (whole << 1n) ^ (whole >> 63n) : whole)
  const tail = tailOf(parts)
  while (rest > 0x7fn) {
    tail.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  tail.push(Number(rest))
}

function writeVarint(parts: Parts, value: number): void {
  const tail = tailOf(parts)
  let rest = value
  while (rest > 0x7f) {
    tail.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  tail.push(rest)
}

function tailOf(parts: Parts): number[] {
  const last = parts.at(-1)
  if (Array.isArray(last)) return last
  const tail: number[] = []
  parts.push(tail)
  return tail
}
