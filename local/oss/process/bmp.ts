/** Pixels in rows from the top, without gaps. */
export interface Pixels {
  readonly data: Buffer
  readonly width: number
  readonly height: number
  readonly channels: 3 | 4
}

const FILE_HEADER = 14
const INFO_HEADER = 40

/** What a bitmap says about itself; `undefined` for what is none, or is compressed. */
export function readBmpHeader(bytes: Buffer) {
  if (bytes.length < FILE_HEADER + INFO_HEADER || bytes.toString('latin1', 0, 2) !== 'BM') return undefined
  const [bits, compression] = [bytes.readUInt16LE(28), bytes.readUInt32LE(30)]
  const [width, rows] = [bytes.readInt32LE(18), bytes.readInt32LE(22)]
  const readable = compression === 0 && (bits === 8 || bits === 24 || bits === 32) && width > 0 && rows !== 0
  if (!readable) return undefined
  const headerSize = bytes.readUInt32LE(14)
  return { width, height: Math.abs(rows), upward: rows > 0, bits, offset: bytes.readUInt32LE(10), headerSize }
}

/** Reads an uncompressed bitmap. https://learn.microsoft.com/windows/win32/gdi/bitmap-storage */
export function decodeBmp(bytes: Buffer): Pixels | undefined {
  const header = readBmpHeader(bytes)
  if (header === undefined) return undefined
  const { width, height, upward, bits, offset } = header
  const pixelAt = pixelFinder(bytes, bits, FILE_HEADER + header.headerSize)
  const stride = Math.ceil((width * bits) / 32) * 4
  if (offset + stride * height > bytes.length) return undefined
  const data = Buffer.alloc(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    const row = offset + stride * (upward ? height - 1 - y : y)
    for (let x = 0; x < width; x++, to += 3) {
      swapColors(bytes, pixelAt(row, x), data, to)
    }
  }
  return { data, width, height, channels: 3 }
}

/** Where the colours of a pixel are: in the row itself, or in a table that the row points into. */
function pixelFinder(bytes: Buffer, bits: number, palette: number): (row: number, x: number) => number {
  if (bits === 8) return (row, x) => palette + (bytes[row + x] ?? 0) * 4
  return (row, x) => row + (x * bits) / 8
}

/** Bitmaps have blue first, everybody else red. */
function swapColors(source: Buffer, from: number, target: Buffer, to: number): void {
  target[to] = source[from + 2] ?? 0
  target[to + 1] = source[from + 1] ?? 0
  target[to + 2] = source[from] ?? 0
}

/** A bitmap of 24 bits a pixel, or of 32 with transparency. */
export function encodeBmp({ data, width, height, channels }: Pixels): Buffer {
  const stride = Math.ceil((width * channels) / 4) * 4
  const bytes = Buffer.alloc(FILE_HEADER + INFO_HEADER + stride * height)
  bytes.write('BM', 'latin1')
  bytes.writeUInt32LE(bytes.length, 2)
  bytes.writeUInt32LE(FILE_HEADER + INFO_HEADER, 10)
  bytes.writeUInt32LE(INFO_HEADER, 14)
  bytes.writeInt32LE(width, 18)
  bytes.writeInt32LE(height, 22)
  bytes.writeUInt16LE(1, 26)
  bytes.writeUInt16LE(channels * 8, 28)
  bytes.writeUInt32LE(stride * height, 34)
  for (let y = 0, from = 0; y < height; y++) {
    let to = FILE_HEADER + INFO_HEADER + stride * (height - 1 - y)
    for (let x = 0; x < width; x++, from += channels, to += channels) {
      swapColors(data, from, bytes, to)
      if (channels === 4) bytes[to + 3] = data[from + 3] ?? 0
    }
  }
  return bytes
}
