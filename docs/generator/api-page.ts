import { AppError, ERROR_CODES } from '../../shared/errors.ts'
import { type ApiOperation, type ApiParameter, type OpenApi, unusedCodes } from './open-api.ts'
import { COMPONENTS, type Schema } from './schema.ts'
import { table } from './table.ts'

interface Entry {
  readonly method: string
  readonly path: string
  readonly operation: ApiOperation
}

/** `docs/api.md`: the OpenAPI document for people. */
export function apiPage(api: OpenApi): string {
  const entries = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  const sections = api.tags.map(({ name, description }) => {
    const own = entries.filter(({ operation }) => operation.tags.includes(name))
    return [`## ${description}`, `Function \`${name}\`.`.replace('Function `health`.', ''), ...own.map(section)]
      .filter((text) => text !== '')
      .join('\n\n')
  })
  const types = Object.entries(api.components.schemas).map(([name, schema]) => typeSection(name, schema))
  return `${[INTRODUCTION, overview(entries), ...sections, '## Types', ...types, errors()].join('\n\n')}\n`
}

const INTRODUCTION = `# HTTP API

<!-- Made by \`npm run docs\` out of the routes, the schemas they check their input with, and shared/api.ts. -->

The same as an OpenAPI 3.1 document: [openapi.json](openapi.json). Who signs what: [security.md](security.md).

- **Success** is \`{"data": …, "requestId": …}\`; a list has \`nextCursor\` too. **Failure** is \`application/problem+json\`
  (RFC 9457) with a stable [\`code\`](#errors). Every answer carries \`X-Request-Id\`, which leads to the log.
- Times are RFC 3339, durations end in \`Ms\`, sizes in \`Bytes\`. Ids are 16 letters and digits.
- A field that is not known is refused in a request, unless it says otherwise; in answers, new ones may appear.
- \`Idempotency-Key\`, where it is honoured: the same key and body within two days mean the same request. Another body
  under a used key is 409.
- A path that exists with another method is 405, with \`Allow\`. CORS is the gateway's business, not the functions'.`

function overview(entries: readonly Entry[]): string {
  const rows = entries.map(({ method, path, operation }) => [
    `[\`${method} ${path}\`](#${operation.operationId.toLowerCase()})`,
    operation.summary,
    signedBy(operation),
  ])
  return table(['request', 'what it does', 'who may'], rows)
}

function section({ method, path, operation }: Entry): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation
  const body = requestBody?.content['application/json']?.schema
  const parts = [
    `### ${operationId}`,
    `\`${method} ${path}\``,
    `${summary}. ${description ?? ''}`.trim(),
    `Who may: ${signedBy(operation)}.`,
    parameters.length > 0 ? table(['parameter', 'in', 'type', ''], parameters.map(parameterRow)) : '',
    body ? `Body:\n\n${fields(body)}` : '',
    answers(responses),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function signedBy({ security }: ApiOperation): string {
  const names: Record<string, string> = {
    session: 'a session',
    upload: 'the upload token',
    internal: 'our own functions',
  }
  const all = security.flatMap((one) => (Object.keys(one).length === 0 ? ['anybody'] : Object.keys(one)))
  return all.length === 0 ? 'anybody' : all.map((name) => names[name] ?? name).join(' or ')
}

function parameterRow({ name, in: place, required, schema, description = '' }: ApiParameter): string[] {
  return [`\`${name}\`${required ? '' : ' (optional)'}`, place, typeOf(schema), description]
}

function answers(responses: ApiOperation['responses']): string {
  const rows = Object.entries(responses)
    .filter(([status]) => status !== 'default')
    .map(([status, { description, content = {} }]) => {
      const [[mediaType, media] = []] = Object.entries(content)
      if (!mediaType || !media) return [status, '', description]
      return [status, Number(status) < 400 ? answerType(mediaType, media.schema) : codesOf(media.schema), description]
    })
  return table(['status', 'data or code', ''], rows)
}

function answerType(mediaType: string, schema: Schema): string {
  const { data } = (schema.properties ?? {}) as Record<string, Schema | undefined>
  return data ? typeOf(data) : `\`${mediaType}\``
}

function codesOf(schema: Schema): string {
  const [, { properties }] = schema.allOf as [Schema, { properties: { code: { enum: readonly string[] } } }]
  return properties.code.enum.map((code) => `[\`${code}\`](#errors)`).join(', ')
}

function typeSection(name: string, schema: Schema): string {
  const { description } = schema
  const parts = [`### ${name}`, typeof description === 'string' ? description : '']
  return [...parts, schema.type === 'object' ? fields(schema) : typeOf(schema)]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** The fields of an object; those of an object inside it follow with its name before theirs. */
function fields(schema: Schema): string {
  return table(['field', 'type', ''], fieldRows(schema, ''))
}

function fieldRows(schema: Schema, before: string): string[][] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, Schema>
    required?: readonly string[]
  }
  return Object.entries(properties).flatMap(([name, property]) => {
    const row = [
      `\`${before}${name}\`${required.includes(name) ? '' : ' (optional)'}`,
      typeOf(property),
      typeof property.description === 'string' ? property.description : '',
    ]
    return [row, ...fieldRows(innerObject(property), `${before}${name}${property.type === 'array' ? '[]' : ''}.`)]
  })
}

/** The object that a field is, may be, or is a list of. */
function innerObject(property: Schema): Schema {
  if (property.type === 'array') return innerObject(property.items as Schema)
  if ([property.type].flat().includes('object')) return property
  return {}
}

function typeOf(schema: Schema): string {
  const { $ref, type, items, anyOf } = schema
  if (typeof $ref === 'string') {
    const name = $ref.slice(COMPONENTS.length)
    return `[${name}](#${name.toLowerCase()})`
  }
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeOf(one as Schema)).join(' or ')
  if ('const' in schema) return `\`${JSON.stringify(schema.const)}\``
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ')
  if (type === 'array') return `list of ${typeOf(items as Schema)}`
  return `${[type].flat().join(' or ')}${limits(schema)}`
}

function limits(schema: Schema): string {
  const { format, pattern, minimum, maximum, minLength, maxLength, default: usual } = schema
  const said = [
    typeof format === 'string' ? format : '',
    typeof pattern === 'string' ? `\`${pattern.replaceAll('|', '\\|')}\`` : '',
    minLength === undefined ? '' : `at least ${minLength} characters`,
    maxLength === undefined ? '' : `at most ${maxLength} characters`,
    minimum === undefined ? '' : `from ${minimum}`,
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `to ${maximum}`,
    usual === undefined ? '' : `usually ${usual}`,
  ].filter((text) => text !== '')
  return said.length === 0 ? '' : `, ${said.join(' ')}`
}

function errors(): string {
  const unused: readonly string[] = unusedCodes()
  const rows = ERROR_CODES.map((code) => {
    const { status, title } = new AppError(code, '')
    return [`\`${code}\``, String(status), unused.includes(code) ? `${title} (not used yet)` : title]
  })
  return `## Errors\n\nA code is added, never renamed.\n\n${table(['code', 'status', 'meaning'], rows)}`
}
