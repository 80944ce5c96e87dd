import { toJsonSchema } from '@valibot/to-json-schema'
import type { GenericSchema } from 'valibot'
import type { Schema } from './schema.ts'

/** What an action or a schema says when it refuses: "must be …". */
interface Spoken {
  readonly type: string
  readonly message?: unknown
  readonly requirement?: unknown
}

/**
 * The schema that a function checks a body with, for its readers. A refusal's sentence becomes the description; a field
 * that is refused until it is supported is left out. What JSON Schema has no word for throws.
 */
export function inputSchema(schema: GenericSchema): Schema {
  const converted = toJsonSchema(schema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    errorMode: 'throw',
    ignoreActions: ['trim', 'normalize'],
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const { message, requirement } = valibotAction as Spoken
      if (!(requirement instanceof RegExp)) return said(jsonSchema, message)
      const { pattern: _without, ...rest } = jsonSchema
      const json = { ...rest, ...portable(requirement) }
      return said(json, message) ?? json
    },
    overrideSchema: ({ valibotSchema, jsonSchema }) => described(jsonSchema, valibotSchema as Spoken),
  })
  const { $schema: _dialect, ...rest } = converted
  return withoutRefused(rest as Schema)
}

/** Of an object its fields say more than "must be a JSON object". */
function described<Json extends object>(json: Json, { type, message }: Spoken): Json | undefined {
  return type.endsWith('object') || type === 'never' ? undefined : said(json, message)
}

function said<Json extends object>(json: Json, message: unknown): Json | undefined {
  if (typeof message !== 'string') return undefined
  return { ...json, description: `${message.charAt(0).toUpperCase()}${message.slice(1)}.` }
}

/** JSON Schema patterns have no flags; they are Unicode ones. A dot that matches everything is a length. */
function portable({ source, flags }: RegExp): Schema {
  const length = /^\^\.\{(\d+),(\d+)\}\$$/.exec(source)
  if (flags.includes('s') && length) return { minLength: Number(length[1]), maxLength: Number(length[2]) }
  if (/[^u]/.test(flags)) throw new Error(`JSON Schema has no word for the flags of /${source}/${flags}`)
  return { pattern: source }
}

function withoutRefused(schema: Schema): Schema {
  const { properties } = schema as { properties?: Record<string, Schema> }
  if (!properties) return schema
  const kept = Object.entries(properties).filter(([, property]) => !('not' in property))
  return { ...schema, properties: Object.fromEntries(kept) }
}
