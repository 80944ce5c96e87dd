import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import { AppError } from './errors.ts'

/**
 * What a route of a custom runtime sees of a request. The platform's own `Request` and `Response` take 20 ms to load and
 * most of the time that a redirect takes; functions which every viewer waits for do without them.
 */
export interface PlainRequest {
  readonly method: string
  /** As it was sent, percent-encoded and without the query. */
  readonly path: string
  readonly headers: HeaderReader
  query(): URLSearchParams
  text(): Promise<string>
}

/** The part of the platform's `Headers` that routes read; names in any case. */
export interface HeaderReader {
  get(name: string): string | null
  has(name: string): boolean
}

/** What a route answers. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** An object leaves as JSON, completed with the request id; text leaves as it is. */
  readonly body: string | object
}

/** One route; `parameters` are the named parts of its path, decoded. */
export type PlainHandler<Deps> = (
  request: PlainRequest,
  deps: Deps,
  parameters: Readonly<Record<string, string>>,
) => Answer | Promise<Answer>

/** Paths as hono writes them: `/play/:playbackId/:file{[0-9]+\\.ts}`. */
export interface PlainApp<Deps> {
  /** HEAD is served by it too, and loses its body on the way out. */
  get(path: string, handler: PlainHandler<Deps>): void
  post(path: string, handler: PlainHandler<Deps>): void
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Several routes as one; an unknown path is `not_found`, another method is answered 405 with `Allow`. */
export function plainRoutes<Deps>(
  define: (app: PlainApp<Deps>) => void,
): (request: PlainRequest, deps: Deps) => Promise<Answer> {
  const router = new SmartRouter<PlainHandler<Deps>>({ routers: [new RegExpRouter(), new TrieRouter()] })
  define({
    get: (path, handler) => router.add('GET', path, handler),
    post: (path, handler) => router.add('POST', path, handler),
  })
  return async (request, deps) => {
    const [matches, stash] = router.match(request.method === 'HEAD' ? 'GET' : request.method, request.path)
    const [first] = matches
    if (!first) return unmatched((method) => router.match(method, request.path)[0].length > 0)
    const [handler, found] = first
    return handler(request, deps, decoded(found, stash))
  }
}

/**
 * The answer of a router that has no route: 405 with `Allow` where the path has other methods, or else throws
 * `not_found`. HEAD is served by the GET route.
 */
export function unmatched(matches: (method: string) => boolean): ReturnType<typeof problemAnswer> {
  const allowed = METHODS.filter((method) => matches(method === 'HEAD' ? 'GET' : method))
  if (allowed.length === 0) throw new AppError('not_found', 'No such path')
  const allow = allowed.join(', ')
  return problemAnswer(new AppError('method_not_allowed', `Expected ${allow}`), { allow })
}

/** One router gives texts, the other places in a list of texts. */
function decoded(found: Readonly<Record<string, string | number>>, stash: readonly string[] = []) {
  const parameters: Record<string, string> = {}
  for (const [name, value] of Object.entries(found)) {
    parameters[name] = unescaped(typeof value === 'number' ? (stash[value] ?? '') : value)
  }
  return parameters
}

/** What is no UTF-8 names nothing, and is looked up as it is. */
function unescaped(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A success: `{"data": …, "requestId": …}`. */
export function okAnswer(data: unknown): Answer {
  return { status: 200, headers: jsonHeaders('application/json'), body: { data } }
}

/** A failure as RFC 9457 problem details. */
export function problemAnswer(
  error: AppError,
  headers: Readonly<Record<string, string>> = {},
): Answer & { readonly body: object } {
  const { code, status, title, message } = error
  const body = { type: `urn:yunbo:problem:${code}`, title, status, detail: message, code }
  return { status, headers: { ...jsonHeaders('application/problem+json'), ...headersFor(status), ...headers }, body }
}

/** Of an answer that nothing keeps. */
export function jsonHeaders(type: string): Record<string, string> {
  return { 'content-type': type, 'cache-control': 'no-store' }
}

/** RFC 9110 wants a challenge with 401; the waiting time is a hint. */
function headersFor(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer' }
  if (status === 429 || status === 503) return { 'retry-after': '1' }
  return {}
}
