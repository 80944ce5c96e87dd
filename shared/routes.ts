import { Hono } from 'hono'
import { responseOf } from './http.ts'
import { unmatched } from './plain.ts'

/** A hono application whose bindings (`c.env`) are the route's dependencies. */
export type Routes<Deps extends object> = Hono<{ Bindings: Deps }>

/**
 * Several routes as one: errors pass through to the adapter, an unknown path is `not_found`, and a known path with another
 * method is answered 405 with `Allow`.
 */
export function routes<Deps extends object>(
  define: (app: Routes<Deps>) => void,
): (request: Request, deps: Deps) => Promise<Response> {
  const app: Routes<Deps> = new Hono<{ Bindings: Deps }>()
  define(app)
  app.onError((error) => {
    throw error
  })
  app.notFound((c) => {
    return responseOf(unmatched((method) => app.router.match(method, c.req.path)[0].length > 0))
  })
  return async (request, deps) => app.fetch(request, deps)
}
