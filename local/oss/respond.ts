import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { writeXml } from '../wire/xml.ts'
import type { Content, Reply } from './context.ts'
import type { Headers } from './cors.ts'
import type { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'

/** Headers of every answer. */
export function commonHeaders(id: string, milliseconds: number): Headers {
  return [
    ['Server', 'AliyunOSS'],
    ['x-oss-request-id', id],
    ['x-oss-server-time', String(Math.round(milliseconds))],
  ]
}

/** Writes an answer; a body that is streamed goes at the pace of the client. */
export async function respond(response: ServerResponse, reply: Reply, headers: Headers): Promise<void> {
  const { body } = reply
  for (const [name, value] of [...headers, ...(reply.headers ?? [])]) response.setHeader(name, value)
  response.statusCode = reply.status
  if (typeof body === 'object') {
    if (reply.gzip) return await sendCompressed(body, response)
    response.setHeader('Content-Length', body.bytes)
    await body.send(response)
    if (!response.destroyed) response.end()
    return
  }
  // As bytes: Node encodes headers like a body that is text, which would double the UTF-8 in user metadata.
  const bytes = Buffer.from(body ?? '')
  const bare = reply.gzip || reply.status === 204 || reply.status === 304 || response.hasHeader('Content-Length')
  if (!bare) response.setHeader('Content-Length', bytes.length)
  response.end(bytes)
}

async function sendCompressed(body: Content, response: ServerResponse): Promise<void> {
  const gzip = createGzip()
  const flowing = pipeline(gzip, response)
  // Whoever has gone away is noticed below; until then the failure would count as unhandled.
  flowing.catch(() => {})
  await body.send(gzip)
  gzip.end()
  await flowing
}

/** The document that tells an error; where no body can be sent it goes into a header. */
export function errorReply(error: OssError, id: string, request: OssRequest | undefined, host: string): Reply {
  const document = writeXml('Error', {
    Code: error.code,
    Message: error.message,
    RequestId: id,
    HostId: host,
    ...error.details,
    EC: error.exactCode,
    RecommendDoc: error.exactCode && `https://api.aliyun.com/troubleshoot?q=${error.exactCode}`,
  })
  const ec: Headers = error.exactCode === undefined ? [] : [['x-oss-ec', error.exactCode]]
  if (request?.method === 'HEAD') {
    return {
      status: error.status,
      headers: [...error.headers, ...ec, ['x-oss-err', Buffer.from(document).toString('base64')]],
    }
  }
  return {
    status: error.status,
    headers: [['Content-Type', 'application/xml'], ...error.headers, ...ec],
    body: document,
  }
}
