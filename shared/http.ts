import { AppError } from './errors.ts'
import { problemAnswer } from './plain.ts'

/** JSON answers of ours whose body the adapter completes with the request id. */
const envelopes = new WeakSet<Response>()

/** Whether an answer was made here and still lacks its request id. */
export function isEnvelope(response: Response): boolean {
  return envelopes.has(response)
}

export interface AnswerOptions {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A success: `{"data": …, "requestId": …}`. */
export function ok(data: unknown, options: AnswerOptions = {}): Response {
  return envelope({ data }, 'application/json', options)
}

/** A page of a list: `{"data": […], "nextCursor": …, "requestId": …}`; `null` after the last page. */
export function list(data: readonly unknown[], nextCursor: string | null, options: AnswerOptions = {}): Response {
  return envelope({ data, nextCursor }, 'application/json', options)
}

/** A failure as RFC 9457 problem details. */
export function problem(error: AppError, headers: Readonly<Record<string, string>> = {}): Response {
  const answer = problemAnswer(error, headers)
  return marked(new Response(JSON.stringify(answer.body), { status: answer.status, headers: answer.headers }))
}

/** The JSON body of a request; throws `invalid_json` when it is not JSON. */
export async function jsonBody(request: Pick<Request, 'text'>): Promise<unknown> {
  const text = await request.text()
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid_json', 'The body must be JSON', { cause })
  }
}

function envelope(body: object, type: string, options: AnswerOptions): Response {
  const headers = { 'content-type': type, 'cache-control': 'no-store', ...options.headers }
  return marked(new Response(JSON.stringify(body), { status: options.status ?? 200, headers }))
}

function marked(response: Response): Response {
  envelopes.add(response)
  return response
}
