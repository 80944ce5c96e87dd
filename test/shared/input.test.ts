import * as v from 'valibot'
import { expect, test } from 'vitest'
import { AppError } from '../../shared/errors.ts'
import { checked } from '../../shared/input.ts'

const Schema = v.strictObject(
  { name: v.string('must be a text'), size: v.optional(v.number('must be a number')) },
  'must be a JSON object',
)

test('gives back what fits', () => {
  expect(checked(Schema, { name: 'a', size: 1 })).toEqual({ name: 'a', size: 1 })
})

test.each([
  ['no object', 'text', 'The body must be a JSON object'],
  ['null', null, 'The body must be a JSON object'],
  ['a missing field', {}, 'name is missing'],
  ['a wrong type', { name: 1 }, 'name must be a text'],
  ['an unknown field', { name: 'a', nmae: 'b' }, 'nmae is not a known field'],
  ['two mistakes at once', { name: 1, size: 'x' }, 'name must be a text; size must be a number'],
])('says in words what is wrong with %s', (_, value, detail) => {
  expect(() => checked(Schema, value)).toThrow(new AppError('invalid_request', detail))
})
