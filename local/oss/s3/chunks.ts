import { createHash } from 'node:crypto'
import type { Identity } from '../../wire/credentials.ts'
import { OssError } from '../errors.ts'
import { equal, mismatch } from '../verify.ts'
import { type AwsScope, signAws4, stringToSignChunk } from './aws4.ts'

/** By what the signature of each chunk is found from that of the one before it. */
export interface ChunkSigning {
  readonly caller: Identity
  readonly scope: AwsScope
  readonly time: string
  /** The signature of the request. */
  readonly seed: string
}

/**
 * The bytes in signed chunks, `SIZE;chunk-signature=…` before each, which must come to `total`. They are handed on as
 * they come: whoever stores them must not keep them if this ends with an error.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
export async function* unchunked(
  body: AsyncIterable<Buffer>,
  signing: ChunkSigning,
  total: number,
): AsyncIterable<Buffer> {
  const source = readerOf(body)
  let previous = signing.seed
  let received = 0
  for (;;) {
    const { size, claimed } = readHead(await source.line())
    const hash = createHash('sha256')
    for await (const bytes of source.take(size)) {
      hash.update(bytes)
      yield bytes
    }
    previous = checkChunk(previous, claimed, hash.digest('hex'), signing)
    received += size
    const end = await source.line()
    // Some clients leave out the very last line end.
    if (end !== '\r\n' && !(size === 0 && end === '')) throw malformed()
    if (size === 0) break
  }
  if (received !== total || (await source.line()) !== '') throw malformed()
}

function readHead(line: string): { readonly size: number; readonly claimed: string } {
  const [, size, claimed] = /^([0-9a-f]{1,12});chunk-signature=([0-9a-f]{64})\r\n$/i.exec(line) ?? []
  if (size === undefined || claimed === undefined) throw malformed()
  return { size: Number.parseInt(size, 16), claimed }
}

/** https://help.aliyun.com/zh/oss/user-guide/0002-00000430 */
function checkChunk(previous: string, claimed: string, hash: string, { caller, scope, time }: ChunkSigning): string {
  const text = stringToSignChunk(previous, time, scope, hash)
  const wanted = signAws4(caller.accessKeySecret, text, scope)
  if (equal(claimed, wanted)) return wanted
  throw mismatch(caller, claimed, text, { EC: '0002-00000430' })
}

const MAX_LINE_BYTES = 256

/** Lines and runs of bytes out of pieces that are cut anywhere. */
interface Reader {
  /** With its end, or what there is before the end of everything. */
  line(): Promise<string>
  take(size: number): AsyncIterable<Buffer>
}

function readerOf(body: AsyncIterable<Buffer>): Reader {
  const pieces = body[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const refill = async () => {
    const { done, value } = await pieces.next()
    if (!done) rest = rest.length === 0 ? value : Buffer.concat([rest, value])
    return !done
  }
  const cut = (size: number) => {
    const taken = rest.subarray(0, size)
    rest = rest.subarray(size)
    return taken
  }
  return {
    async line() {
      while (!rest.includes(0x0a)) {
        if (rest.length > MAX_LINE_BYTES) throw malformed()
        if (!(await refill())) break
      }
      const end = rest.indexOf(0x0a)
      return cut(end < 0 ? rest.length : end + 1).toString('latin1')
    },
    async *take(size) {
      for (let left = size; left > 0; ) {
        if (rest.length === 0 && !(await refill())) throw malformed()
        const taken = cut(left)
        left -= taken.length
        yield taken
      }
    },
  }
}

function malformed(): OssError {
  const details = { ArgumentName: 'Content-Encoding', ArgumentValue: 'aws-chunked' }
  return new OssError('InvalidArgument', details, 'The chunks of the body are malformed.')
}
