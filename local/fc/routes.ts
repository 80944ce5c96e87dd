import { list, ManifestError, oneOf, record, text } from './manifest-error.ts'

/** One line of a custom domain's route table. */
export interface Route {
  /** `/exact/path` or `/prefix/*`. */
  readonly path: string
  readonly functionName: string
  /** Absent: LATEST. */
  readonly qualifier?: string
  /** Absent: every method. */
  readonly methods?: readonly string[]
  readonly rewrites?: readonly Rewrite[]
}

/** A path that the function gets instead of the one asked for; the first that matches counts. */
interface Rewrite {
  readonly kind: 'equal' | 'wildcard' | 'regex'
  readonly match: string
  readonly replacement: string
}

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'] as const

/**
 * Reads the `props` of a resource of component `fc3-domain`. Function Compute knows exact paths and a trailing `/*`
 * and nothing else. https://github.com/devsapp/fc3-domain/blob/main/src/schema.json
 */
export function parseRoutes(props: Record<string, unknown>, where: string): readonly Route[] {
  text(props.domainName, `${where}.domainName`)
  oneOf(props.protocol, `${where}.protocol`, ['HTTP', 'HTTPS', 'HTTP,HTTPS'])
  const routes = parseRouteConfig(props.routeConfig, where)
  for (const { rewrites, qualifier } of routes) {
    if (rewrites) throw new ManifestError(where, 'rewriteConfig is not understood here')
    oneOf(qualifier ?? 'LATEST', `${where}.qualifier`, ['LATEST'])
  }
  return routes
}

/** Reads a `routeConfig`, as the API takes it. */
export function parseRouteConfig(value: unknown, where: string): readonly Route[] {
  const config = record(value, `${where}.routeConfig`)
  const routes = list(config.routes ?? undefined, `${where}.routeConfig.routes`).map((item) =>
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

/** The path and query that the function gets. https://help.aliyun.com/zh/functioncompute/fc/user-guide/configure-custom-domain-names */
export function rewritten(url: string, { rewrites = [] }: Route): string {
  const [path = '/', query] = url.split(/\?(.*)/s)
  for (const rewrite of rewrites) {
    const found = apply(path, rewrite)
    if (found !== undefined) return query === undefined ? found : `${found}?${query}`
  }
  return url
}

/** Replacements name what was matched by `$1` and so on. */
function apply(path: string, { kind, match, replacement }: Rewrite): string | undefined {
  if (kind === 'equal') return path === match ? replacement : undefined
  const pattern = kind === 'regex' ? toPattern(match) : toPattern(`^${match.split('*').map(literal).join('(.*)')}$`)
  return pattern?.test(path) ? path.replace(pattern, replacement) : undefined
}

function literal(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}

function toPattern(source: string): RegExp | undefined {
  try {
    return new RegExp(source)
  } catch {
    return undefined
  }
}

function parseRoute(route: Record<string, unknown>, where: string): Route {
  const path = text(route.path, `${where}.path`)
  if (!/^\/([A-Za-z0-9._~-]+\/)*([A-Za-z0-9._~-]+|\*)?$/.test(path)) {
    throw new ManifestError(where, `expected an exact path or a trailing /*, got ${path}`)
  }
  return {
    path,
    functionName: text(route.functionName, `${where}.functionName`),
    ...(route.qualifier ? { qualifier: text(route.qualifier, `${where}.qualifier`) } : {}),
    ...parseMethods(route.methods, `${where}.methods`),
    ...parseRewrites(route.rewriteConfig, `${where}.rewriteConfig`),
  }
}

function parseMethods(value: unknown, where: string): { methods?: readonly string[] } {
  const methods = list(value ?? undefined, where).map((method) => oneOf(method, where, METHODS))
  return methods.length === 0 ? {} : { methods }
}

function parseRewrites(value: unknown, where: string): { rewrites?: readonly Rewrite[] } {
  if (value === undefined || value === null) return {}
  const config = record(value, where)
  const rules = (name: string, kind: Rewrite['kind']) =>
    list(config[name] ?? undefined, `${where}.${name}`).map((item) => {
      const rule = record(item, `${where}.${name}`)
      const replacement = text(rule.replacement, `${where}.${name}.replacement`)
      return { kind, match: text(rule.match, `${where}.${name}.match`), replacement }
    })
  // The order in which the service looks at them.
  return {
    rewrites: [...rules('equalRules', 'equal'), ...rules('wildcardRules', 'wildcard'), ...rules('regexRules', 'regex')],
  }
}
