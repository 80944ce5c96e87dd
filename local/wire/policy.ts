import { BlockList, isIP } from 'node:net'

/** One access to be judged; `context` holds the condition keys that are known, such as `acs:SourceIp`. */
export interface PolicyRequest {
  readonly action: string
  /** `acs:service:region:account:path`; of these only the path may hold further colons. */
  readonly resource: string
  readonly context: Readonly<Record<string, string | undefined>>
}

/**
 * Whether a RAM policy (JSON text) lets a request pass: some statement allows it and none denies it.
 * What cannot be understood never widens access: an unreadable policy allows nothing, an unknown condition operator is
 * never met by an Allow and always met by a Deny.
 * https://help.aliyun.com/zh/ram/user-guide/policy-evaluation-process
 */
export function permits(policy: string, request: PolicyRequest): boolean {
  const statements = readStatements(policy)
  if (statements === undefined) return false
  const applies = (effect: Effect) => statements.some((one) => one.Effect === effect && matches(one, request, effect))
  return !applies('Deny') && applies('Allow')
}

/**
 * What the policy of a resource itself (JSON text) says about a caller. Statements that do not name the caller do not
 * count, and where a policy is silent it is for others to decide.
 */
export function verdict(
  policy: string,
  request: PolicyRequest,
  names: (principal: string) => boolean,
): 'allow' | 'deny' | 'silent' {
  const statements = (readStatements(policy) ?? []).filter((one) => listed(one, 'Principal', names))
  const applies = (effect: Effect) => statements.some((one) => one.Effect === effect && matches(one, request, effect))
  if (applies('Deny')) return 'deny'
  return applies('Allow') ? 'allow' : 'silent'
}

/** `*` for any run of characters and `?` for one. */
export function matchesGlob(pattern: string, text: string): boolean {
  return glob(pattern, text)
}

type Effect = 'Allow' | 'Deny'
type Json = Readonly<Record<string, unknown>>

function readStatements(policy: string): readonly Json[] | undefined {
  const document = parseJson(policy)
  if (!isObject(document)) return undefined
  const statements = asList(document.Statement)
  return statements.every(isObject) ? statements : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function matches(statement: Json, request: PolicyRequest, effect: Effect): boolean {
  return (
    listed(statement, 'Action', (pattern) => glob(pattern.toLowerCase(), request.action.toLowerCase())) &&
    listed(statement, 'Resource', (pattern) => matchesResource(pattern, request.resource)) &&
    matchesConditions(statement.Condition, request.context, effect)
  )
}

/** `Action` or `NotAction` (`Resource` or `NotResource`); a statement with neither applies to nothing. */
function listed(statement: Json, element: string, test: (pattern: string) => boolean): boolean {
  const wanted = statement[element]
  if (wanted !== undefined) return texts(wanted).some(test)
  const excluded = statement[`Not${element}`]
  return excluded !== undefined && !texts(excluded).some(test)
}

/**
 * Compares field by field: a `*` for the region or the account must not reach into the path, or a key that itself
 * contains `:bucket/key` would pass for another bucket's.
 */
function matchesResource(pattern: string, resource: string): boolean {
  if (pattern === '*') return true
  const wanted = splitResource(pattern)
  const actual = splitResource(resource)
  return wanted.length === actual.length && wanted.every((field, index) => glob(field, actual[index] ?? ''))
}

function splitResource(text: string): readonly string[] {
  const fields = text.split(':')
  return fields.length <= 5 ? fields : [...fields.slice(0, 4), fields.slice(4).join(':')]
}

/** `*` for any run of characters and `?` for one; walks back to the last `*` only, so it cannot explode. */
function glob(pattern: string, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let index = 0
  while (index < text.length) {
    if (at < pattern.length && pattern[at] !== '*' && (pattern[at] === '?' || pattern[at] === text[index])) {
      at++
      index++
    } else if (pattern[at] === '*') {
      star = at++
      resume = index
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

function matchesConditions(condition: unknown, context: PolicyRequest['context'], effect: Effect): boolean {
  if (condition === undefined) return true
  if (!isObject(condition)) return effect === 'Deny'
  return Object.entries(condition).every(([operator, keys]) => {
    const test = OPERATORS[operator]
    if (test === undefined || !isObject(keys)) return effect === 'Deny'
    return Object.entries(keys).every(([key, values]) => test(context[key], texts(values)))
  })
}

/** `actual` is undefined where the request has no such key. */
type Operator = (actual: string | undefined, wanted: readonly string[]) => boolean

const any =
  (test: (actual: string, wanted: string) => boolean): Operator =>
  (actual, wanted) =>
    actual !== undefined && wanted.some((one) => test(actual, one))

const none =
  (test: (actual: string, wanted: string) => boolean): Operator =>
  (actual, wanted) =>
    actual === undefined || !wanted.some((one) => test(actual, one))

const same = (actual: string, wanted: string) => actual === wanted
const sameIgnoringCase = (actual: string, wanted: string) => actual.toLowerCase() === wanted.toLowerCase()
const like = (actual: string, wanted: string) => glob(wanted, actual)
const number = (test: (a: number, b: number) => boolean) => any((a, b) => test(Number(a), Number(b)))
const date = (test: (a: number, b: number) => boolean) => any((a, b) => test(Date.parse(a), Date.parse(b)))

/** https://help.aliyun.com/zh/ram/user-guide/policy-elements#section-condition */
const OPERATORS: Readonly<Record<string, Operator | undefined>> = Object.assign(Object.create(null), {
  StringEquals: any(same),
  StringNotEquals: none(same),
  StringEqualsIgnoreCase: any(sameIgnoringCase),
  StringNotEqualsIgnoreCase: none(sameIgnoringCase),
  StringLike: any(like),
  StringNotLike: none(like),
  NumericEquals: number((a, b) => a === b),
  NumericLessThan: number((a, b) => a < b),
  NumericLessThanEquals: number((a, b) => a <= b),
  NumericGreaterThan: number((a, b) => a > b),
  NumericGreaterThanEquals: number((a, b) => a >= b),
  DateLessThan: date((a, b) => a < b),
  DateLessThanEquals: date((a, b) => a <= b),
  DateGreaterThan: date((a, b) => a > b),
  DateGreaterThanEquals: date((a, b) => a >= b),
  Bool: any(sameIgnoringCase),
  IpAddress: any(inNetwork),
  NotIpAddress: none(inNetwork),
} satisfies Record<string, Operator>)

function inNetwork(address: string, network: string): boolean {
  const [base = '', bits] = network.split('/')
  const family = isIP(base) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(address) === 0 || isIP(base) === 0) return false
  const longest = family === 'ipv6' ? 128 : 32
  const length = bits === undefined ? longest : Number(bits)
  if (!Number.isInteger(length) || length < 0 || length > longest) return false
  const list = new BlockList()
  list.addSubnet(base, length, family)
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function texts(value: unknown): readonly string[] {
  return asList(value).map(String)
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
