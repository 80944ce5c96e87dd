import { createRequire } from 'node:module'

/** A message of the vendor's, by its own compiled description: another codec than the service's. */
interface Message {
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): Record<string, unknown>
  toObject(message: object, options: object): Record<string, unknown>
}

const { main, filter } = createRequire(import.meta.url)('tablestore/lib/protocol/tablestore_compiled_proto.js') as {
  main: { proto: Record<string, Message> }
  filter: { proto: Record<string, Message> }
}

/** The bytes of a message. */
export function encodeMessage(name: string, message: object): Buffer {
  return Buffer.from(messageOf(name).encode(message).finish())
}

/** What a message says, with 64-bit integers as strings. */
export function decodeMessage<T>(name: string, bytes: Buffer): T {
  const found = messageOf(name)
  return found.toObject(found.decode(bytes), { longs: String, arrays: true }) as T
}

function messageOf(name: string): Message {
  const found = main.proto[name] ?? filter.proto[name]
  if (!found) throw new Error(`the vendor's client has no message ${name}`)
  return found
}

/** A cell of a stream record. */
export interface RecordCell {
  readonly name: string
  readonly value?: Buffer
  readonly op?: number
  readonly timestamp?: bigint
}

/** Reads a stream record as its format is documented: the vendor's client for Node cannot. */
export function readRecord(bytes: Buffer): { key: RecordCell[]; cells: RecordCell[]; sequence: bigint } {
  let at = 0
  const byte = () => bytes.readUInt8(at++)
  const length = () => {
    at += 4
    return bytes.readUInt32LE(at - 4)
  }
  const take = (size: number) => {
    at += size
    return bytes.subarray(at - size, at)
  }
  const expectTag = (tag: number) => {
    if (byte() !== tag) throw new Error(`tag ${tag} is not at ${at - 1}`)
  }
  const cellsHere = () => {
    const cells: RecordCell[] = []
    while (bytes[at] === 0x03) {
      expectTag(0x03)
      expectTag(0x04)
      const cell: { -readonly [K in keyof RecordCell]: RecordCell[K] } = { name: take(length()).toString() }
      if (bytes[at] === 0x05) {
        at++
        cell.value = take(length())
      }
      if (bytes[at] === 0x06) {
        at++
        cell.op = byte()
      }
      if (bytes[at] === 0x07) {
        at++
        cell.timestamp = take(8).readBigInt64LE()
      }
      expectTag(0x0a)
      byte()
      cells.push(cell)
    }
    return cells
  }
  if (length() !== 0x75) throw new Error('no header')
  expectTag(0x01)
  const key = cellsHere()
  if (bytes[at] === 0x02) at++
  const cells = cellsHere()
  expectTag(0x0b)
  const end = length() + at
  expectTag(0x0c)
  if (length() + at !== end) throw new Error('lengths disagree')
  expectTag(0x0d)
  length()
  expectTag(0x0e)
  const sequence = take(8).readBigInt64LE()
  expectTag(0x0f)
  length()
  if (at !== end) throw new Error('the extension has another length')
  expectTag(0x09)
  byte()
  if (at !== bytes.length) throw new Error('more than a row')
  return { key, cells, sequence }
}
