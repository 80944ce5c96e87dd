import { AppError } from '../errors.ts'
import { TimeoutError } from './retry.ts'

/** Codes that mean "again, later"; the service says so of each. Network failures come from the SDK as `NetworkingError`. */
const BUSY = new Set([
  'OTSServerBusy',
  'OTSRowOperationConflict',
  'OTSNotEnoughCapacityUnit',
  'OTSPartitionUnavailable',
  'OTSTableNotReady',
  'OTSServerUnavailable',
  'OTSOperationThrottled',
  'OTSTimeout',
  'OTSInternalServerError',
  'OTSRequestTimeout',
])

/** Worth another try. */
export function isBusy(error: unknown): boolean {
  if (error instanceof TimeoutError) return true
  const code = codeOf(error)
  return code === 'NetworkingError' || BUSY.has(code)
}

/** The SDK leaves the error message undecoded: `code` is the HTTP status and the real code hides in the text. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const named = /OTS[A-Za-z]+/.exec(error.message)?.[0]
  if (named) return named
  const code = 'code' in error ? String(error.code) : ''
  return /^5\d\d$/.test(code) ? 'OTSServerUnavailable' : code
}

/** The error for our callers; one that never came from the service is a bug and stays what it is. */
export function translate(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (isBusy(error)) return new AppError('upstream_busy', 'Tablestore is busy, try again', { cause: error })
  const code = codeOf(error)
  if (code === '') return error
  return new AppError('upstream_failed', `Tablestore refused the request (${code})`, { cause: error })
}
