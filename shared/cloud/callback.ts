import { randomUUID } from 'node:crypto'
import { routeKey, signInternal } from '../auth/internal.ts'
import { AppError } from '../errors.ts'
import { withRetries } from './retry.ts'

export interface CallbackConfig {
  readonly publicUrl: string
  readonly secretKey: string
}

/** "Look at this media again", from whoever worked on it. */
export interface TranscodeNotice {
  readonly mediaId: string
}

export interface Callbacks {
  notifyTranscode(notice: TranscodeNotice): Promise<void>
}

export interface CallbackOptions {
  readonly tries?: number
  readonly baseDelayMs?: number
  readonly timeoutMs?: number
}

/** The one route of the callback; its key is derived from it. */
export const TRANSCODE_CALLBACK_PATH = '/callbacks/transcode'

/** Tells mps-callback over HTTP, signed; a repeat carries the same nonce and a new time. */
export function openCallbacks(config: CallbackConfig, options: CallbackOptions = {}): Callbacks {
  const key = routeKey(config.secretKey, TRANSCODE_CALLBACK_PATH)
  const { tries = 3, baseDelayMs = 500, timeoutMs = 10_000 } = options
  return {
    async notifyTranscode(notice) {
      const body = JSON.stringify(notice)
      const nonce = randomUUID()
      await withRetries({ tries, baseDelayMs, timeoutMs, retryable: isBusy }, () => {
        const query = signInternal({ key, parameters: {}, body }, Date.now(), nonce)
        return post(`${config.publicUrl}${TRANSCODE_CALLBACK_PATH}?${query}`, body, timeoutMs)
      }).catch((cause: unknown) => {
        if (cause instanceof AppError) throw cause
        throw new AppError('upstream_busy', 'The transcode callback did not answer', { cause })
      })
    },
  }
}

async function post(url: string, body: string, timeoutMs: number): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeoutMs) })
  await answer.arrayBuffer()
  if (answer.ok) return
  const code = answer.status === 429 || answer.status >= 500 ? 'upstream_busy' : 'upstream_failed'
  throw new AppError(code, `The transcode callback answered ${answer.status}`)
}

function isBusy(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === 'upstream_busy'
}
