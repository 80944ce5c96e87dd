/** The header that opens every PlainBuffer. https://www.alibabacloud.com/help/en/tablestore/developer-reference/plainbuffer */
export const HEADER = 0x75

export const TAG = {
  rowKey: 0x01,
  rowData: 0x02,
  cell: 0x03,
  cellName: 0x04,
  cellValue: 0x05,
  cellOp: 0x06,
  cellTimestamp: 0x07,
  deleteRowMarker: 0x08,
  rowChecksum: 0x09,
  cellChecksum: 0x0a,
  extension: 0x0b,
  sequence: 0x0c,
  sequenceEpoch: 0x0d,
  sequenceTime: 0x0e,
  sequenceRow: 0x0f,
} as const

export const CELL_OP = { deleteAll: 0x01, deleteOne: 0x03, increment: 0x04 } as const

export const VARIANT = {
  integer: 0x00,
  double: 0x01,
  boolean: 0x02,
  string: 0x03,
  blob: 0x07,
  infMin: 0x09,
  infMax: 0x0a,
  autoIncrement: 0x0b,
} as const

/** CRC-8 with polynomial 0x07, no reflection: the checksum of cells and rows. */
const TABLE = Uint8Array.from({ length: 256 }, (_, index) => {
  let crc = index
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1
  return crc & 0xff
})

/** Continues a checksum over more bytes. */
export function crc8(crc: number, bytes: Uint8Array): number {
  let sum = crc
  for (let index = 0; index < bytes.length; index++) sum = TABLE[sum ^ (bytes[index] ?? 0)] ?? 0
  return sum
}

/** Continues a checksum over one byte. */
export function crc8Byte(crc: number, byte: number): number {
  return TABLE[crc ^ byte] ?? 0
}
