import { readdirSync, readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { documented } from '../../docs/generator/catalogue.ts'
import { EDGE_ERRORS, openApi, unusedCodes } from '../../docs/generator/open-api.ts'
import { OPERATIONS } from '../../docs/generator/operations/index.ts'
import { answersOf } from './answers.ts'
import { DOCUMENT } from './open-api-schema.ts'

const api = openApi()
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
)

test('the document has the form that OpenAPI 3.1 prescribes', () => {
  const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(DOCUMENT)
  validate(api)
  expect(validate.errors ?? []).toEqual([])
})

test.each([
  ['an operation without answers', { responses: {} }],
  ['an operation without a name', { operationId: undefined }],
  ['a parameter at a place that is none', { parameters: [{ name: 'a', in: 'body', required: true, schema: {} }] }],
  ['a path parameter that may be left out', { parameters: [{ name: 'a', in: 'path', required: false, schema: {} }] }],
  ['a status that is none', { responses: { 99: { description: 'x' } } }],
  ['a field that OpenAPI does not know', { sumary: 'x' }],
])('%s would be noticed', (_what, change) => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(DOCUMENT)
  const [path, { get }] = Object.entries(api.paths).find(([, methods]) => methods.get) ?? ['', {}]
  const changed = JSON.parse(JSON.stringify({ ...api, paths: { [path]: { get: { ...get, ...change } } } }))
  expect(validate(changed)).toBe(false)
})

test('every schema is a valid one, and every reference leads somewhere', () => {
  const { faults } = answersOf(api)
  const schemas = schemasIn(api.paths)
  expect(schemas.length).toBeGreaterThan(operations.length)
  for (const schema of schemas) expect(() => faults(schema, {}), JSON.stringify(schema)).not.toThrow()
})

test.each([
  ['as described', {}, 0],
  ['with a field that nobody described', { secretKey: 'x' }, 1],
  ['without a field', { token: undefined }, 1],
  ['with a time that is none', { expiresAt: 'soon' }, 1],
])('an answer %s has so many faults', (_what, change, count) => {
  const session = { token: 'x', expiresAt: '2030-01-01T00:00:00.000Z', ...change }
  const schema = api.components.schemas.SessionCreated ?? {}
  expect(answersOf(api).faults(schema, JSON.parse(JSON.stringify(session)))).toHaveLength(count)
})

test('operations have names of their own', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test.each(operations)('$name declares every parameter of its path, and knows its security schemes', (one) => {
  const wanted = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const declared = (one.operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
  expect(declared.map(({ name }) => name)).toEqual(wanted)
  const schemes = one.operation.security.flatMap((scheme) => Object.keys(scheme))
  for (const scheme of schemes) expect(api.components.securitySchemes).toHaveProperty(scheme)
})

test('a route that nobody described is an error, and so is a description without a route', () => {
  const known = Object.entries(OPERATIONS).flatMap(([functionName, own]) =>
    Object.keys(own).map((key) => {
      const [method = '', path = ''] = key.split(' ')
      return { functionName, method, path }
    }),
  )
  expect(documented(known)).toHaveLength(known.length)
  const added = { functionName: 'videos', method: 'PUT', path: '/v1/videos/:id/cover' }
  expect(() => documented([...known, added])).toThrow('PUT /v1/videos/:id/cover is not described')
  expect(() => documented(known.slice(1))).toThrow('but it is described')
})

const described = Object.keys(OPERATIONS)

test.each(described)('every code that %s throws by itself is in the description of one of its routes', (name) => {
  const folder = new URL(`../../functions/${name}/`, import.meta.url)
  const text = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const thrown = [...text.join('\n').matchAll(/new AppError\(\s*'(\w+)'/g)].map(([, code]) => code)
  const declared = Object.values(OPERATIONS[name] ?? {}).flatMap(({ errors }) => errors)
  expect(thrown.filter((code) => ![...declared, ...EDGE_ERRORS].some((one) => one === code))).toEqual([])
})

test('a code that no route and no edge answers with is said to be unused', () => {
  const declared = Object.values(OPERATIONS).flatMap((own) => Object.values(own).flatMap(({ errors }) => errors))
  for (const code of declared) expect(unusedCodes(), code).not.toContain(code)
  expect(unusedCodes()).not.toContain('internal')
})

function schemasIn(part: unknown): object[] {
  if (typeof part !== 'object' || part === null) return []
  return Object.entries(part).flatMap(([name, value]) => (name === 'schema' ? [value] : schemasIn(value)))
}
