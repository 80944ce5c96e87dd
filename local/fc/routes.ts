import { list, ManifestError, oneOf, record, text } from './manifest-error.ts'

/** One line of a custom domain's route table. */
export interface Route {
  /** `/exact/path` or `/prefix/*`. */
  readonly path: string
  readonly functionName: string
  /** Absent: every method. */
  readonly methods?: readonly string[]
}

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const

/**
 * Reads the `props` of a resource of component `fc3-domain`. Function Compute knows exact paths and a trailing `/*`
 * and nothing else. https://github.com/devsapp/fc3-domain/blob/main/src/schema.json
 */
export function parseRoutes(props: Record<string, unknown>, where: string): readonly Route[] {
  text(props.domainName, `${where}.domainName`)
  oneOf(props.protocol, `${where}.protocol`, ['HTTP', 'HTTPS', 'HTTP,HTTPS'])
  const config = record(props.routeConfig, `${where}.routeConfig`)
  const routes = list(config.routes, `${where}.routeConfig.routes`).map((item) =>
    parseRoute(record(item, `${where}.routeConfig.routes`), `${where}.routeConfig.routes`),
  )
  const paths = routes.map(({ path }) => path)
  const twice = paths.find((path, index) => paths.indexOf(path) !== index)
  if (twice !== undefined) throw new ManifestError(where, `the route ${twice} is there twice`)
  return routes
}

/** The route that Function Compute would take: an exact path first, then the longest prefix. */
export function findRoute(routes: readonly Route[], path: string): Route | undefined {
  const exact = routes.find((route) => route.path === path)
  if (exact) return exact
  return routes
    .filter((route) => route.path.endsWith('/*') && path.startsWith(route.path.slice(0, -1)))
    .sort((a, b) => b.path.length - a.path.length)[0]
}

function parseRoute(route: Record<string, unknown>, where: string): Route {
  const path = text(route.path, `${where}.path`)
  if (!/^\/([A-Za-z0-9._~-]+\/)*([A-Za-z0-9._~-]+|\*)?$/.test(path)) {
    throw new ManifestError(where, `expected an exact path or a trailing /*, got ${path}`)
  }
  if (route.rewriteConfig !== undefined) throw new ManifestError(where, 'rewriteConfig is not understood here')
  if (route.qualifier !== undefined) oneOf(route.qualifier, `${where}.qualifier`, ['LATEST'])
  const functionName = text(route.functionName, `${where}.functionName`)
  if (route.methods === undefined) return { path, functionName }
  const methods = list(route.methods, `${where}.methods`).map((method) => oneOf(method, `${where}.methods`, METHODS))
  return { path, functionName, methods }
}
