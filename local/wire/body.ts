import type { IncomingMessage } from 'node:http'

/** The whole body of a request; `undefined` when it is larger than the limit (the rest is read and dropped). */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= limitBytes) chunks.push(chunk)
    else chunks.length = 0
  }
  return size <= limitBytes ? Buffer.concat(chunks) : undefined
}
