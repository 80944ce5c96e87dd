import { OssError } from '../errors.ts'

/**
 * What a form may contain, as its policy says it.
 * https://help.aliyun.com/zh/oss/developer-reference/postobject, appendix "Post Policy"
 */
export interface PostPolicy {
  readonly expiresAt: number
  readonly conditions: readonly Condition[]
}

/** Sizes of the file that are allowed, both ends included. */
export interface SizeRange {
  readonly min: number
  readonly max: number
}

type Condition = FieldCondition | ({ readonly kind: 'content-length-range' } & SizeRange)

interface FieldCondition {
  readonly kind: 'eq' | 'starts-with' | 'in' | 'not-in'
  /** In lower case, without `$`. */
  readonly field: string
  readonly values: readonly string[]
  /** As it is quoted in a refusal. */
  readonly text: string
}

/** Reads a policy from its base64; the numbers are those of the error pages, such as /oss/support/0006-00000204. */
export function parsePolicy(encoded: string): PostPolicy {
  const document = readJson(encoded)
  const names = Object.keys(document)
  const unknown = names.find((name) => name !== 'expiration' && name !== 'conditions')
  if (unknown !== undefined) throw invalid('0006-00000206', `Unexpected: '${unknown.slice(0, 64)}'.`)
  if (names.length === 0) throw invalid('0006-00000209', 'Policy missing expiration and conditions.')
  if (!names.includes('conditions')) throw invalid('0006-00000207', 'Policy missing conditions.')
  if (!names.includes('expiration')) throw invalid('0006-00000208', 'Policy missing expiration.')
  return { expiresAt: readExpiration(document.expiration), conditions: readConditions(document.conditions) }
}

function readJson(encoded: string): Record<string, unknown> {
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) {
    throw invalid('0006-00000201', 'Invalid base64 encoding.')
  }
  try {
    const document: unknown = JSON.parse(bytes.toString())
    if (isObject(document)) return document
  } catch {}
  throw invalid('0006-00000204', 'Invalid JSON.')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readExpiration(value: unknown): number {
  if (typeof value !== 'string') throw invalid('0006-00000210', "Invalid 'expiration' value.")
  const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value)
  const at = iso ? Date.parse(value) : Number.NaN
  if (Number.isNaN(at)) throw invalid('0006-00000211', `Invalid 'expiration' value: '${value.slice(0, 64)}'.`)
  return at
}

function readConditions(value: unknown): readonly Condition[] {
  if (!Array.isArray(value)) throw invalid('0006-00000214', "Invalid 'conditions' value: must be a List.")
  if (value.length === 0) throw invalid('0006-00000215', "Invalid 'conditions' value: must not be an empty List.")
  return value.flatMap((item: unknown) => {
    if (Array.isArray(item)) return [readList(item)]
    if (isObject(item)) return [readSimple(item)]
    throw invalid('0006-00000222', 'Invalid Condition: must be a Map or a List.')
  })
}

/** `{"bucket": "name"}`. */
function readSimple(item: Record<string, unknown>): Condition {
  const [[field, value] = [], ...others] = Object.entries(item)
  if (field === undefined || others.length > 0) {
    const message = 'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.'
    throw invalid('', message)
  }
  if (typeof value !== 'string') throw invalid('0006-00000224', 'Invalid Simple-Condition: value must be a string.')
  return { kind: 'eq', field: field.toLowerCase(), values: [value], text: quote(['eq', `$${field}`, value]) }
}

/** `["eq", "$key", "value"]` and its kin. */
function readList(item: readonly unknown[]): Condition {
  const [mode, ...operands] = item
  const kind = typeof mode === 'string' ? mode.toLowerCase() : undefined
  if (kind === 'content-length-range') return readRange(operands)
  if (kind !== 'eq' && kind !== 'starts-with' && kind !== 'in' && kind !== 'not-in') {
    throw invalid('0006-00000216', `Invalid Condition: unknown matching mode in ${quote(item)}.`)
  }
  const [field, value] = operands
  if (operands.length !== 2)
    throw invalid('0006-00000218', `Invalid Condition: wrong number of values in ${quote(item)}.`)
  const values = kind === 'eq' || kind === 'starts-with' ? [value] : value
  const typed = Array.isArray(values) && values.every((one): one is string => typeof one === 'string')
  if (typeof field !== 'string' || !field.startsWith('$') || !typed) {
    throw invalid('0006-00000224', `Invalid Condition: wrong type of value in ${quote(item)}.`)
  }
  return { kind, field: field.slice(1).toLowerCase(), values, text: quote(item) }
}

function readRange(operands: readonly unknown[]): Condition {
  const [min, max] = operands
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
  if (operands.length !== 2) throw invalid('0006-00000218', 'Invalid Condition: content-length-range has two values.')
  if (!whole(min)) throw invalid('0006-00000223', 'Invalid Condition: content-length-range must be two integers.')
  if (!whole(max)) throw invalid('0006-00000221', 'Invalid Condition: content-length-range must be two integers.')
  if (max < min) throw invalid('0006-00000219', 'Invalid Condition: content-length-range must not be empty.')
  return { kind: 'content-length-range', min, max }
}

function invalid(exactCode: string, reason: string): OssError {
  return new OssError('InvalidPolicyDocument', exactCode ? { EC: exactCode } : {}, `Invalid Policy: ${reason}`)
}

/** JSON with a blank behind each comma, as refusals quote conditions. */
function quote(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(quote).join(', ')}]` : (JSON.stringify(value) ?? 'null')
}

/** Refuses a form that is too late or does not meet a condition; gives the sizes that its file may have. */
export function checkPolicy(policy: PostPolicy, field: (name: string) => string | undefined, now: number): SizeRange {
  if (now > policy.expiresAt) {
    throw new OssError('AccessDenied', { EC: '0006-00000213' }, 'Invalid according to Policy: Policy expired.')
  }
  let range: SizeRange = { min: 0, max: Number.POSITIVE_INFINITY }
  for (const condition of policy.conditions) {
    if (condition.kind === 'content-length-range') {
      range = { min: Math.max(range.min, condition.min), max: Math.min(range.max, condition.max) }
    } else if (!holds(condition, field(condition.field))) {
      throw failedCondition(condition.text)
    }
  }
  return range
}

function holds({ kind, values }: FieldCondition, given: string | undefined): boolean {
  const value = given ?? ''
  if (kind === 'starts-with') return values.some((prefix) => value.startsWith(prefix))
  if (kind === 'not-in') return !values.includes(value)
  return given !== undefined && values.includes(value)
}

/** Whether the policy fixes a field to this value, as version 4 wants it for what the signature is made from. */
export function fixes(policy: PostPolicy, field: string, value: string): boolean {
  const fixed = (condition: Condition) =>
    condition.kind === 'eq' && condition.field === field && condition.values[0] === value
  return policy.conditions.some(fixed)
}

/** A field does not meet its condition. */
export function failedCondition(condition: string): OssError {
  return new OssError('AccessDenied', {}, `Invalid according to Policy: Policy Condition failed: ${condition}`)
}
