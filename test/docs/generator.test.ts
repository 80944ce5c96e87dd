import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { openPath } from '../../docs/generator/catalogue.ts'
import { inputSchema } from '../../docs/generator/inputs.ts'
import { routesIn } from '../../docs/generator/routes.ts'
import { typesOf } from '../../docs/generator/types.ts'

describe('types of answers', () => {
  test.each([
    ['a?: string', { type: 'object', properties: { a: { type: 'string' } } }],
    ['readonly a: number', { properties: { a: { type: 'number' } }, required: ['a'] }],
    ['doneAt: string', { properties: { doneAt: { type: 'string', format: 'date-time' } } }],
    ['playUrl: string', { properties: { playUrl: { type: 'string', format: 'uri' } } }],
    ['sizeBytes: number', { properties: { sizeBytes: { type: 'integer', minimum: 0 } } }],
    ['a: string | null', { properties: { a: { type: ['string', 'null'] } } }],
    ["a: 'x' | 'y'", { properties: { a: { type: 'string', enum: ['x', 'y'] } } }],
    ['a: null', { properties: { a: { type: 'null' } } }],
    ['a: false', { properties: { a: { type: 'boolean', const: false } } }],
    ['a: readonly Other[]', { properties: { a: { type: 'array', items: { $ref: '#/components/schemas/Other' } } } }],
    ['\n/** Why. */\na: string', { properties: { a: { type: 'string', description: 'Why.' } } }],
  ])('%s', (member, wanted) => {
    const types = typesOf(`interface Other { b: string }\ninterface One { ${member} }`)
    expect(types.schema('One')).toMatchObject(wanted)
  })

  test('have the fields of what they extend first', () => {
    const types = typesOf('interface A { a: string }\ninterface B extends A { b: string }')
    expect(Object.keys(types.schema('B').properties as object)).toEqual(['a', 'b'])
  })

  test.each([
    ['a type that is not there', 'interface A { a: B }'],
    ['a function', 'interface A { a(): void }'],
    ['a generic type', 'interface B<T> { t: T }\ninterface A { a: B<string> }'],
    ['anything', 'interface A { a: unknown }'],
  ])('%s is an error and not a guess', (_what, text) => {
    expect(() => typesOf(text).schema('A')).toThrow('shared/api.ts')
  })
})

describe('bodies of requests', () => {
  test('keep their limits, and say them as the refusal does', () => {
    const schema = v.strictObject({
      name: v.pipe(v.string(), v.trim(), v.regex(/^\p{L}+$/u, 'must be letters')),
      count: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1, 'must be at least 1'))),
    })
    expect(inputSchema(schema)).toMatchObject({
      properties: {
        name: { type: 'string', pattern: '^\\p{L}+$', description: 'Must be letters.' },
        count: { type: 'integer', minimum: 1, description: 'Must be at least 1.' },
      },
      required: ['name'],
      additionalProperties: false,
    })
  })

  test('do not show a field that is refused until it is supported', () => {
    const schema = v.strictObject({ a: v.string(), later: v.optional(v.never('is not supported yet')) })
    expect(Object.keys(inputSchema(schema).properties as object)).toEqual(['a'])
  })

  test('count characters where a pattern does nothing else', () => {
    const field = inputSchema(v.object({ a: v.pipe(v.string(), v.regex(/^.{8,128}$/su)) })).properties
    expect(field).toEqual({ a: { type: 'string', minLength: 8, maxLength: 128 } })
  })

  test.each([
    ['a pattern that ignores case', v.object({ a: v.pipe(v.string(), v.regex(/^x$/i)) })],
    [
      'a check in code',
      v.object({
        a: v.pipe(
          v.string(),
          v.check((text) => text !== 'x'),
        ),
      }),
    ],
  ])('%s is an error and not left out', (_what, schema) => {
    expect(() => inputSchema(schema)).toThrow()
  })
})

describe('routes', () => {
  test('are found whether their path is written there or is a constant', () => {
    const text = "const P = '/a/:b'\nexport const onRequest = routes((app) => { app.get(P, f); app.post('/c', f) })"
    expect(routesIn(text)).toEqual([
      { method: 'GET', path: '/a/:b' },
      { method: 'POST', path: '/c' },
    ])
  })

  test('whose path is computed are an error', () => {
    expect(() => routesIn('routes((app) => app.get(path(), f))')).toThrow('path()')
  })

  test.each([
    ['/v1/videos', '/v1/videos', []],
    ['/v1/videos/:id', '/v1/videos/{id}', [{ name: 'id' }]],
    ['/p/:file{[0-9]+\\.ts}', '/p/{file}', [{ name: 'file', pattern: '^[0-9]+\\.ts$' }]],
  ])('%s is %s', (path, wanted, parameters) => {
    expect(openPath(path)).toEqual({ path: wanted, parameters })
  })
})
