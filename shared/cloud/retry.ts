/** How often a call is made again, and how long one try may take. */
export interface RetryOptions {
  /** Calls in all, the first included. */
  readonly tries: number
  /** Longest wait before the second try; it doubles with every further one. */
  readonly baseDelayMs: number
  /** A try that has not answered by then has failed. */
  readonly timeoutMs: number
  readonly retryable: (error: unknown) => boolean
}

/** The service did not answer within the time of one try. */
export class TimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
    this.name = 'TimeoutError'
  }
}

/** Makes a call with a deadline for each try and full jitter between tries, so that callers that failed together spread. */
export async function withRetries<T>(options: RetryOptions, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withDeadline(options.timeoutMs, call())
    } catch (error) {
      if (attempt >= options.tries || !options.retryable(error)) throw error
    }
    await pause(Math.random() * options.baseDelayMs * 2 ** (attempt - 1))
  }
}

/** Waits without keeping a function busy. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Some SDKs never settle when a connection breaks in the middle of an answer, so the deadline is ours. */
function withDeadline<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(timeoutMs)), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
