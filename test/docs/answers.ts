import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { OpenApi } from '../../docs/generator/open-api.ts'

type Json = { readonly [name: string]: unknown }

/** Checks values against schemas of the document. */
export interface Answers {
  /** What is wrong with a value; nothing when it fits. */
  faults(schema: object, value: unknown): string[]
}

/**
 * Like a client would read the document, with one difference: an object may have no field that is not described, or a
 * field that leaks would go unnoticed.
 */
export function answersOf(api: OpenApi): Answers {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false, allErrors: true })
  ajv.addFormat('date-time', (text: string) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text))
  ajv.addFormat('uri', (text: string) => URL.canParse(text))
  const named = Object.entries(api.components.schemas).map(([name, schema]) => [name, closed(schema)])
  const compiled = new Map<object, ValidateFunction>()
  const validatorOf = (schema: object): ValidateFunction => {
    const known = compiled.get(schema) ?? ajv.compile({ ...(closed(schema) as Json), $defs: Object.fromEntries(named) })
    compiled.set(schema, known)
    return known
  }
  return {
    faults(schema, value) {
      const validate = validatorOf(schema)
      validate(value)
      return (validate.errors ?? []).map(({ instancePath, message, params }) =>
        [instancePath, message, JSON.stringify(params)].join(' '),
      )
    },
  }
}

/** References point into this schema, and objects are as large as they are described. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed)
  if (typeof part !== 'object' || part === null) return part
  const { allOf, ...rest } = part as Json
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, name === '$ref' ? inner(value) : closed(value)]),
  )
  // What is put together of several parts is closed as a whole by its first one.
  if (Array.isArray(allOf)) return { ...copy, allOf: [closed(allOf[0]), ...allOf.slice(1)] }
  return copy.type === 'object' && copy.properties ? { ...copy, additionalProperties: false } : copy
}

function inner(reference: unknown): string {
  return String(reference).replace('#/components/schemas/', '#/$defs/')
}
