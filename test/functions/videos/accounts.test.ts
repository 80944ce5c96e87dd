import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { onRequest } from '../../../functions/videos/route.ts'
import { newWorld } from './world.ts'

const ann = { username: 'ann', password: 'correct horse' }

describe('signing up', () => {
  test.each([['ann'], ['Ann_1.x-y'], ['王小明'], ['ひらがな'], ['한국어이름'], ['a'.repeat(64)]])(
    'takes the name %s',
    async (username) => {
      const { post } = newWorld()
      const { status, data } = await post('/v1/accounts', { ...ann, username })
      expect(status).toBe(201)
      expect(data).toEqual({ accountId: 'account1', username })
    },
  )

  test.each([
    ['a short name', { username: 'ab' }, /^username must be 3 to 64/],
    ['a long name', { username: 'a'.repeat(65) }, /^username/],
    ['a blank in a name', { username: 'ann b' }, /^username/],
    ['markup in a name', { username: '<ann>' }, /^username/],
    ['a name that is no text', { username: 5 }, /^username/],
    ['no name', { username: undefined }, /^username is missing$/],
    ['a short password', { password: '1234567' }, /^password must be a text of 8 to 128/],
    ['a long password', { password: 'x'.repeat(129) }, /^password/],
    ['no password', { password: undefined }, /^password is missing$/],
    ['an unknown field', { role: 'admin' }, /^role is not a known field$/],
  ])('refuses %s by name', async (_, part, message) => {
    const { post, tables } = newWorld()
    const refusal = { code: 'invalid_request', message: expect.stringMatching(message) }
    await expect(post('/v1/accounts', { ...ann, ...part })).rejects.toMatchObject(refusal)
    expect(tables.rows('accounts')).toEqual([])
  })

  test('with a name that differs only in case is refused', async () => {
    const { post } = newWorld()
    await post('/v1/accounts', ann)
    await expect(post('/v1/accounts', { ...ann, username: 'ANN' })).rejects.toMatchObject({ code: 'username_taken' })
  })

  test('again with an Idempotency-Key finds the account of the first try, at once or later', async () => {
    const { post, tables } = newWorld()
    const key = { 'idempotency-key': 'k' }
    const answers = await Promise.all([1, 2, 3].map(() => post('/v1/accounts', ann, key)))
    expect(await post('/v1/accounts', ann, key)).toEqual(answers[0])
    expect(new Set(answers.map(({ data }) => data.accountId)).size).toBe(1)
    expect(tables.rows('accounts')).toHaveLength(1)
  })

  test.each([
    ['password', { password: 'another password' }],
    ['name', { username: 'bob' }],
  ])('with an Idempotency-Key that was used with another %s is refused', async (_, part) => {
    const { post, tables } = newWorld()
    const key = { 'idempotency-key': 'k' }
    await post('/v1/accounts', ann, key)
    await expect(post('/v1/accounts', { ...ann, ...part }, key)).rejects.toMatchObject({ code: 'idempotency_conflict' })
    expect(tables.rows('accounts')).toHaveLength(1)
  })

  test('with an Idempotency-Key of one’s own does not find the account of somebody else', async () => {
    const { post } = newWorld()
    await post('/v1/accounts', ann, { 'idempotency-key': 'k' })
    const again = post('/v1/accounts', ann, { 'idempotency-key': 'l' })
    await expect(again).rejects.toMatchObject({ code: 'username_taken' })
  })

  test('keeps no fast hash of the password', async () => {
    const { post, tables } = newWorld()
    await post('/v1/accounts', ann, { 'idempotency-key': 'k' })
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
    const [row] = tables.rows('idempotency')
    expect(row?.body_sha256).toBe(sha256(ann.username))
  })

  test('with an Idempotency-Key that is not one is refused', async () => {
    const refused = newWorld().post('/v1/accounts', ann, { 'idempotency-key': 'a b' })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('is refused where it is switched off', async () => {
    const { deps } = newWorld()
    const request = new Request('http://api/v1/accounts', { method: 'POST', body: JSON.stringify(ann) })
    await expect(onRequest(request, { ...deps, signup: 'closed' })).rejects.toMatchObject({ code: 'signup_closed' })
  })

  test('never stores the password', async () => {
    const { post, tables } = newWorld()
    await post('/v1/accounts', ann)
    expect(tables.rows('accounts')).toMatchObject([{ password_hash: 'hash-of-correct horse' }])
  })
})

describe('signing in', () => {
  test('opens a session', async () => {
    const { post } = newWorld()
    await post('/v1/accounts', ann)
    expect(await post('/v1/sessions', ann)).toMatchObject({
      status: 201,
      data: { token: 'session-of-account1', expiresAt: '2030-01-01T00:00:01.000Z' },
    })
  })

  test.each([
    ['a wrong password', { password: 'wrong horse' }],
    ['an unknown name', { username: 'bob' }],
    ['a name that nobody could have', { username: 'a b<c>' }],
  ])('with %s is refused in the same words', async (_, part) => {
    const { post } = newWorld()
    await post('/v1/accounts', ann)
    await expect(post('/v1/sessions', { ...ann, ...part })).rejects.toMatchObject({
      code: 'wrong_credentials',
      message: 'The username or the password is wrong',
    })
  })

  test('computes a hash for an unknown name too, so that both take the same time', async () => {
    const { post, hashed } = newWorld()
    await expect(post('/v1/sessions', ann)).rejects.toMatchObject({ code: 'wrong_credentials' })
    expect(hashed).toEqual([undefined])
  })

  test('without a name or with something that is not JSON is refused', async () => {
    const { post, deps } = newWorld()
    await expect(post('/v1/sessions', { password: 'x' })).rejects.toMatchObject({ code: 'invalid_request' })
    const request = new Request('http://api/v1/sessions', { method: 'POST', body: 'x' })
    await expect(onRequest(request, deps)).rejects.toMatchObject({ code: 'invalid_json' })
  })
})
