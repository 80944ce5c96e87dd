import { AppError } from './errors.ts'
import { type Answer, jsonHeaders, problemAnswer } from './plain.ts'

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
  return responseOf(problemAnswer(error, headers))
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
  const headers = { ...jsonHeaders(type), ...options.headers }
  return responseOf({ status: options.status ?? 200, headers, body })
}

/** An answer whose body still lacks its request id, as the platform's own class. */
export function responseOf({ status, headers, body }: Answer & { readonly body: object }): Response {
  const response = new Response(JSON.stringify(body), { status, headers })
  envelopes.add(response)
  return response
}
