import { AppError } from '../errors.ts'
import { TimeoutError } from './retry.ts'

/** What is common to the errors of the vendor's HTTP SDKs: a status if there was an answer, and a code. */
export function statusOf(error: unknown): number | undefined {
  for (const name of ['statusCode', 'status']) {
    const value = error instanceof Error ? Reflect.get(error, name) : undefined
    if (typeof value === 'number' && value > 0) return value
  }
  return undefined
}

/** The service's own word for an error, or the network's. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

/** Worth another try: no answer at all, throttled, or an error on the service's side. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TimeoutError) return true
  if (!(error instanceof Error) || error instanceof AppError) return false
  const status = statusOf(error)
  if (status !== undefined) return status === 429 || status >= 500 || /^Throttling/.test(codeOf(error))
  return NETWORK.test(codeOf(error)) || NETWORK.test(error.name) || NETWORK.test(error.message)
}

const NETWORK =
  /ECONN|ETIMEDOUT|EPIPE|EAI_AGAIN|ENOTFOUND|ConnectTimeout|ReadTimeout|TimeoutError|RequestError|socket hang up/i

/** The error for our callers; one that never came from the service is a bug and stays what it is. */
export function translate(service: string, error: unknown): unknown {
  if (error instanceof AppError) return error
  if (isTransient(error)) return new AppError('upstream_busy', `${service} is busy, try again`, { cause: error })
  if (statusOf(error) === undefined) return error
  const code = codeOf(error) || `status ${statusOf(error)}`
  return new AppError('upstream_failed', `${service} refused the request (${code})`, { cause: error })
}
