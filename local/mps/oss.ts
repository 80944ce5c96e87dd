import { createHmac } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { OpenApiError } from '../wire/acs3.ts'
import type { Credentials } from '../wire/credentials.ts'
import { mpsError } from './errors.ts'
import { decodeKey, type OssFile } from './parameters.ts'

/** What the jobs do with OSS: over the wire and signed, so that policies, events and faults apply to them too. */
export interface OssClient {
  /** The object as a file; throws the code that a job ends with. */
  download(file: OssFile, path: string, signal: AbortSignal): Promise<void>
  upload(path: string, bucket: string, key: string, signal: AbortSignal): Promise<void>
}

export interface OssClientOptions {
  readonly endpoint: string
  readonly credentials: Credentials
  now(): number
}

const ROLE = { role: 'AliyunMTSDefaultRole', sessionName: 'mts', durationSeconds: 3600 }

/** A client that acts in the service's own role. */
export function openOssClient({ endpoint, credentials, now }: OssClientOptions): OssClient {
  /** Signature version 1. https://help.aliyun.com/zh/oss/developer-reference/include-signatures-in-the-authorization-header */
  function headersFor(method: string, bucket: string, key: string, type: string): Record<string, string> {
    const session = credentials.issue(ROLE)
    const date = new Date(now()).toUTCString()
    const token = `x-oss-security-token:${session.securityToken}`
    const text = `${method}\n\n${type}\n${date}\n${token}\n/${bucket}/${key}`
    const signature = createHmac('sha1', session.accessKeySecret).update(text).digest('base64')
    return {
      date,
      'x-oss-security-token': session.securityToken,
      authorization: `OSS ${session.accessKeyId}:${signature}`,
      ...(type === '' ? {} : { 'content-type': type }),
    }
  }

  function open(method: string, bucket: string, key: string, type: string, length: number, signal: AbortSignal) {
    const path = encodeURIComponent(key).replaceAll('%2F', '/')
    const headers = { ...headersFor(method, bucket, key, type), 'content-length': length }
    return request(`${endpoint}/${bucket}/${path}`, { method, headers, signal, agent: false })
  }

  return {
    download: ({ Bucket, Object: encoded }, path, signal) =>
      patiently(signal, async () => {
        const sent = open('GET', Bucket, decodeKey(encoded), '', 0, signal)
        const answer = await answered(sent, () => sent.end())
        if (answer.statusCode !== 200) throw refusal(answer)
        await pipeline(answer, createWriteStream(path), { signal })
      }),
    upload: (path, bucket, key, signal) =>
      patiently(signal, async () => {
        const { size } = await stat(path)
        const sent = open('PUT', bucket, key, typeOf(key), size, signal)
        const send = () => void pipeline(createReadStream(path), sent).catch(() => sent.destroy())
        const answer = await answered(sent, send)
        answer.resume()
        if (answer.statusCode !== 200) throw refusal(answer)
      }),
  }
}

const TRIES = 4
const FIRST_PAUSE_MS = 100

/** Tries again what failed on the way or for no reason of ours. */
async function patiently(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const isFinal = error instanceof OpenApiError && error.code !== 'InternalError'
      if (isFinal || tries === TRIES || signal.aborted) throw error
      await pause(FIRST_PAUSE_MS * 2 ** tries, undefined, { signal })
    }
  }
}

function answered(sent: ReturnType<typeof request>, start: () => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', reject)
    start()
  })
}

function refusal(answer: IncomingMessage): Error {
  answer.resume()
  if (answer.statusCode === 404) return mpsError('InvalidParameter.ResourceNotFound', 'InputFile')
  if (answer.statusCode === 403) return mpsError('PermissionDenied.ResourceAccess', 'InputFile')
  return mpsError('InternalError')
}

const TYPES: Readonly<Record<string, string>> = {
  m3u8: 'application/vnd.apple.mpegurl',
  ts: 'video/mp2t',
  mp4: 'video/mp4',
  flv: 'video/x-flv',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
  m4a: 'audio/mp4',
  gif: 'image/gif',
  webp: 'image/webp',
  jpg: 'image/jpeg',
}

function typeOf(key: string): string {
  return TYPES[key.split('.').pop()?.toLowerCase() ?? ''] ?? 'application/octet-stream'
}
