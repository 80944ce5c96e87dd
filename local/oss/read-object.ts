import { Writable } from 'node:stream'
import type { Context, Reply } from './context.ts'
import { OssError } from './errors.ts'
import { getObject } from './object-operations.ts'
import type { ObjectName } from './tables.ts'

/** What GetObject answers to a request for this object with these headers and no others. */
export async function readObject(
  context: Context,
  name: ObjectName,
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<Reply> {
  const { request } = context
  const version = request.bucket === name.bucket && request.key === name.key ? request.param('versionId') : undefined
  const inner = {
    ...request,
    ...name,
    query: [],
    param: (wanted: string) => (wanted === 'versionId' ? version : undefined),
    header: (wanted: string) => headers[wanted],
  }
  return await getObject.run({ ...context, request: inner })
}

/** All bytes of an object, which must be a small one. */
export async function readWhole(context: Context, name: ObjectName): Promise<Buffer> {
  return await collectBody(await readObject(context, name))
}

/** The body of an answer in one piece; lets go of it. */
export async function collectBody({ body }: Reply): Promise<Buffer> {
  if (typeof body !== 'object') return Buffer.from(body ?? '')
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  try {
    await body.send(sink)
  } finally {
    body.release()
  }
  const bytes = Buffer.concat(chunks)
  if (bytes.length !== body.bytes) throw new OssError('InternalError')
  return bytes
}
