import { describe, expect, test } from 'vitest'
import { permits } from '../../../local/wire/policy.ts'

const allow = (more: object = {}) => ({
  Effect: 'Allow',
  Action: 'oss:PutObject',
  Resource: 'acs:oss:*:*:b/k',
  ...more,
})
const policy = (...statements: object[]) => JSON.stringify({ Version: '1', Statement: statements })

function may(text: string, path = 'b/k', action = 'oss:PutObject', context: Record<string, string> = {}): boolean {
  return permits(text, { action, resource: `acs:oss:cn-hangzhou:42:${path}`, context })
}

test('what no statement allows is refused', () => {
  expect(may(policy())).toBe(false)
  expect(may(policy(allow()), 'b/other')).toBe(false)
  expect(may(policy(allow()), 'b/k', 'oss:GetObject')).toBe(false)
})

test('what a statement allows is allowed', () => {
  expect(may(policy(allow()))).toBe(true)
  expect(may(policy(allow({ Action: ['oss:GetObject', 'oss:PutObject'] })))).toBe(true)
  expect(may(JSON.stringify({ Statement: allow() }))).toBe(true)
})

test('one denial outweighs every permission, in any order', () => {
  const deny = { ...allow(), Effect: 'Deny' }
  expect(may(policy(allow(), deny))).toBe(false)
  expect(may(policy(deny, allow()))).toBe(false)
})

test.each([
  ['acs:oss:*:*:b/*', 'b/k', true],
  ['acs:oss:*:*:b/*', 'b/deep/er', true],
  ['acs:oss:*:*:b/?', 'b/k', true],
  ['acs:oss:*:*:b/?', 'b/kk', false],
  ['acs:oss:*:*:b*', 'b', true],
  ['acs:oss:*:*:b/a*z', 'b/abcz', true],
  ['acs:oss:*:*:b/a*z', 'b/abc', false],
  ['acs:oss:cn-*:42:b/k', 'b/k', true],
  ['acs:oss:cn-beijing:*:b/k', 'b/k', false],
  ['acs:oss:*:41:b/k', 'b/k', false],
  ['acs:oss:*:*:b/.', 'b/k', false],
  ['*', 'b/k', true],
])('%s covers %s: %s', (resource, path, expected) => {
  expect(may(policy(allow({ Resource: resource })), path)).toBe(expected)
})

test('a wildcard for the account does not reach into a key that spells another resource', () => {
  expect(may(policy(allow()), 'other/x:b/k')).toBe(false)
})

test('many wildcards against a long key end at once', () => {
  const resource = `acs:oss:*:*:b/${'*a'.repeat(100)}*b`
  expect(may(policy(allow({ Resource: resource })), `b/${'a'.repeat(1000)}`)).toBe(false)
})

test('NotAction and NotResource cover all but what they name', () => {
  const statement = { Effect: 'Allow', NotAction: 'oss:Delete*', NotResource: 'acs:oss:*:*:b/secret' }
  expect(may(policy(statement))).toBe(true)
  expect(may(policy(statement), 'b/secret')).toBe(false)
  expect(may(policy(statement), 'b/k', 'oss:DeleteObject')).toBe(false)
})

describe('conditions', () => {
  const context = { 'acs:SecureTransport': 'false', 'oss:Prefix': 'videos/a', 'acs:SourceIp': '10.1.2.3' }

  test.each([
    [{ Bool: { 'acs:SecureTransport': 'false' } }, true],
    [{ Bool: { 'acs:SecureTransport': true } }, false],
    [{ StringEquals: { 'oss:Prefix': ['x', 'videos/a'] } }, true],
    [{ StringEquals: { 'oss:Prefix': 'videos' } }, false],
    [{ StringEquals: { 'oss:Nothing': '' } }, false],
    [{ StringNotEquals: { 'oss:Prefix': 'videos' } }, true],
    [{ StringLike: { 'oss:Prefix': 'videos/*' } }, true],
    [{ StringLike: { 'oss:Prefix': 'videos/?b' } }, false],
    [{ IpAddress: { 'acs:SourceIp': ['192.168.0.0/16', '10.0.0.0/8'] } }, true],
    [{ IpAddress: { 'acs:SourceIp': '10.1.2.4' } }, false],
    [{ IpAddress: { 'acs:SourceIp': 'nonsense/99' } }, false],
    [{ NotIpAddress: { 'acs:SourceIp': '10.0.0.0/8' } }, false],
    [{ Bool: { 'acs:SecureTransport': 'false' }, StringEquals: { 'oss:Prefix': 'no' } }, false],
  ])('%j is met: %s', (condition, expected) => {
    expect(may(policy(allow({ Condition: condition })), 'b/k', 'oss:PutObject', context)).toBe(expected)
  })

  test.each(['NumericMaybe', 'constructor', '__proto__'])(
    'the unknown operator %s helps no Allow and no escape from a Deny',
    (name) => {
      const condition = JSON.parse(`{"${name}": {"acs:SourceIp": "1"}}`)
      expect(may(policy(allow({ Condition: condition })))).toBe(false)
      expect(may(policy(allow(), { ...allow(), Effect: 'Deny', Condition: condition }))).toBe(false)
    },
  )
})

test.each([
  ['no JSON', '{'],
  ['no object', '"Allow"'],
  ['no statement', '{}'],
  ['statements that are no objects', '{"Statement":["Allow"]}'],
  ['an effect in another case', policy(allow({ Effect: 'allow' }))],
  ['a statement without a resource', policy({ Effect: 'Allow', Action: '*' })],
])('a policy with %s allows nothing', (_name, text) => {
  expect(may(text)).toBe(false)
})
