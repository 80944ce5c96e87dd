import { invalid } from './errors.ts'
import { INT64_MAX, INT64_MIN, type Value } from './values.ts'

/** Makes another value of a column's value before it is compared; nothing where that cannot be. */
export type Transfer = (value: Value) => Value | undefined

const MAX_REGEX_LENGTH = 256

/**
 * A regular expression whose first group, or the whole of what it finds, is taken out of a string and read as another
 * type. https://www.alibabacloud.com/help/en/tablestore/developer-reference/configure-filter
 */
export function parseTransfer(rule: { readonly regex: string; readonly castType?: number | undefined }): Transfer {
  if (rule.regex.length > MAX_REGEX_LENGTH) throw invalid(`Invalid regex: '${rule.regex}'.`)
  const expression = compile(rule.regex)
  const cast = CASTS[rule.castType ?? STRING]
  if (!cast) throw invalid(`Invalid cast type: ${rule.castType}.`)
  return (value) => {
    if (value.type !== 'STRING') return undefined
    const found = expression.exec(value.value)
    return found ? cast(found[1] ?? found[0]) : undefined
  }
}

const STRING = 3

const CASTS: Readonly<Record<number, (text: string) => Value | undefined>> = {
  0: (text) => {
    if (!/^[+-]?\d{1,19}$/.test(text)) return undefined
    const value = BigInt(text)
    return value >= INT64_MIN && value <= INT64_MAX ? { type: 'INTEGER', value } : undefined
  },
  1: (text) => {
    const value = Number(text)
    return text.trim() === '' || !Number.isFinite(value) ? undefined : { type: 'DOUBLE', value }
  },
  3: (text) => ({ type: 'STRING', value: text }),
  7: (text) => ({ type: 'BINARY', value: Buffer.from(text) }),
}

function compile(regex: string): RegExp {
  try {
    return new RegExp(regex, 'u')
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`Invalid regex: '${regex}'.`)
    throw error
  }
}
