import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { parseAuthorization } from '../../../shared/auth/authorization.ts'
import { deriveKey } from '../../../shared/auth/keys.ts'
import { sessionTokens } from '../../../shared/auth/session-token.ts'
import { uploadTokens } from '../../../shared/auth/upload-token.ts'

const SECRET = 'a secret of at least thirty-two characters'
const DAY_MS = 24 * 3600 * 1000
const now = 1_700_000_000_000

test('keys differ by purpose and by secret, and are the same each time', () => {
  expect(deriveKey(SECRET, 'a')).toEqual(deriveKey(SECRET, 'a'))
  expect(deriveKey(SECRET, 'a')).not.toEqual(deriveKey(SECRET, 'b'))
  expect(deriveKey(SECRET, 'a')).not.toEqual(deriveKey(`${SECRET}!`, 'a'))
})

describe('session tokens', () => {
  const tokens = sessionTokens(SECRET)
  const session = { accountId: 'acc1', username: 'demo', tokenVersion: 3 }

  test('say who is signed in, for seven days', async () => {
    const { token, expiresAt } = await tokens.issue(session, now)
    expect(expiresAt).toBe(now + 7 * DAY_MS)
    expect(await tokens.verify(token, now)).toEqual(session)
    expect(await tokens.verify(token, expiresAt - 1000)).toEqual(session)
  })

  test('expire', async () => {
    const { token, expiresAt } = await tokens.issue(session, now)
    await expect(tokens.verify(token, expiresAt)).rejects.toMatchObject({ code: 'token_expired' })
  })

  const craft = (change: {
    key?: Buffer
    alg?: string
    aud?: string
    sub?: string
    payload?: object
    exp?: number
  }) => {
    const key = change.key ?? deriveKey(SECRET, 'session')
    const payload = { username: 'demo', token_version: 3, ...change.payload }
    const jwt = new SignJWT(payload).setProtectedHeader({ alg: change.alg ?? 'HS256' })
    if (change.sub !== '') jwt.setSubject(change.sub ?? 'acc1')
    if (change.exp !== 0) jwt.setExpirationTime(change.exp ?? now / 1000 + 60)
    return jwt.setAudience(change.aud ?? 'yunbo:session').sign(key)
  }

  test('made the same way by hand are accepted, so that the refusals below have one reason each', async () => {
    expect(await tokens.verify(await craft({}), now)).toEqual(session)
  })

  test.each([
    ['a token under another secret', { key: deriveKey('another secret', 'session') }],
    ['a token under the key of another purpose', { key: deriveKey(SECRET, 'upload') }],
    ['a token for another audience', { aud: 'yunbo:playback' }],
    ['a token with another algorithm', { alg: 'HS512' }],
    ['a token without a subject', { sub: '' }],
    ['a token that never expires', { exp: 0 }],
    ['a token without a user name', { payload: { username: 1 } }],
    ['a token without a version', { payload: { token_version: 'x' } }],
  ])('%s is refused', async (_name, change) => {
    await expect(tokens.verify(await craft(change), now)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.each([
    ['nothing', ''],
    ['noise', 'abc'],
    ['an unsigned token', `${btoa('{"alg":"none"}')}.${btoa('{"sub":"acc1","aud":"yunbo:session"}')}.`],
  ])('%s is refused', async (_name, token) => {
    await expect(tokens.verify(token, now)).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})

describe('upload tokens', () => {
  const tokens = uploadTokens(SECRET)
  const token = tokens.issue('up1', now + 1000)

  test('open their own upload until they expire', () => {
    expect(() => tokens.verify(token, 'up1', now + 999)).not.toThrow()
    expect(() => tokens.verify(token, 'up1', now + 1000)).toThrow(expect.objectContaining({ code: 'token_expired' }))
  })

  test('are short and fit a header', () => {
    expect(token).toMatch(/^[\w.-]{40,60}$/)
  })

  const [expiry, sum] = token.split('.')
  test.each([
    ['another upload', token, 'up2'],
    ['a later expiry', `zzzzzz.${sum}`, 'up1'],
    ['an expiry in other letters', `${expiry?.toUpperCase()}.${sum}`, 'up1'],
    ['another sum', `${expiry}.${'A'.repeat(43)}`, 'up1'],
    ['a cut sum', `${expiry}.${sum?.slice(0, 42)}`, 'up1'],
    ['no sum', `${expiry}`, 'up1'],
    ['nothing', '', 'up1'],
    ['a token under another secret', uploadTokens('other').issue('up1', now + 1000), 'up1'],
  ])('refuse %s', (_name, text, uploadId) => {
    expect(() => tokens.verify(text, uploadId, now)).toThrow(expect.objectContaining({ code: 'unauthenticated' }))
  })
})

test.each([
  ['Bearer abc', { scheme: 'bearer', value: 'abc' }],
  ['bearer   abc ', { scheme: 'bearer', value: 'abc' }],
  ['Upload a.b-c_d', { scheme: 'upload', value: 'a.b-c_d' }],
  ['Ticket QUJD+/=', { scheme: 'ticket', value: 'QUJD+/=' }],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  [' ', undefined],
  [null, undefined],
  [undefined, undefined],
])('the header %j is read as %j', (header, expected) => {
  expect(parseAuthorization(header)).toEqual(expected)
})
