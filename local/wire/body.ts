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

/** The same, unless nothing comes for longer than this: then it is given up, and the connection with the answer. */
export async function readBodyWithin(
  request: IncomingMessage,
  limitBytes: number,
  idleMs: number,
): Promise<Buffer | 'too-large' | 'too-slow'> {
  let timer: NodeJS.Timeout | undefined
  const slow = new Promise<'too-slow'>((resolve) => {
    timer = setTimeout(() => resolve('too-slow'), idleMs)
  })
  request.on('data', () => timer?.refresh())
  // Whoever is given up may break off at any time.
  const read = readBody(request, limitBytes)
  read.catch(() => {})
  return Promise.race([read.then((body) => body ?? 'too-large'), slow]).finally(() => clearTimeout(timer))
}
