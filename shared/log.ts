/** Fields of one log line; values must survive JSON. */
export type LogFields = Readonly<Record<string, unknown>>

/** One JSON object a line on standard output, which is where Function Compute collects logs from. */
export function log(level: 'info' | 'warn' | 'error', message: string, fields: LogFields = {}): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }))
}

/** An error as log fields: name, message, stack and the same of its cause. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) }
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) }
  return { error: error.message, name: error.name, stack: error.stack, ...cause }
}
