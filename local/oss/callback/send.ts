import { createHash } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { OssError } from '../errors.ts'
import type { CallbackKey } from './key.ts'
import type { Callback } from './settings.ts'

/** What is told with every callback, apart from its body. */
export interface CallbackFrame {
  readonly key: CallbackKey
  /** Where receivers find the public key. */
  readonly keyUrl: string
  readonly bucket: string
  readonly accountId: string
  /** Whoever uploaded. */
  readonly requester: string
  readonly requestId: string
}

const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 3 * 1024 * 1024

/** Calls one URL after the other until one answers well, and gives its JSON; else throws CallbackFailed for the last. */
export async function sendCallback(callback: Callback, body: string, frame: CallbackFrame): Promise<Buffer> {
  let failure: unknown
  for (const url of callback.urls) {
    try {
      return readAnswer(await post(url, headersOf(url, callback, body, frame), body, callback))
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** https://help.aliyun.com/zh/oss/developer-reference/callback, "Signature of the callback request" */
function headersOf(url: URL, callback: Callback, body: string, frame: CallbackFrame): Record<string, string> {
  const path = decode(url.pathname)
  return {
    ...callback.additionalHeaders,
    host: callback.host ?? url.host,
    'user-agent': 'aliyun-oss-callback',
    'content-type': callback.bodyType,
    'content-length': String(Buffer.byteLength(body)),
    'content-md5': createHash('md5').update(body).digest('base64'),
    date: new Date().toUTCString(),
    authorization: frame.key.sign(`${path}${url.search}\n${body}`),
    'x-oss-pub-key-url': Buffer.from(frame.keyUrl).toString('base64'),
    'x-oss-bucket': frame.bucket,
    'x-oss-owner': frame.accountId,
    'x-oss-request-id': frame.requestId,
    'x-oss-requester': frame.requester,
    'x-oss-signature-version': '1.0',
    'x-oss-tag': 'CALLBACK',
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

interface Answer {
  readonly status: number
  readonly length: string | undefined
  readonly body: Buffer
}

function post(url: URL, headers: Record<string, string>, body: string, { sni, host }: Callback): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, signal: AbortSignal.timeout(TIMEOUT_MS), agent: false as const }
    // Without SNI a server shows the certificate that it has for no name in particular.
    const servername = sni ? (host ?? url.hostname).replace(/:\d+$/, '') : ''
    const request =
      url.protocol === 'https:' ? https.request(url, { ...options, servername }) : http.request(url, options)
    const fail = (error: Error) => {
      if (error instanceof OssError) return reject(error)
      reject(error.name === 'AbortError' || error.name === 'TimeoutError' ? tookTooLong() : unreachable())
    }
    request.on('error', fail)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('error', fail)
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk)
        else request.destroy(tooLong())
      })
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          length: response.headers['content-length'],
          body: Buffer.concat(chunks),
        }),
      )
    })
    request.end(body)
  })
}

function readAnswer({ status, length, body }: Answer): Buffer {
  if (status !== 200) throw failed(`Error status : ${status}.`)
  if (length === undefined) throw tooLong()
  try {
    const document: unknown = JSON.parse(body.toString())
    if (typeof document === 'object' && document !== null) return body
  } catch {}
  throw failed('Response body is not valid json format.', '0007-00000205')
}

/** https://help.aliyun.com/zh/oss/support/http-status-code-203 has the messages. */
function failed(message: string, exactCode?: string): OssError {
  return new OssError('CallbackFailed', exactCode ? { EC: exactCode } : {}, message)
}

function tookTooLong(): OssError {
  return failed('Cost too long time.')
}

function unreachable(): OssError {
  return failed('Error status : -1.OSS can not connect to your callbackUrl, please check it.')
}

function tooLong(): OssError {
  return failed('Error status : 400.User server return too long content-length value.')
}
