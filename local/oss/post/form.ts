import { OssError } from '../errors.ts'

/** The file of a form; what comes before it in the form are fields, what comes after it is ignored. */
export interface FormFile {
  /** As the client has it, with folders perhaps; empty where the form says none. */
  readonly name: string
  readonly contentType: string | undefined
  /** Ends well only when the rest of the form was well-formed too. */
  readonly bytes: AsyncIterable<Buffer>
}

export interface Form {
  /** By lower-case names, since those of fields are case-insensitive; values as the bytes that came. */
  readonly fields: ReadonlyMap<string, Buffer>
  readonly file: FormFile
}

// https://help.aliyun.com/zh/oss/developer-reference/postobject gives the first two; the others keep memory bounded.
const MAX_HEADER_BYTES = 8 * 1024
const MAX_VALUE_BYTES = 2 * 1024 * 1024
const MAX_FIELDS_BYTES = 8 * 1024 * 1024
const MAX_FIELDS = 1000
const MAX_PREAMBLE_BYTES = 64 * 1024
const FILE = 'file'

/**
 * Reads the fields of a multipart/form-data body up to its file, whose bytes are left to the caller to stream.
 * https://www.rfc-editor.org/rfc/rfc7578 and https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
 */
export async function readForm(body: AsyncIterable<Buffer>, contentType: string | undefined): Promise<Form> {
  const boundary = readBoundary(contentType)
  const parts = new PartReader(body, boundary)
  const fields = new Map<string, Buffer>()
  let bytes = 0
  for (let part = await parts.next(); part !== undefined; part = await parts.next()) {
    if (part.name === FILE) return { fields, file: { ...part.file, bytes: fileBytes(parts) } }
    const value = await parts.value(MAX_VALUE_BYTES)
    bytes += value.length
    if (fields.size >= MAX_FIELDS || bytes > MAX_FIELDS_BYTES) throw new OssError('FieldItemTooLong')
    fields.set(part.name, value)
  }
  throw new OssError('IncorrectNumberOfFilesInPOSTRequest')
}

function readBoundary(contentType: string | undefined): string {
  const [, quoted, bare] =
    /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;,]+))/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) throw new OssError('RequestIsNotMultiPartContent')
  if (Buffer.byteLength(boundary) > 256) throw new OssError('MalformedPOSTRequest')
  return boundary
}

async function* fileBytes(parts: PartReader): AsyncGenerator<Buffer> {
  yield* parts.bytes()
  for (let part = await parts.next(); part !== undefined; part = await parts.next()) {
    if (part.name === FILE) throw new OssError('IncorrectNumberOfFilesInPOSTRequest')
    for await (const _ of parts.bytes());
  }
  await parts.drain()
}

interface Part {
  readonly name: string
  readonly file: Pick<FormFile, 'name' | 'contentType'>
}

const LINE_END = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')

/** Goes through a body part by part and holds no more of it than a chunk and the length of a delimiter. */
class PartReader {
  private readonly chunks: AsyncIterator<Buffer>
  private readonly delimiter: Buffer
  // A delimiter begins with the end of a line; the first one may stand at the very beginning.
  private rest: Buffer = LINE_END
  private started = false

  constructor(body: AsyncIterable<Buffer>, boundary: string) {
    this.chunks = body[Symbol.asyncIterator]()
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** The head of the next part, `undefined` behind the last one. */
  async next(): Promise<Part | undefined> {
    if (!this.started) {
      this.started = true
      await this.collect(this.delimiter, MAX_PREAMBLE_BYTES, 'MalformedPOSTRequest')
    }
    while (this.rest.length < 2) await this.read()
    if (this.rest.subarray(0, 2).toString() === '--') return undefined
    const padding = await this.collect(LINE_END, 256, 'MalformedPOSTRequest')
    if (padding.toString('latin1').trim() !== '') throw new OssError('MalformedPOSTRequest')
    return readPart((await this.collect(HEADERS_END, MAX_HEADER_BYTES, 'FieldItemTooLong')).toString())
  }

  /** The whole of the current part. */
  async value(limit: number): Promise<Buffer> {
    return await this.collect(this.delimiter, limit, 'FieldItemTooLong')
  }

  /** The current part as it comes. */
  bytes(): AsyncGenerator<Buffer> {
    return this.until(this.delimiter)
  }

  /** Reads what follows the last part to its end. */
  async drain(): Promise<void> {
    while (!(await this.chunks.next()).done);
  }

  private async collect(
    end: Buffer,
    limit: number,
    tooLong: 'MalformedPOSTRequest' | 'FieldItemTooLong',
  ): Promise<Buffer> {
    const found: Buffer[] = []
    let size = 0
    for await (const chunk of this.until(end)) {
      size += chunk.length
      if (size > limit) throw new OssError(tooLong)
      found.push(chunk)
    }
    return Buffer.concat(found)
  }

  private async *until(end: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.rest.indexOf(end)
      const taken = this.rest.subarray(0, at < 0 ? Math.max(this.rest.length - end.length + 1, 0) : at)
      this.rest = this.rest.subarray(at < 0 ? taken.length : at + end.length)
      if (taken.length > 0) yield taken
      if (at >= 0) return
      await this.read()
    }
  }

  /** Takes one more chunk; a body that ends here ends too early. */
  private async read(): Promise<void> {
    const { done, value } = await this.chunks.next()
    if (done) throw new OssError('MalformedPOSTRequest')
    this.rest = this.rest.length === 0 ? value : Buffer.concat([this.rest, value])
  }
}

function readPart(text: string): Part {
  const headers = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
  }
  const disposition = headers.get('content-disposition') ?? ''
  const parameters = new Map<string, string>()
  // Quotes in names are written `\"`; other backslashes are part of what is meant, such as a path of Windows.
  for (const [, name = '', quoted, bare] of disposition.matchAll(/;\s*([\w*-]+)=(?:"((?:\\"|[^"])*)"|([^;\s]*))/g)) {
    parameters.set(name.toLowerCase(), quoted?.replaceAll('\\"', '"') ?? bare ?? '')
  }
  const name = parameters.get('name')
  if (!/^form-data\b/i.test(disposition) || name === undefined) throw new OssError('MalformedPOSTRequest')
  const file = { name: parameters.get('filename') ?? '', contentType: headers.get('content-type') }
  return { name: name.toLowerCase(), file }
}
