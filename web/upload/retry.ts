/** A refusal by OSS or by the API, or silence (`status` 0). */
interface Failure {
  readonly status: number
  readonly code: string
}

/** What can be done about a failure. */
export type Remedy = 'wait' | 'renew' | 'none'

const BUSY_STATUS = new Set([408, 425, 429])
/** OSS says so when credentials have ended, were withdrawn, or are not known yet everywhere. */
const RIGHTS_CODES = new Set([
  'SecurityTokenExpired',
  'InvalidSecurityToken',
  'InvalidAccessKeyId',
  'AccessDenied',
  'RequestExpired',
])

/** `wait` for what may pass, `renew` when other credentials may help, `none` otherwise. */
export function remedyOf(error: unknown): Remedy {
  const failure = failureOf(error)
  if (!failure) return 'none'
  const { status, code } = failure
  if (status === 0 || status >= 500 || BUSY_STATUS.has(status)) return 'wait'
  return status === 403 && RIGHTS_CODES.has(code) ? 'renew' : 'none'
}

function failureOf(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('status' in error) || !('code' in error)) return undefined
  return typeof error.status === 'number' && typeof error.code === 'string'
    ? { status: error.status, code: error.code }
    : undefined
}

/** Whether there was no answer at all. */
export function isSilence(error: unknown): boolean {
  return failureOf(error)?.status === 0
}

const FIRST_MS = 500
const LONGEST_MS = 20_000

/** Longer after each try, and never the same for all: between half and all of 0.5 s, 1 s, 2 s … 20 s. */
export function pauseMs(tries: number, random: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 10)) * (0.5 + random / 2)
}

export interface RetryDeps {
  readonly signal: AbortSignal
  /** Ends early when there is reason to believe that it works again; throws when aborted. */
  pause(ms: number): Promise<void>
  random(): number
  /** Silence has begun, or is over. */
  onSilence(silent: boolean): void
  /** Tells what to try before the next attempt when credentials were refused. */
  onRefused(): void
}

const MOST_BUSY = 8
const MOST_RENEWALS = 3

/** Tries until it works: without end while there is no answer at all, a few times when there is a bad one. */
export async function persistently<Result>(action: () => Promise<Result>, deps: RetryDeps): Promise<Result> {
  const patience = { busy: MOST_BUSY, renewals: MOST_RENEWALS }
  for (let tries = 0; ; tries += 1) {
    deps.signal.throwIfAborted()
    try {
      const result = await action()
      deps.onSilence(false)
      return result
    } catch (error) {
      if (deps.signal.aborted) throw deps.signal.reason
      if (!bear(error, patience)) throw error
      if (remedyOf(error) === 'renew') deps.onRefused()
      deps.onSilence(isSilence(error))
      await deps.pause(pauseMs(tries, deps.random()))
    }
  }
}

/** Whether another try is worth it; takes what it costs off the patience. */
function bear(error: unknown, patience: { busy: number; renewals: number }): boolean {
  const remedy = remedyOf(error)
  if (remedy === 'none') return false
  if (isSilence(error)) return true
  if (remedy === 'renew') patience.renewals -= 1
  else patience.busy -= 1
  return patience.renewals >= 0 && patience.busy >= 0
}
