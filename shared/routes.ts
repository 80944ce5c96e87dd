import { Hono } from 'hono'
import { AppError } from './errors.ts'
import { problem } from './http.ts'

/** A hono application whose bindings (`c.env`) are the route's dependencies. */
export type Routes<Deps extends object> = Hono<{ Bindings: Deps }>

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

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
    const allowed = METHODS.filter((method) => matches(app, method, c.req.path))
    if (allowed.length === 0) throw new AppError('not_found', 'No such path')
    return problem(new AppError('method_not_allowed', `Expected ${allowed.join(', ')}`), { allow: allowed.join(', ') })
  })
  return async (request, deps) => app.fetch(request, deps)
}

/** HEAD is served by the GET route. */
function matches<Deps extends object>(app: Routes<Deps>, method: string, path: string): boolean {
  return app.router.match(method === 'HEAD' ? 'GET' : method, path)[0].length > 0
}
