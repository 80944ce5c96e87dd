import { AppError } from './errors.ts'
import { ENVELOPE_HEADER, problem } from './http.ts'
import { errorFields, log } from './log.ts'

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

/** Runs a route and turns whatever comes out of it into the answer that leaves; writes one log line for each request. */
export async function respond(line: RequestLine, run: () => Promise<Response>): Promise<Response> {
  const startedAt = performance.now()
  let answer: Response
  try {
    answer = await finish(await run(), line)
  } catch (error) {
    answer = await finish(problem(expected(error, line)), line)
  }
  log('info', 'request', { ...line, status: answer.status, durationMs: Math.round(performance.now() - startedAt) })
  return answer
}

/** What the client may know of an error; what it may not goes to the log. */
function expected(error: unknown, line: RequestLine): AppError {
  const known = error instanceof AppError
  if (!known || error.status >= 500) log('error', 'request failed', { ...line, ...errorFields(error) })
  if (known) return error
  return new AppError('internal', 'An unexpected error; the request id leads to its log entry', { cause: error })
}

async function finish(response: Response, { method, requestId }: RequestLine): Promise<Response> {
  const headers = new Headers(response.headers)
  const enveloped = headers.has(ENVELOPE_HEADER)
  headers.delete(ENVELOPE_HEADER)
  // The gateway adds these itself, and appends ours: two values make browsers refuse.
  for (const name of [...headers.keys()]) if (name.startsWith('access-control-')) headers.delete(name)
  headers.set('x-request-id', requestId)
  checkHeaderSize(headers)
  const { status } = response
  if (method === 'HEAD' || status === 204 || status === 304) return new Response(null, { status, headers })
  if (!enveloped) return new Response(response.body, { status, headers })
  const text = await response.text()
  return new Response(`${text.slice(0, -1)},"requestId":${JSON.stringify(requestId)}}`, { status, headers })
}

function checkHeaderSize(headers: Headers): void {
  const bytes = [...headers].reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + 4, 0)
  if (bytes <= MAX_RESPONSE_HEADER_BYTES) return
  throw new Error(
    `response headers take ${bytes} bytes; Function Compute answers 502 beyond ${MAX_RESPONSE_HEADER_BYTES}`,
  )
}
