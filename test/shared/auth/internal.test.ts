import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  canonicalQuery,
  routeKey,
  signedQuery,
  signInternal,
  stringToSign,
  verifyInternal,
} from '../../../shared/auth/internal.ts'

interface Vector {
  readonly query: Record<string, string>
  readonly body: string
  readonly sign: string
  readonly signUrlSafe: string
}
const url = new URL('../../vectors/signatures.json', import.meta.url)
const vectors = (JSON.parse(readFileSync(url, 'utf8')) as { internal: Vector[] }).internal
const SECRET = 'SECRETEXAMPLE'
const key = routeKey(SECRET, '/callbacks/transcode')
const now = 1_700_000_000_000

describe('published vectors', () => {
  test.each(vectors)('$body is signed as published', ({ query, body, sign }) => {
    const canonical = canonicalQuery(query)
    expect(canonical).toBe('nonce=abc&timestamp=1700000000&videoId=v1')
    expect(stringToSign(canonical, body)).toBe(`${canonical}\n${body}\n`)
    expect(signedQuery(SECRET, canonical, body)).toBe(`${canonical}&sign=${sign}`)
  })

  test.each(vectors)('$body is accepted in either alphabet', ({ query, body, sign, signUrlSafe }) => {
    for (const form of [sign, signUrlSafe, decodeURIComponent(sign).replace('=', '%3D')]) {
      const sent = new URLSearchParams(`${new URLSearchParams(query)}&sign=${form}`)
      expect(verifyInternal({ key: SECRET, query: sent, body }, now)).toEqual(query)
    }
  })
})

function signed(parameters: Record<string, string> = { mediaId: 'm1' }, body = '{}') {
  return new URLSearchParams(signInternal({ key, parameters, body }, now, 'n1'))
}

test('what is signed is verified and comes back', () => {
  expect(verifyInternal({ key, query: signed(), body: '{}' }, now)).toEqual({
    mediaId: 'm1',
    nonce: 'n1',
    timestamp: '1700000000',
  })
})

test('the order of parameters does not matter', () => {
  const shuffled = new URLSearchParams([...signed()].reverse())
  expect(verifyInternal({ key, query: shuffled, body: '{}' }, now)).toMatchObject({ mediaId: 'm1' })
})

test('a plus sign that arrived as a space is read as a plus sign', () => {
  const bodies = Array.from({ length: 64 }, (_, index) => `body ${index}`)
  const body = bodies.find((text) => signed({}, text).get('sign')?.includes('+')) ?? ''
  const query = signed({}, body)
  query.set('sign', query.get('sign')?.replaceAll('+', ' ') ?? '')
  expect(query.get('sign')).toContain(' ')
  expect(verifyInternal({ key, query, body }, now)).toBeTruthy()
})

test.each([
  ['another body', { body: '{ }' }],
  ['the key of another route', { key: routeKey(SECRET, '/callbacks/oss') }],
  ['the raw key', { key: SECRET }],
])('%s does not match', (_name, change) => {
  const request = { key, query: signed(), body: '{}', ...change }
  expect(() => verifyInternal(request, now)).toThrow(expect.objectContaining({ code: 'signature_mismatch' }))
})

test.each([-300, 300])('a clock that is off by %i s is accepted', (seconds) => {
  expect(verifyInternal({ key, query: signed(), body: '{}' }, now + seconds * 1000)).toBeTruthy()
})

test.each([-301, 301])('a clock that is off by %i s is refused', (seconds) => {
  expect(() => verifyInternal({ key, query: signed(), body: '{}' }, now + seconds * 1000)).toThrow(
    expect.objectContaining({ code: 'signature_mismatch' }),
  )
})

test.each([
  ['a changed value', 'mediaId', 'm2'],
  ['a changed nonce', 'nonce', 'n2'],
  ['a changed time', 'timestamp', '1700000001'],
  ['another signature', 'sign', 'K7HIM6mYdOpDWFvcsYd9yxNoxdQ29lvmKFNEdi8sI1w='],
  ['a short signature', 'sign', 'K7HI'],
  ['an added parameter', 'extra', '1'],
])('%s does not match', (_name, name, value) => {
  const query = signed()
  query.set(name, value)
  expect(() => verifyInternal({ key, query, body: '{}' }, now)).toThrow(
    expect.objectContaining({ code: 'signature_mismatch' }),
  )
})

test.each([
  ['a value with a separator', (query: URLSearchParams) => query.set('mediaId', 'a&b=c')],
  ['a value with an equals sign', (query: URLSearchParams) => query.set('mediaId', 'a=b')],
  ['a value with a comma', (query: URLSearchParams) => query.set('mediaId', 'a,b')],
  ['a value with a line feed', (query: URLSearchParams) => query.set('mediaId', 'a\nb')],
  ['a name with a separator', (query: URLSearchParams) => query.set('a&b', '1')],
  ['a name that begins with a digit', (query: URLSearchParams) => query.set('1a', '1')],
  ['an empty name', (query: URLSearchParams) => query.set('', '1')],
  ['a parameter given twice', (query: URLSearchParams) => query.append('mediaId', 'm1')],
  ['a signature given twice', (query: URLSearchParams) => query.append('sign', query.get('sign') ?? '')],
  ['no signature', (query: URLSearchParams) => query.delete('sign')],
  ['a signature that is not base64', (query: URLSearchParams) => query.set('sign', 'a.b')],
  ['no time', (query: URLSearchParams) => query.delete('timestamp')],
  ['a time that is no number', (query: URLSearchParams) => query.set('timestamp', '1e9')],
  ['no nonce', (query: URLSearchParams) => query.delete('nonce')],
  ['an empty nonce', (query: URLSearchParams) => query.set('nonce', '')],
  ['an endless nonce', (query: URLSearchParams) => query.set('nonce', 'n'.repeat(129))],
])('%s is malformed, whatever the signature', (_name, change) => {
  const query = signed()
  change(query)
  expect(() => verifyInternal({ key, query, body: '{}' }, now)).toThrow(
    expect.objectContaining({ code: 'invalid_signature' }),
  )
})

test('nothing outside the alphabet can be signed', () => {
  expect(() => signInternal({ key, parameters: { a: 'b&c=d' }, body: '' }, now, 'n')).toThrow('must be of')
})
