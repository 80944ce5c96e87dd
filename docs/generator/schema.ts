/** A JSON Schema of draft 2020-12, the dialect of OpenAPI 3.1. */
export type Schema = { readonly [keyword: string]: unknown }

/** Where OpenAPI keeps the schemas that have a name. */
export const COMPONENTS = '#/components/schemas/'

/** A reference to a named schema. */
export function ref(name: string): Schema {
  return { $ref: `${COMPONENTS}${name}` }
}

/** An object whose properties are all required, unless they are listed as optional. */
export function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
}
