import { expect, test } from 'vitest'
import { hashPassword, verifyPassword } from '../../../shared/auth/password.ts'

const cheap = { logN: 4, r: 8, p: 1 }

test('a password matches its own hash only', async () => {
  const stored = await hashPassword('correct horse', cheap)
  expect(await verifyPassword('correct horse', stored)).toBe(true)
  expect(await verifyPassword('correct horsf', stored)).toBe(false)
  expect(await verifyPassword('', stored)).toBe(false)
})

test('two hashes of one password differ, and name their cost', async () => {
  const [one, two] = await Promise.all([hashPassword('x', cheap), hashPassword('x', cheap)])
  expect(one).not.toBe(two)
  expect(one).toMatch(/^scrypt\$4\$8\$1\$/)
})

test('a hash of another cost stays valid after the default has changed', async () => {
  const stored = await hashPassword('x', { logN: 5, r: 4, p: 2 })
  expect(await verifyPassword('x', stored, cheap)).toBe(true)
})

test('the default cost is the published recommendation', async () => {
  expect(await hashPassword('x')).toMatch(/^scrypt\$15\$8\$3\$/)
})

test('composed and decomposed letters are the same password', async () => {
  const stored = await hashPassword('caf\u00e9', cheap)
  expect(await verifyPassword('cafe\u0301', stored)).toBe(true)
})

test('an account that does not exist has no password', async () => {
  expect(await verifyPassword('x', undefined, cheap)).toBe(false)
})

test.each(['', 'x', 'scrypt$4$8$1$salt$hash'])('a stored value %j is an error, not a mismatch', async (stored) => {
  await expect(verifyPassword('x', stored)).rejects.toThrow('expected scrypt')
})
