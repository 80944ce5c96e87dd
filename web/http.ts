import type { Problem } from '../shared/api.ts'

/** A request that was refused, with the code of the API's catalogue; `network` when there was no answer at all. */
export class ApiError extends Error {
  readonly code: string
  /** 0 when there was no answer. */
  readonly status: number

  constructor(code: string, status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.code = code
    this.status = status
  }
}

export interface Ask {
  readonly authorization?: string
  readonly body?: object
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}

export interface Told<Data> {
  readonly data: Data
  readonly nextCursor: string | null
  /** By the server's clock, in milliseconds; `undefined` when it did not say. */
  readonly serverNow: number | undefined
}

/** One request to the API; throws `ApiError`, or what an aborted signal throws. */
export async function ask<Data>(method: string, path: string, options: Ask = {}): Promise<Told<Data>> {
  const response = await fetch(path, requestOf(method, options)).catch((error: unknown) => {
    if (options.signal?.aborted) throw options.signal.reason
    throw new ApiError('network', 0, error instanceof Error ? error.message : String(error))
  })
  if (!response.ok) throw await refusalOf(response)
  const serverNow = timeOf(response.headers.get('date'))
  if (response.status === 204) return { data: undefined as Data, nextCursor: null, serverNow }
  const answer = await jsonOf<{ data: Data; nextCursor?: string | null }>(response)
  if (answer === undefined) throw new ApiError('network', 0, 'The answer was cut off.')
  return { data: answer.data, nextCursor: answer.nextCursor ?? null, serverNow }
}

function requestOf(method: string, { authorization, body, idempotencyKey, signal }: Ask): RequestInit {
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  }
  return {
    method,
    headers,
    credentials: 'omit',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }
}

async function refusalOf(response: Response): Promise<ApiError> {
  const { code, detail, title } = (await jsonOf<Partial<Problem>>(response)) ?? {}
  const sentence = detail ?? title ?? `The server answered ${response.status}.`
  return new ApiError(code ?? 'unknown', response.status, sentence)
}

async function jsonOf<Body>(response: Response): Promise<Body | undefined> {
  try {
    return (await response.json()) as Body
  } catch {
    return undefined
  }
}

function timeOf(text: string | null): number | undefined {
  const time = Date.parse(text ?? '')
  return Number.isFinite(time) ? time : undefined
}
