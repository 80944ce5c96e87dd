import type { RetryDeps } from './retry.ts'

/** Waiting in a browser: ends early when the connection is back, and at once when the upload is stopped. */
export function retryOf(signal: AbortSignal, onSilence: (silent: boolean) => void): Omit<RetryDeps, 'onRefused'> {
  return { signal, onSilence, random: Math.random, pause: (ms) => pause(ms, signal) }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(wake, ms)
    const stop = () => {
      leave()
      reject(signal.reason)
    }
    function wake(): void {
      leave()
      resolve()
    }
    function leave(): void {
      clearTimeout(timer)
      removeEventListener('online', wake)
      signal.removeEventListener('abort', stop)
    }
    addEventListener('online', wake)
    signal.addEventListener('abort', stop)
  })
}
