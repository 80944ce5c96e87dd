import { CELL_OP, crc8, crc8Byte, HEADER, TAG, VARIANT } from './plain-buffer-tags.ts'
import type { Cell, KeyColumn, Value } from './values.ts'

/** A row as answers carry it and as it is stored: key columns, then cells with their timestamps. */
export interface PlainRow {
  readonly key: readonly KeyColumn[]
  readonly cells: readonly Cell[]
}

/** Writes rows behind one header; no rows are no bytes. */
export function writeRows(rows: readonly PlainRow[]): Buffer {
  if (rows.length === 0) return Buffer.alloc(0)
  let size = 4
  for (const row of rows) size += roomFor(row)
  const output: Output = { bytes: Buffer.allocUnsafe(size), position: 4 }
  output.bytes.writeUInt32LE(HEADER, 0)
  for (const row of rows) writeRow(output, row)
  return output.bytes.subarray(0, output.position)
}

/** One column's part of a change. */
export interface ChangedCell {
  readonly name: string
  readonly value?: Value | undefined
  readonly op?: keyof typeof CELL_OP | undefined
  readonly timestamp?: number | undefined
}

/** Writes one row's change as streams tell it, with its place, in microseconds, behind the cells. */
export function writeChange(key: readonly KeyColumn[], cells: readonly ChangedCell[], sequence: bigint): Buffer {
  const size = cells.reduce((sum, cell) => sum + roomForCell(cell), roomFor({ key, cells: [] }))
  const output: Output = { bytes: Buffer.allocUnsafe(size + 64), position: 4 }
  output.bytes.writeUInt32LE(HEADER, 0)
  let crc = 0
  writeByte(output, TAG.rowKey)
  for (const column of key) crc = crc8Byte(crc, writeCell(output, column))
  if (cells.length > 0) writeByte(output, TAG.rowData)
  for (const cell of cells) crc = crc8Byte(crc, writeCell(output, cell))
  writeSequence(output, sequence)
  writeByte(output, TAG.rowChecksum)
  writeByte(output, crc8Byte(crc, 0))
  return output.bytes.subarray(0, output.position)
}

/** Lengths are those of what follows them. */
function writeSequence(output: Output, sequence: bigint): void {
  writeByte(output, TAG.extension)
  output.position = output.bytes.writeUInt32LE(24, output.position)
  writeByte(output, TAG.sequence)
  output.position = output.bytes.writeUInt32LE(19, output.position)
  writeByte(output, TAG.sequenceEpoch)
  output.position = output.bytes.writeUInt32LE(0, output.position)
  writeByte(output, TAG.sequenceTime)
  output.position = output.bytes.writeBigInt64LE(sequence, output.position)
  writeByte(output, TAG.sequenceRow)
  output.position = output.bytes.writeUInt32LE(0, output.position)
}

interface Output {
  readonly bytes: Buffer
  position: number
}

/** An upper bound: strings take at most three bytes for each UTF-16 unit. */
function roomFor(row: PlainRow): number {
  let size = 8
  for (const column of row.key) size += roomForCell(column)
  for (const cell of row.cells) size += roomForCell(cell)
  return size
}

function roomForCell({ name, value }: ChangedCell): number {
  return 40 + name.length * 3 + (value ? roomForValue(value) : 0)
}

function roomForValue(value: Value): number {
  return value.type === 'STRING' ? value.value.length * 3 : value.type === 'BINARY' ? value.value.length : 8
}

function writeRow(output: Output, row: PlainRow): void {
  let crc = 0
  writeByte(output, TAG.rowKey)
  for (const column of row.key) crc = crc8Byte(crc, writeCell(output, column))
  if (row.cells.length > 0) writeByte(output, TAG.rowData)
  for (const cell of row.cells) crc = crc8Byte(crc, writeCell(output, cell))
  writeByte(output, TAG.rowChecksum)
  writeByte(output, crc8Byte(crc, 0))
}

function writeCell(output: Output, { name, value, op, timestamp }: ChangedCell): number {
  writeByte(output, TAG.cell)
  writeByte(output, TAG.cellName)
  const length = output.bytes.write(name, output.position + 4)
  output.bytes.writeUInt32LE(length, output.position)
  let crc = crc8(0, advance(output, 4 + length).subarray(4))
  if (value) {
    writeByte(output, TAG.cellValue)
    const size = writeValue(output.bytes, output.position + 4, value)
    output.bytes.writeUInt32LE(size, output.position)
    crc = crc8(crc, advance(output, 4 + size).subarray(4))
  }
  if (op) {
    writeByte(output, TAG.cellOp)
    writeByte(output, CELL_OP[op])
  }
  if (timestamp !== undefined) {
    writeByte(output, TAG.cellTimestamp)
    output.bytes.writeBigInt64LE(BigInt(timestamp), output.position)
    crc = crc8(crc, advance(output, 8))
  }
  // The operation stands before the timestamp but is summed after it.
  if (op) crc = crc8Byte(crc, CELL_OP[op])
  writeByte(output, TAG.cellChecksum)
  writeByte(output, crc)
  return crc
}

function writeValue(bytes: Buffer, at: number, value: Value): number {
  switch (value.type) {
    case 'INTEGER':
      bytes[at] = VARIANT.integer
      bytes.writeBigInt64LE(value.value, at + 1)
      return 9
    case 'DOUBLE':
      bytes[at] = VARIANT.double
      bytes.writeDoubleLE(value.value, at + 1)
      return 9
    case 'BOOLEAN':
      bytes[at] = VARIANT.boolean
      bytes[at + 1] = value.value ? 1 : 0
      return 2
    case 'STRING': {
      bytes[at] = VARIANT.string
      const length = bytes.write(value.value, at + 5)
      bytes.writeUInt32LE(length, at + 1)
      return 5 + length
    }
    case 'BINARY':
      bytes[at] = VARIANT.blob
      bytes.writeUInt32LE(value.value.length, at + 1)
      value.value.copy(bytes, at + 5)
      return 5 + value.value.length
  }
}

function writeByte(output: Output, byte: number): void {
  output.bytes[output.position++] = byte
}

function advance(output: Output, length: number): Buffer {
  const bytes = output.bytes.subarray(output.position, output.position + length)
  output.position += length
  return bytes
}
