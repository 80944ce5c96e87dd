import type { Answer, PlainRequest } from '../../shared/plain.ts'

/** A route of a custom runtime, asked as a browser would ask it; errors pass through. */
export async function askPlain<Deps>(
  route: (request: PlainRequest, deps: Deps) => Promise<Answer>,
  request: Request,
  deps: Deps,
): Promise<Response> {
  const { method, headers, url } = request
  const { pathname, searchParams } = new URL(url)
  const plain = { method, path: pathname, headers, query: () => searchParams, text: () => request.text() }
  const { status, headers: sent, body } = await route(plain, deps)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const hasNone = method === 'HEAD' || status === 304 || text === ''
  return new Response(hasNone ? null : text, { status, headers: sent })
}
