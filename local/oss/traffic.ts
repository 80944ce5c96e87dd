import { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Content, Reply } from './context.ts'
import { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'

/**
 * Limits the traffic of one connection, in bits a second.
 * https://help.aliyun.com/zh/oss/user-guide/single-connection-bandwidth-throttling
 */
const NAME = 'x-oss-traffic-limit'
const MIN_BITS = 245_760
const MAX_BITS = 838_860_800

/** Bytes a second that a request asks to be held to; `undefined` where it asks for nothing. */
export function readTrafficLimit(request: OssRequest): number | undefined {
  const header = request.header(NAME)
  const param = request.param(NAME)
  const text = header ?? param
  if (text === undefined) return undefined
  if (header !== undefined && param !== undefined) {
    throw refused(text, '0004-00000501', `${NAME} must be either a header or a parameter of the query.`)
  }
  const bits = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (bits >= MIN_BITS && bits <= MAX_BITS) return bits / 8
  throw refused(text, '0004-00000502', `${NAME} must be an integer between ${MIN_BITS} and ${MAX_BITS}.`)
}

function refused(value: string, exactCode: string, message: string): OssError {
  const details = { ArgumentName: NAME, ArgumentValue: value.slice(0, 64), EC: exactCode }
  return new OssError('InvalidArgument', details, message)
}

/** The bytes of a body no faster than its request allows. */
export function limited<Chunk extends Uint8Array>(
  bytes: AsyncIterable<Chunk>,
  request: OssRequest,
): AsyncIterable<Uint8Array> {
  const limit = readTrafficLimit(request)
  return limit === undefined ? bytes : paced(bytes, limit)
}

/** Takes as long as so many bytes would, for a copy that moves none. */
export async function lingerFor(bytes: number, request: OssRequest): Promise<void> {
  const limit = readTrafficLimit(request)
  if (limit !== undefined) await pacer(limit)(bytes)
}

/** Holds what is sent back to a rate, and says how long that holds it up, as the service does with every such answer. */
export function limitReply(reply: Reply, bytesPerSecond: number, heldUpMs: number): Reply {
  const { body } = reply
  const sent = typeof body === 'object' ? (body.bytes / bytesPerSecond) * 1000 : 0
  const delay = Math.round(Math.max(sent, heldUpMs))
  const headers = [...(reply.headers ?? []), ['x-oss-qos-delay-time', String(delay)] as const]
  return typeof body === 'object'
    ? { ...reply, headers, body: pacedContent(body, bytesPerSecond) }
    : { ...reply, headers }
}

function pacedContent(content: Content, bytesPerSecond: number): Content {
  return {
    ...content,
    async send(sink) {
      const gate = Duplex.from((source: AsyncIterable<Uint8Array>) => paced(source, bytesPerSecond))
      const flowing = pipeline(gate, sink, { end: false })
      // Whoever has gone away is noticed below; until then the failure would count as unhandled.
      flowing.catch(() => {})
      await content.send(gate)
      gate.end()
      await flowing.catch((error: unknown) => {
        if (!sink.destroyed) throw error
      })
    },
  }
}

const SLICES_A_SECOND = 20
const MIN_SLICE_BYTES = 1024
const MAX_SLICE_BYTES = 256 * 1024

async function* paced(bytes: AsyncIterable<Uint8Array>, bytesPerSecond: number): AsyncGenerator<Uint8Array> {
  const pace = pacer(bytesPerSecond)
  const slice = Math.min(Math.max(bytesPerSecond / SLICES_A_SECOND, MIN_SLICE_BYTES), MAX_SLICE_BYTES)
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += slice) {
      const part = chunk.subarray(at, at + slice)
      await pace(part.length)
      yield part
    }
  }
}

/** What a timer overslept may be made up for, a pause of the other side may not. */
const CATCH_UP_MS = 200

/** Resolves when as many bytes may have gone through as it was told of. */
function pacer(bytesPerSecond: number): (bytes: number) => Promise<void> {
  let due = performance.now()
  return async (bytes) => {
    due = Math.max(due, performance.now() - CATCH_UP_MS) + (bytes / bytesPerSecond) * 1000
    const wait = due - performance.now()
    if (wait > 1) await sleep(wait)
  }
}
