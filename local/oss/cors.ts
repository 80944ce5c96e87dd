import { OssError } from './errors.ts'
import type { CorsRule } from './records.ts'
import type { OssRequest } from './request.ts'

/** Header names and values. */
export type Headers = readonly (readonly [name: string, value: string])[]

/** Headers that let a page of another origin read an answer; none when no rule matches. */
export function corsHeaders(rules: readonly CorsRule[], request: OssRequest): Headers {
  const origin = request.header('origin')
  if (origin === undefined) return []
  const rule = rules.find((one) => allows(one, origin, request.method))
  return rule ? describe(rule, origin) : []
}

/** Answer to a preflight request; throws where no rule allows what is announced. */
export function preflightHeaders(rules: readonly CorsRule[], request: OssRequest): Headers {
  const origin = request.header('origin')
  const method = request.header('access-control-request-method')
  if (origin === undefined || method === undefined) {
    throw new OssError('InvalidRequest', {}, 'Insufficient information. Origin request header needed.')
  }
  const asked = (request.header('access-control-request-headers') ?? '').split(',').map((name) => name.trim())
  const names = asked.filter((name) => name !== '')
  const rule = rules.find((one) => allows(one, origin, method) && names.every((name) => allowsHeader(one, name)))
  if (rule === undefined) throw new OssError('AccessForbidden', { Method: method, ResourceType: 'OBJECT' })
  const headers: Headers = names.length === 0 ? [] : [['Access-Control-Allow-Headers', names.join(', ')]]
  return [...describe(rule, origin), ...headers]
}

function describe(rule: CorsRule, origin: string): Headers {
  const everyone = rule.allowedOrigins.includes('*')
  const expose = rule.exposeHeaders ?? []
  return [
    ['Access-Control-Allow-Origin', everyone ? '*' : origin],
    ['Access-Control-Allow-Methods', rule.allowedMethods.join(', ')],
    ...(expose.length === 0 ? [] : [['Access-Control-Expose-Headers', expose.join(', ')] as const]),
    ...(rule.maxAgeSeconds === undefined ? [] : [['Access-Control-Max-Age', String(rule.maxAgeSeconds)] as const]),
    ...(everyone ? [] : [['Vary', 'Origin'] as const]),
  ]
}

function allows(rule: CorsRule, origin: string, method: string): boolean {
  // HEAD is not among the methods that a rule can name on some clients; the service lets GET stand for it.
  const wanted = method === 'HEAD' && !rule.allowedMethods.includes('HEAD') ? 'GET' : method
  return rule.allowedMethods.includes(wanted) && rule.allowedOrigins.some((pattern) => wildcard(pattern, origin))
}

function allowsHeader(rule: CorsRule, name: string): boolean {
  return (rule.allowedHeaders ?? []).some((pattern) => wildcard(pattern.toLowerCase(), name.toLowerCase()))
}

/** At most one `*`, which is checked when rules are stored. */
function wildcard(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const tail = pattern.slice(star + 1)
  return text.length >= pattern.length - 1 && text.startsWith(pattern.slice(0, star)) && text.endsWith(tail)
}
