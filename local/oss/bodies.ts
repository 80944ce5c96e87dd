import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { readXml, type XmlElement, XmlError } from '../wire/xml.ts'
import type { StoredBody } from './blobs.ts'
import type { Context } from './context.ts'
import { OssError } from './errors.ts'
import { BodyTooLarge } from './receive.ts'
import type { OssRequest } from './request.ts'
import { limited } from './traffic.ts'

const MAX_XML_BYTES = 4 * 1024 * 1024
const MAX_OBJECT_BYTES = 5 * 1024 ** 3

/** Streams the body of a request into a blob and checks its length and its Content-MD5. */
export async function storeBody({ request, store }: Context): Promise<StoredBody> {
  const declared = request.header('content-length')
  if (declared === undefined && request.header('transfer-encoding') === undefined) {
    throw new OssError('MissingContentLength')
  }
  if (Number(declared ?? 0) > MAX_OBJECT_BYTES) throw tooLarge(MAX_OBJECT_BYTES)
  const md5 = declaredMd5(request)
  return await refusingTooLarge(MAX_OBJECT_BYTES, () =>
    store.blobs.write(
      limited(bytesOf(request.message), request),
      (stored) => compareMd5(md5, stored.md5),
      MAX_OBJECT_BYTES,
    ),
  )
}

/** Stores bytes that are already here, such as those of another object. */
export async function storeBytes({ request, store }: Context, bytes: AsyncIterable<Uint8Array>): Promise<StoredBody> {
  return await refusingTooLarge(MAX_OBJECT_BYTES, () =>
    store.blobs.write(limited(bytes, request), () => {}, MAX_OBJECT_BYTES),
  )
}

async function refusingTooLarge<Result>(limit: number, write: () => Promise<Result>): Promise<Result> {
  try {
    return await write()
  } catch (error) {
    throw error instanceof BodyTooLarge ? tooLarge(limit) : error
  }
}

function tooLarge(limit: number): OssError {
  return new OssError('EntityTooLarge', { MaxSizeAllowed: limit })
}

/** Reads a small XML body whose root must be `root`. */
export async function readXmlBody(request: OssRequest, root: string): Promise<XmlElement> {
  return parse(await readSmallBody(request), root)
}

/** The same where the body may be missing. */
export async function readOptionalXmlBody(request: OssRequest, root: string): Promise<XmlElement | undefined> {
  const text = await readSmallBody(request)
  return text.trim() === '' ? undefined : parse(text, root)
}

/** Reads a body that is a document of a few megabytes at most. */
export async function readSmallBody(request: OssRequest): Promise<string> {
  const md5 = declaredMd5(request)
  const bytes = await collect(request.message, MAX_XML_BYTES)
  compareMd5(md5, createHash('md5').update(bytes).digest())
  return bytes.toString()
}

function parse(text: string, root: string): XmlElement {
  try {
    return readXml(text, root)
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    throw new OssError('MalformedXML', { ErrorDetail: error.message.slice(0, 200) })
  }
}

/** Whoever stops reading leaves the rest to be read by somebody else; a request that ends there would block its connection. */
function bytesOf(message: IncomingMessage): AsyncIterable<Buffer> {
  return message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
}

async function collect(message: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bytesOf(message)) {
    size += chunk.length
    if (size > limit) throw new OssError('EntityTooLarge', { MaxSizeAllowed: limit })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** 16 bytes in base64, or nothing. */
function declaredMd5(request: OssRequest): Buffer | undefined {
  const text = request.header('content-md5')
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== text)
    throw new OssError('InvalidDigest', { ContentMD5: text })
  return bytes
}

/** The service answers InvalidDigest to a wrong sum as well as to something that is no sum. */
function compareMd5(declared: Buffer | undefined, actual: Buffer): void {
  if (declared === undefined || declared.equals(actual)) return
  const details = { ContentMD5: declared.toString('base64'), ClientMD5: actual.toString('base64') }
  throw new OssError('InvalidDigest', details)
}
