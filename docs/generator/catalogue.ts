import type { Operation } from './operation.ts'
import { OPERATIONS } from './operations/index.ts'
import { type RegisteredRoute, registeredRoutes } from './routes.ts'

/** A route together with what is said of it. */
export interface Documented {
  readonly functionName: string
  readonly method: string
  /** In the notation of OpenAPI: `/v1/videos/{id}`. */
  readonly path: string
  readonly parameters: readonly PathParameter[]
  readonly operation: Operation
}

export interface PathParameter {
  readonly name: string
  /** What the router demands of it. */
  readonly pattern?: string
}

/** Every route that is registered, with its description; both sides must name the same ones. */
export function documented(routes: readonly RegisteredRoute[] = registeredRoutes()): Documented[] {
  const own = routes.filter(({ path }) => !path.startsWith('/healthz/'))
  const known = new Set(own.map(keyOf))
  for (const [functionName, operations] of Object.entries(OPERATIONS)) {
    for (const key of Object.keys(operations)) {
      if (!known.has(`${functionName} ${key}`))
        throw new Error(`${functionName} has no route ${key}, but it is described`)
    }
  }
  return own.map(describe).sort((a, b) => rank(a) - rank(b))
}

/** The functions that answer `GET /healthz/{function}`. */
export function healthChecked(routes: readonly RegisteredRoute[] = registeredRoutes()): string[] {
  return routes.filter(({ path }) => path.startsWith('/healthz/')).map(({ functionName }) => functionName)
}

/** A path of the router as OpenAPI writes it, and its parameters: `/a/:b{[0-9]+}` is `/a/{b}`. */
export function openPath(path: string): { path: string; parameters: PathParameter[] } {
  const parameters: PathParameter[] = []
  const segments = path.split('/').map((segment) => {
    const [, name, pattern] = /^:(\w+)(?:\{(.+)\})?$/.exec(segment) ?? []
    if (name === undefined) return segment
    parameters.push({ name, ...(pattern === undefined ? {} : { pattern: `^${pattern}$` }) })
    return `{${name}}`
  })
  return { path: segments.join('/'), parameters }
}

function describe(route: RegisteredRoute): Documented {
  const { functionName, method } = route
  const operation = OPERATIONS[functionName]?.[`${method} ${route.path}`]
  if (!operation) {
    throw new Error(`${method} ${route.path} is not described: add it to docs/generator/operations/${functionName}.ts`)
  }
  return { functionName, method, operation, ...openPath(route.path) }
}

function keyOf({ functionName, method, path }: RegisteredRoute): string {
  return `${functionName} ${method} ${path}`
}

/** In the order of the descriptions: routers need another one than readers. */
function rank({ operation }: Documented): number {
  return Object.values(OPERATIONS)
    .flatMap((one) => Object.values(one))
    .indexOf(operation)
}
