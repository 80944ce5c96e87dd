import { parse } from 'yaml'
import { type FunctionConfig, parseFunction } from './function-config.ts'
import { ManifestError, record } from './manifest-error.ts'
import { parseRoutes, type Route } from './routes.ts'

/** What `s.yaml` deploys, as far as Function Compute is concerned. */
export interface Manifest {
  readonly functions: readonly FunctionConfig[]
  readonly routes: readonly Route[]
  readonly declared: Declared
}

/** The same as it is written: the `props` of each resource, checked. */
export interface Declared {
  readonly functions: readonly Record<string, unknown>[]
  readonly domains: readonly Record<string, unknown>[]
}

/**
 * Reads the text of `s.yaml`: resources of the components `fc3` and `fc3-domain`, with `${env('NAME', 'default')}` and
 * `${vars.name}` put in. Whatever the real deployment would refuse or ignore is a `ManifestError` here.
 */
export function readManifest(text: string, env: Readonly<Record<string, string>>): Manifest {
  const document = record(parse(text), 's.yaml')
  const vars = resolve(record(document.vars ?? {}, 'vars'), { env, vars: undefined })
  const resources = record(document.resources, 'resources')
  const functions: FunctionConfig[] = []
  const routes: Route[] = []
  const declared = { functions: [] as Record<string, unknown>[], domains: [] as Record<string, unknown>[] }
  for (const [name, value] of Object.entries(resources)) {
    const resource = record(resolve(record(value, `resources.${name}`), { env, vars }), `resources.${name}`)
    const where = `resources.${name}.props`
    const props = record(resource.props, where)
    if (resource.component === 'fc3') {
      functions.push(parseFunction(props, where))
      declared.functions.push(props)
    } else if (resource.component === 'fc3-domain') {
      routes.push(...parseRoutes(props, where))
      declared.domains.push(props)
    } else
      throw new ManifestError(`resources.${name}.component`, `expected fc3 or fc3-domain, got ${resource.component}`)
  }
  checkNames(functions, routes)
  return { functions, routes, declared }
}

interface Scope {
  readonly env: Readonly<Record<string, string>>
  readonly vars: unknown
}

function resolve(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') return resolveText(value, scope)
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, scope)]))
}

function resolveText(text: string, scope: Scope): unknown {
  const whole = /^\$\{([^}]*)\}$/.exec(text)
  if (whole) return evaluate(whole[1] ?? '', scope)
  return text.replace(/\$\{([^}]*)\}/g, (_match, expression: string) => String(evaluate(expression, scope)))
}

const ENV_CALL = /^env\(\s*(['"])([A-Za-z_]\w*)\1\s*(?:,\s*(['"])(.*)\3\s*)?\)$/

function evaluate(expression: string, { env, vars }: Scope): unknown {
  const call = ENV_CALL.exec(expression.trim())
  if (call) {
    const [, , name = '', , fallback] = call
    const value = env[name] ?? fallback
    if (value === undefined) throw new ManifestError(`\${${expression}}`, `the environment variable ${name} is not set`)
    return value
  }
  const path = /^vars\.([\w.-]+)$/.exec(expression.trim())?.[1]
  const value = path?.split('.').reduce<unknown>((from, key) => (from as Record<string, unknown>)?.[key], vars)
  if (value === undefined) throw new ManifestError(`\${${expression}}`, 'expected env(...) or a name under vars')
  return value
}

function checkNames(functions: readonly FunctionConfig[], routes: readonly Route[]): void {
  const byName = new Map<string, FunctionConfig>()
  for (const config of functions) {
    if (byName.has(config.name)) throw new ManifestError(config.name, 'two functions have this name')
    byName.set(config.name, config)
  }
  for (const { path, functionName } of routes) {
    if (!byName.get(functionName)?.http) {
      throw new ManifestError(`route ${path}`, `expected a function with an HTTP trigger, got ${functionName}`)
    }
  }
  for (const { name, async } of functions) {
    const missing = [async.onSuccess, async.onFailure].find((one) => one?.kind === 'function' && !byName.has(one.name))
    if (missing === undefined) continue
    throw new ManifestError(`${name}.asyncInvokeConfig`, `there is no function ${missing.name} to deliver results to`)
  }
}
