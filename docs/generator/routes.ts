import { existsSync, readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'

/** One route as a function's `route.ts` registers it. */
export interface RegisteredRoute {
  readonly functionName: string
  readonly method: string
  /** In the router's own notation. */
  readonly path: string
}

const FUNCTIONS = new URL('../../functions/', import.meta.url)
const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete'])

/** Every route of every function, read from the calls `app.get(…)` and so on in their route files. */
export function registeredRoutes(): RegisteredRoute[] {
  const names = readdirSync(FUNCTIONS).sort()
  return names.flatMap((functionName) => {
    const file = new URL(`${functionName}/route.ts`, FUNCTIONS)
    if (!existsSync(file)) return []
    return routesIn(readFileSync(file, 'utf8')).map((route) => ({ functionName, ...route }))
  })
}

/** The routes in the text of one route file; throws when a path is not a literal or a constant of the same file. */
export function routesIn(text: string): { method: string; path: string }[] {
  const source = ts.createSourceFile('route.ts', text, ts.ScriptTarget.ES2023, true)
  const constants = textConstants(source)
  const found: { method: string; path: string }[] = []
  const visit = (node: ts.Node): void => {
    const method = registration(node)
    if (method !== undefined && ts.isCallExpression(node)) {
      found.push({ method: method.toUpperCase(), path: pathOf(node.arguments[0], constants) })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** `get` of `app.get(…)`. */
function registration(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined
  const { expression, name } = node.expression
  return ts.isIdentifier(expression) && expression.text === 'app' && METHODS.has(name.text) ? name.text : undefined
}

function pathOf(argument: ts.Expression | undefined, constants: ReadonlyMap<string, string>): string {
  if (argument && ts.isStringLiteralLike(argument)) return argument.text
  const constant = argument && ts.isIdentifier(argument) ? constants.get(argument.text) : undefined
  if (constant !== undefined) return constant
  throw new Error(`The path of a route must be a text or a constant of the same file: ${argument?.getText()}`)
}

function textConstants(source: ts.SourceFile): Map<string, string> {
  const constants = new Map<string, string>()
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (ts.isIdentifier(name) && initializer && ts.isStringLiteralLike(initializer)) {
        constants.set(name.text, initializer.text)
      }
    }
  }
  return constants
}
