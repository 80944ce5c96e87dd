import { isUtf8 } from 'node:buffer'
import { invalid } from './errors.ts'
import { CELL_OP, crc8, crc8Byte, HEADER, TAG, VARIANT } from './plain-buffer-tags.ts'
import type { Value, WireKeyValue } from './values.ts'

/** A primary key column as a request carries it. */
export interface WireKeyColumn {
  readonly name: string
  readonly value: WireKeyValue
}

/** An attribute column as a request carries it: no `op` puts the value. */
export interface WireCell {
  readonly name: string
  readonly value?: Value
  readonly op?: keyof typeof CELL_OP
  readonly timestamp?: bigint
}

/** A row, or a change of a row. */
export interface WireRow {
  readonly key: readonly WireKeyColumn[]
  readonly cells: readonly WireCell[]
  readonly deleteMarker: boolean
}

interface Cursor {
  readonly bytes: Buffer
  position: number
}

/** Reads the one row of a request and verifies every checksum; zero bytes after it are padding that the SDKs leave. */
export function readRow(bytes: Buffer): WireRow {
  const cursor: Cursor = { bytes, position: 0 }
  const header = take(cursor, 4).readUInt32LE()
  if (header !== HEADER) throw broken(`mismatch header, actual: ${header}, expect: ${HEADER}`)
  let crc = 0
  const key: WireKeyColumn[] = []
  const cells: WireCell[] = []
  expectTag(cursor, TAG.rowKey)
  while (peek(cursor) === TAG.cell) {
    const { cell, marker, checksum } = readCell(cursor)
    key.push(asKeyColumn(cell, marker))
    crc = crc8Byte(crc, checksum)
  }
  if (peek(cursor) === TAG.rowData) {
    cursor.position++
    while (peek(cursor) === TAG.cell) {
      const { cell, marker, checksum } = readCell(cursor)
      if (marker) throw invalid(`${marker} is an invalid type for the attribute column.`)
      cells.push(cell)
      crc = crc8Byte(crc, checksum)
    }
  }
  const deleteMarker = peek(cursor) === TAG.deleteRowMarker
  if (deleteMarker) cursor.position++
  crc = crc8Byte(crc, deleteMarker ? 1 : 0)
  expectTag(cursor, TAG.rowChecksum)
  matchChecksum(take(cursor, 1).readUInt8(), crc)
  if (bytes.subarray(cursor.position).some((byte) => byte !== 0)) {
    throw broken("has more data in cell, but they can't be parsed")
  }
  return { key, cells, deleteMarker }
}

/** Reads a value outside of a row: the operand of a condition. */
export function readVariant(bytes: Buffer): Value {
  const value = parseValue(bytes)
  if (isMarker(value)) throw invalid(`Invalid column type: ${value.type}.`)
  return value
}

function readCell(cursor: Cursor): { cell: WireCell; marker: WireMarker | undefined; checksum: number } {
  expectTag(cursor, TAG.cell)
  expectTag(cursor, TAG.cellName)
  const nameBytes = take(cursor, take(cursor, 4).readUInt32LE())
  let crc = crc8(0, nameBytes)
  let value: Value | undefined
  let marker: WireMarker | undefined
  let op: number | undefined
  let timestamp: bigint | undefined
  if (nextIs(cursor, TAG.cellValue)) {
    const bytes = take(cursor, take(cursor, 4).readUInt32LE())
    const parsed = parseValue(bytes)
    if (isMarker(parsed)) marker = parsed.type
    else value = parsed
    crc = crc8(crc, bytes)
  }
  if (nextIs(cursor, TAG.cellOp)) op = take(cursor, 1).readUInt8()
  if (nextIs(cursor, TAG.cellTimestamp)) {
    const bytes = take(cursor, 8)
    timestamp = bytes.readBigInt64LE()
    crc = crc8(crc, bytes)
  }
  // The operation stands before the timestamp but is summed after it.
  if (op !== undefined) crc = crc8Byte(crc, op)
  expectTag(cursor, TAG.cellChecksum)
  matchChecksum(take(cursor, 1).readUInt8(), crc)
  const cell = {
    name: text(nameBytes, 'column name'),
    ...(value === undefined ? {} : { value }),
    ...(op === undefined ? {} : { op: opName(op) }),
    ...(timestamp === undefined ? {} : { timestamp }),
  }
  return { cell, marker, checksum: crc }
}

type WireMarker = Exclude<WireKeyValue['type'], Value['type']>

function isMarker(value: Value | { readonly type: WireMarker }): value is { readonly type: WireMarker } {
  return !('value' in value)
}

function asKeyColumn(cell: WireCell, marker: WireMarker | undefined): WireKeyColumn {
  if (cell.op) throw invalid(`OpType cannot be given for primary key name: ${cell.name}.`)
  if (cell.timestamp !== undefined) throw invalid(`Timestamp cannot be given for primary key name: ${cell.name}.`)
  if (marker) return { name: cell.name, value: { type: marker } }
  if (!cell.value) throw broken(`PK value cannot be NULL, name: ${cell.name}`)
  if (cell.value.type === 'DOUBLE' || cell.value.type === 'BOOLEAN') {
    throw invalid(`${cell.value.type} is an invalid type for the primary key.`)
  }
  return { name: cell.name, value: cell.value }
}

function parseValue(bytes: Buffer): Value | { readonly type: WireMarker } {
  const body = bytes.subarray(1)
  switch (bytes[0]) {
    case VARIANT.integer:
      return { type: 'INTEGER', value: exactly(body, 8).readBigInt64LE() }
    case VARIANT.double:
      return { type: 'DOUBLE', value: finite(exactly(body, 8).readDoubleLE()) }
    case VARIANT.boolean:
      return { type: 'BOOLEAN', value: exactly(body, 1).readUInt8() !== 0 }
    case VARIANT.string:
      return { type: 'STRING', value: text(sized(body), 'string') }
    case VARIANT.blob:
      // A copy: the bytes outlive the request or the database page they were read from.
      return { type: 'BINARY', value: Buffer.from(sized(body)) }
    case VARIANT.infMin:
      return { type: 'INF_MIN' }
    case VARIANT.infMax:
      return { type: 'INF_MAX' }
    case VARIANT.autoIncrement:
      return { type: 'AUTO_INCREMENT' }
    default:
      throw invalid('data format is invalid, unknown variant type occured.')
  }
}

function sized(body: Buffer): Buffer {
  if (body.length < 4) throw broken(`wrong string format, size: ${body.length}`)
  return exactly(body.subarray(4), body.readUInt32LE())
}

function exactly(bytes: Buffer, length: number): Buffer {
  if (bytes.length !== length) throw broken(`wrong value length, actual: ${bytes.length}, expect: ${length}`)
  return bytes
}

function finite(value: number): number {
  if (Number.isNaN(value)) throw invalid("NaN can't be set to double value.")
  if (!Number.isFinite(value)) throw invalid("Infinity can't be set to double value.")
  return value
}

function text(bytes: Buffer, what: string): string {
  if (!isUtf8(bytes)) throw invalid(`The ${what} must be UTF8 encoding.`)
  return bytes.toString('utf8')
}

function opName(op: number): keyof typeof CELL_OP {
  if (op === CELL_OP.deleteAll) return 'deleteAll'
  if (op === CELL_OP.deleteOne) return 'deleteOne'
  if (op === CELL_OP.increment) return 'increment'
  throw invalid(`Invalid op type of cell: ${op}.`)
}

function peek(cursor: Cursor): number | undefined {
  return cursor.bytes[cursor.position]
}

function nextIs(cursor: Cursor, tag: number): boolean {
  if (peek(cursor) !== tag) return false
  cursor.position++
  return true
}

function expectTag(cursor: Cursor, tag: number): void {
  const actual = peek(cursor)
  if (actual !== tag) throw broken(`mismatch tag, actual tag(${actual ?? 'none'}), expect(${tag})`)
  cursor.position++
}

function take(cursor: Cursor, length: number): Buffer {
  const end = cursor.position + length
  if (end > cursor.bytes.length) throw invalid('Input encoded PK broken, length is shorter than expect.')
  const bytes = cursor.bytes.subarray(cursor.position, end)
  cursor.position = end
  return bytes
}

function matchChecksum(given: number, computed: number): void {
  if (given !== computed) throw broken(`checksum is mismatch, ${given}: ${computed}`)
}

function broken(what: string): Error {
  return invalid(`Cell data broken, ${what}.`)
}
