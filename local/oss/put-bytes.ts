import type { IncomingMessage } from 'node:http'
import type { Context, Reply } from './context.ts'
import { putObject } from './object-operations.ts'
import type { ObjectName } from './tables.ts'

/** An object to be made of bytes that did not come as the body of a PutObject. */
export interface BytesToPut {
  readonly name: ObjectName
  /** What PutObject would find in its headers, as latin1. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: AsyncIterable<Uint8Array>
  /** The operation that the event names. */
  readonly operation: string
}

/** Stores an object under all the rules of PutObject, as a form or the result of a processing wants it. */
export async function putBytes(context: Context, { name, headers, bytes, operation }: BytesToPut): Promise<Reply> {
  const given: Readonly<Record<string, string>> = { ...headers, 'transfer-encoding': 'chunked' }
  // The message stands for the one that came, with other headers and another body.
  const message: IncomingMessage = Object.create(context.request.message, {
    headers: { value: given },
    [Symbol.asyncIterator]: { value: () => bytes[Symbol.asyncIterator]() },
    iterator: { value: () => bytes },
  })
  const request = {
    ...context.request,
    ...name,
    message,
    query: [],
    param: () => undefined,
    header: (wanted: string) => given[wanted],
  }
  return await putObject.run({
    ...context,
    request,
    emit: (event) => context.emit({ ...event, eventName: `ObjectCreated:${operation}` }),
  })
}
