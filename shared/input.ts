import * as v from 'valibot'
import { AppError } from './errors.ts'

/**
 * Input that fits its schema, or `invalid_request` with one sentence for every field that does not. Messages in schemas
 * are written to follow the field's name: "must be a string".
 */
export function checked<const Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  throw new AppError('invalid_request', result.issues.map(sentence).join('; '))
}

function sentence(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue)
  if (field === null) return `The body ${issue.message}`
  if (issue.input === undefined) return `${field} is missing`
  const unknown = issue.type === 'strict_object' && issue.expected === 'never'
  return unknown ? `${field.slice(0, 64)} is not a known field` : `${field} ${issue.message}`
}
