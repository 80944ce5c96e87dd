import { AppError } from './errors.ts'
import { isEnvelope, problem } from './http.ts'
import { errorFields, log } from './log.ts'
import { type Answer, problemAnswer } from './plain.ts'

/** What the access log says of a request. */
export interface RequestLine {
  readonly requestId: string
  readonly method: string
  /** Without the query, which may hold secrets. */
  readonly path: string
  readonly sourceIp: string
}

/** Beyond this Function Compute's gateway answers 502 BadResponse. */
const MAX_RESPONSE_HEADER_BYTES = 8 * 1024

/** Which requests leave a line in the log; the platform counts all of them anyway. */
export type AccessLog = 'all' | 'failures'

/** Runs a route and turns whatever comes out of it into the answer that leaves. */
export async function respond(line: RequestLine, run: () => Promise<Response>): Promise<Response> {
  const startedAt = performance.now()
  const answer = await run().then(
    (response) => completed(response, line),
    (error: unknown) => completed(problem(expected(error, line)), line),
  )
  logAccess(line, answer.status, startedAt)
  return answer
}

/** The same without the platform's classes, for custom runtimes. */
export async function answered(line: RequestLine, run: () => Promise<Answer>, accessLog: AccessLog): Promise<Answer> {
  const startedAt = performance.now()
  const answer = await run().catch((error: unknown) => problemAnswer(expected(error, line)))
  if (accessLog === 'all' || answer.status >= 400) logAccess(line, answer.status, startedAt)
  return answer
}

function logAccess(line: RequestLine, status: number, startedAt: number): void {
  log('info', 'request', { ...line, status, durationMs: Math.round(performance.now() - startedAt) })
}

/** Puts the request id into a body of ours; anything else leaves as it is. */
async function completed(response: Response, { requestId }: RequestLine): Promise<Response> {
  if (!isEnvelope(response)) return response
  const text = await response.text()
  const { status, headers } = response
  return new Response(`${text.slice(0, -1)},"requestId":${JSON.stringify(requestId)}}`, { status, headers })
}

/** What the client may know of an error; what it may not goes to the log. */
function expected(error: unknown, line: RequestLine): AppError {
  const known = error instanceof AppError
  if (!known || error.status >= 500) log('error', 'request failed', { ...line, ...errorFields(error) })
  if (known) return error
  return new AppError('internal', 'An unexpected error; the request id leads to its log entry', { cause: error })
}

/** Throws when an answer has more headers than the gateway takes. */
export function withinHeaderLimit(response: Response): Response {
  const bytes = [...response.headers].reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + 4,
    0,
  )
  if (bytes <= MAX_RESPONSE_HEADER_BYTES) return response
  throw new Error(
    `response headers take ${bytes} bytes; Function Compute answers 502 beyond ${MAX_RESPONSE_HEADER_BYTES}`,
  )
}
