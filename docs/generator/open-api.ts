import { AppError, ERROR_CODES, type ErrorCode } from '../../shared/errors.ts'
import { type Documented, documented, healthChecked, type PathParameter } from './catalogue.ts'
import { inputSchema } from './inputs.ts'
import type { Scheme, Success } from './operation.ts'
import { COMPONENTS, object, ref, type Schema } from './schema.ts'
import { type ApiTypes, apiTypes } from './types.ts'

/** Any part of the document. */
type Json = { readonly [name: string]: unknown }

export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: Json
  readonly servers: readonly Json[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly securitySchemes: Json }
}

export interface ApiOperation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly security: readonly Json[]
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, ApiResponse>>
}

export interface ApiParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: Schema
}

export interface ApiResponse {
  readonly description: string
  readonly headers?: Json
  readonly content?: Content
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

const TAGS: Readonly<Record<string, string>> = {
  videos: 'Accounts, sessions, and the videos of whoever is signed in',
  'sts-token': 'Who may upload what',
  'upload-notify': 'A running upload',
  'play-redirect': 'What a viewer fetches; each of these answers HEAD too',
  heartbeat: 'Where viewers are, and what they have watched',
  'mps-callback': 'What our own functions tell each other',
  health: 'Whether a function answers',
}

/** A viewer's id is an ordinary parameter: it proves nothing. */
const SECURITY: Readonly<Record<Exclude<Scheme, 'viewer'>, Json>> = {
  session: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The token of `POST /v1/sessions`, good for seven days.',
  },
  upload: {
    type: 'http',
    scheme: 'Upload',
    description: 'The `uploadToken` of `POST /v1/uploads`: opens that upload only.',
  },
  internal: {
    type: 'apiKey',
    in: 'query',
    name: 'sign',
    description: 'HMAC-SHA256 over the sorted query and the body under the key of the route.',
  },
}

/** What any request can meet: of the adapter, of the router, and of the services behind a function. */
export const EDGE_ERRORS: readonly ErrorCode[] = [
  'invalid_request',
  'not_found',
  'method_not_allowed',
  'too_large',
  'internal',
  'upstream_failed',
  'upstream_busy',
]

/** Whoever has to say who they are may be told that they did not. */
const AUTH_ERRORS: Readonly<Record<Scheme, readonly ErrorCode[]>> = {
  session: ['unauthenticated', 'token_expired'],
  upload: ['unauthenticated', 'token_expired'],
  internal: [],
  viewer: [],
}

/** The API as an OpenAPI 3.1 document, made of routes, input schemas and answer types. */
export function openApi(): OpenApi {
  const operations = documented()
  const used = [...new Set(operations.map(({ functionName }) => functionName)), 'health']
  const paths: Record<string, Record<string, ApiOperation>> = {}
  for (const one of operations) paths[one.path] = { ...paths[one.path], [one.method.toLowerCase()]: operationOf(one) }
  paths['/healthz/{function}'] = { get: healthOperation() }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Yunbo',
      version: '0.1.0',
      summary: 'A video cloud for your own Alibaba Cloud account',
      description:
        'JSON in camelCase. Times are RFC 3339, durations end in `Ms`, sizes in `Bytes`. Every answer has the header `X-Request-Id`. Errors are problem details of RFC 9457 with a stable `code`; codes are added, never renamed. New fields may appear in answers.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: 'https://{domain}', description: 'A deployment', variables: { domain: { default: 'video.example.com' } } },
      { url: 'http://localhost:9000', description: 'The local cloud' },
    ],
    tags: used.map((name) => ({ name, description: tagOf(name) })),
    paths,
    components: { schemas: schemasUsedBy(paths, apiTypes()), securitySchemes: SECURITY },
  }
}

function tagOf(name: string): string {
  const description = TAGS[name]
  if (description === undefined)
    throw new Error(`The function ${name} has no description in docs/generator/open-api.ts`)
  return description
}

function operationOf({ functionName, path, parameters, operation }: Documented): ApiOperation {
  const { id, summary, description, auth = [], body, success } = operation
  const errors = [...auth.flatMap((scheme) => AUTH_ERRORS[scheme]), ...operation.errors]
  const all = [...parameters.map((one) => pathParameter(one, path)), ...otherParameters(operation)]
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [functionName],
    security: auth.map((scheme) => (scheme === 'viewer' ? {} : { [scheme]: [] })),
    ...(all.length > 0 ? { parameters: all } : {}),
    ...(body ? { requestBody: { required: true, content: json(inputSchema(body)) } } : {}),
    responses: { ...Object.fromEntries(success.map(answerOf)), ...problemsOf(errors) },
  }
}

const ID = '^[A-Za-z0-9]{16}$'
const PATH_PARAMETERS: Readonly<Record<string, { readonly description: string; readonly pattern?: string }>> = {
  playbackId: { description: 'Public id of a playback.', pattern: ID },
  rendition: { description: 'Name of a rendition, such as `720p`; the sound is `audio`.' },
  file: { description: 'Number of the segment, counted from 0, and `.ts`.' },
}

function pathParameter({ name, pattern }: PathParameter, path: string): ApiParameter {
  const [, kind] = /\/(\w+?)s?\/\{id\}/.exec(path) ?? []
  const known = name === 'id' ? { description: `Id of the ${kind}.`, pattern: ID } : PATH_PARAMETERS[name]
  if (!known) throw new Error(`The parameter {${name}} of ${path} has no description in docs/generator/open-api.ts`)
  const wanted = pattern ?? known.pattern
  return {
    name,
    in: 'path',
    required: true,
    description: known.description,
    schema: { type: 'string', ...(wanted === undefined ? {} : { pattern: wanted }) },
  }
}

function otherParameters({ query = {}, idempotent }: Documented['operation']): ApiParameter[] {
  const inQuery = Object.entries(query).map(([name, { description, schema, required = false }]) => {
    return { name, in: 'query', required, description, schema } as const
  })
  return idempotent ? [...inQuery, IDEMPOTENCY_KEY] : inQuery
}

const IDEMPOTENCY_KEY: ApiParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key and body within two days mean the same request.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
}

function answerOf(success: Success): [string, ApiResponse] {
  const { status, description } = success
  if ('data' in success) return [String(status), { description, content: json(envelope(success.data, success.list)) }]
  if ('inline' in success) return [String(status), { description, content: json(enveloped(success.inline)) }]
  if ('mediaType' in success) {
    return [String(status), { description, content: { [success.mediaType]: { schema: { type: 'string' } } } }]
  }
  const headers = { Location: { required: true, schema: { type: 'string', format: 'uri' } } }
  return [String(status), { description, ...(status === 302 ? { headers } : {}) }]
}

function json(schema: Schema): Content {
  return { 'application/json': { schema } }
}

function envelope(name: string, list: true | undefined): Schema {
  if (!list) return enveloped(ref(name))
  const nextCursor = { type: ['string', 'null'], description: 'Where the next page begins; null after the last one.' }
  return object({ data: { type: 'array', items: ref(name) }, nextCursor, requestId: REQUEST_ID })
}

const REQUEST_ID = { type: 'string', description: 'Leads to the log.' }

function enveloped(data: Schema): Schema {
  return object({ data, requestId: REQUEST_ID })
}

/** One response for each status, with the codes it may carry; `default` stands for what any request can meet. */
function problemsOf(codes: readonly ErrorCode[]): Record<string, ApiResponse> {
  const statuses = [...new Set(codes.map(statusOf))].sort((a, b) => a - b)
  const own = statuses.map((status) => [status, problem(codes.filter((code) => statusOf(code) === status))] as const)
  return { ...Object.fromEntries(own), default: EDGE }
}

const EDGE = problem(EDGE_ERRORS, 'What any request can meet')

function problem(codes: readonly ErrorCode[], description?: string): ApiResponse {
  const unique = [...new Set(codes)]
  const schema = { allOf: [ref('Problem'), { type: 'object', properties: { code: { enum: unique } } }] }
  const said = description ?? unique.map(titleOf).join('; ')
  return { description: said, content: { 'application/problem+json': { schema } } }
}

/** Codes of the catalogue that nothing answers with yet; they keep their meaning until something does. */
export function unusedCodes(): ErrorCode[] {
  const used = documented().flatMap(({ operation: { auth = [], errors } }) => [
    ...auth.flatMap((scheme) => AUTH_ERRORS[scheme]),
    ...errors,
  ])
  return ERROR_CODES.filter((code) => !used.includes(code) && !EDGE_ERRORS.includes(code))
}

function statusOf(code: ErrorCode): number {
  return new AppError(code, '').status
}

function titleOf(code: ErrorCode): string {
  return new AppError(code, '').title
}

function healthOperation(): ApiOperation {
  const schema = { type: 'string', enum: healthChecked() }
  return {
    operationId: 'getHealth',
    summary: 'Whether a function answers',
    tags: ['health'],
    security: [],
    parameters: [{ name: 'function', in: 'path', required: true, description: 'Name of the function.', schema }],
    responses: {
      200: { description: 'It does', content: json(enveloped(object({ status: { const: 'ok' } }))) },
      default: EDGE,
    },
  }
}

/** The named schemas that are reached from the operations, directly or through each other, in order of their names. */
function schemasUsedBy(paths: Json, types: ApiTypes): Record<string, Schema> {
  const schemas = new Map<string, Schema>()
  const collect = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return
    for (const [name, value] of Object.entries(part)) {
      if (name === '$ref' && typeof value === 'string') add(value.slice(COMPONENTS.length))
      else collect(value)
    }
  }
  const add = (name: string): void => {
    if (schemas.has(name)) return
    const schema = types.schema(name)
    schemas.set(name, schema)
    collect(schema)
  }
  collect(paths)
  return Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
}
