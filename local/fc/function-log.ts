import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a function's output goes. */
export interface LogFile {
  line(text: string): void
  flushed(): Promise<void>
}

/** `<data>/logs/<function>.log`, one line after the other. */
export function logFile({ dataDir, now }: { dataDir: string; now(): number }, name: string): LogFile {
  const folder = join(dataDir, 'logs')
  const path = join(folder, `${name}.log`)
  // The folder may be cleared at any time.
  const append = (text: string) =>
    appendFile(path, text).catch(() => mkdir(folder, { recursive: true }).then(() => appendFile(path, text)))
  let last = Promise.resolve()
  return {
    line(text) {
      const stamped = `${new Date(now()).toISOString()} ${text}\n`
      // A log that cannot be written must not end what it tells of.
      last = last.then(() => append(stamped)).catch(() => {})
    },
    flushed: () => last,
  }
}

/**
 * What the service puts around the output of an invocation.
 * https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/configure-the-logging-feature
 */
export function framed(
  lines: readonly string[],
  of: { requestId: string; durationMs: number; memoryMb: number },
): string {
  const [duration, billed] = [of.durationMs.toFixed(2), Math.ceil(of.durationMs)]
  const end = `Duration: ${duration} ms, Billed Duration: ${billed} ms, Memory Size: ${of.memoryMb} MB`
  const frame = [
    `FC Invoke Start RequestId: ${of.requestId}`,
    ...lines,
    `FC Invoke End RequestId: ${of.requestId}`,
    '',
    end,
  ]
  return `${frame.join('\n')}\n`
}
