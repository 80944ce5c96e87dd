import { createHash, createHmac, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSts } from '../../../local/sts/index.ts'
import { openCredentials } from '../../../local/wire/credentials.ts'
import type { LocalServer } from '../../../local/wire/http.ts'
import { type Keys, localConfig, stsSdk } from '../fc/sdk.ts'

const account = { accountId: '1234567890123456', accessKeyId: 'LTAItest', accessKeySecret: 'secret-of-the-account' }
const clock = { offset: 0 }
const now = () => Date.now() + clock.offset
const credentials = openCredentials(account, now)
const roleArn = `acs:ram::${account.accountId}:role/yunbo-uploader`
let server: LocalServer

beforeAll(async () => {
  server = await startSts({ host: '127.0.0.1', port: 0, credentials, now })
})
afterAll(() => server.close())

function client(keys: Keys = account) {
  type Config = ConstructorParameters<typeof stsSdk.default>[0]
  return new stsSdk.default(localConfig(server.port, keys) as Config)
}

function assume(parameters: object, keys?: Keys) {
  return client(keys).assumeRole(
    new stsSdk.AssumeRoleRequest({ roleArn, roleSessionName: 'alice', durationSeconds: 900, ...parameters }),
  )
}

async function session(parameters: object = {}) {
  const { body } = await assume(parameters)
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = body?.credentials ?? {}
  return { accessKeyId, accessKeySecret, securityToken }
}

describe('AssumeRole', () => {
  test('gives credentials that the other services can look up, with the policy inside', async () => {
    const policy = JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action: 'oss:*', Resource: '*' }] })
    const { body } = await assume({ policy })
    const given = body?.credentials
    expect(given?.accessKeyId).toMatch(/^STS\./)
    expect(body?.assumedRoleUser?.arn).toBe(`${roleArn}/alice`)
    const identity = credentials.find(given?.accessKeyId ?? '', given?.securityToken)
    expect(identity).toMatchObject({ kind: 'session', role: 'yunbo-uploader', sessionName: 'alice', policy })
    expect(identity.accessKeySecret).toBe(given?.accessKeySecret)
    expect(Date.parse(given?.expiration ?? '')).toBe(identity.expiresAt)
    expect(given?.expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  const long = JSON.stringify({
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'oss:*', Resource: 'x'.repeat(2048) }],
  })
  test.each([
    ['a duration below 900 s', { durationSeconds: 899 }, 'InvalidParameter.DurationSeconds'],
    ['a duration above 3600 s', { durationSeconds: 3601 }, 'InvalidParameter.DurationSeconds'],
    ['a policy that is not JSON', { policy: 'allow everything' }, 'InvalidParameter.PolicyGrammar'],
    ['a policy without statements', { policy: '{"Version":"1"}' }, 'InvalidParameter.PolicyGrammar'],
    ['a policy over 2048 characters', { policy: long }, 'InvalidParameter.PolicySize'],
    ['a session name of one character', { roleSessionName: 'a' }, 'InvalidParameter.RoleSessionName'],
    ['a session name with a slash', { roleSessionName: 'a/b' }, 'InvalidParameter.RoleSessionName'],
    ['something that is not a role', { roleArn: 'acs:ram::1:user/bob' }, 'InvalidParameter.RoleArn'],
    ['a role of another account', { roleArn: 'acs:ram::99:role/yunbo-uploader' }, 'EntityNotExist.Role'],
  ])('refuses %s', async (_what, parameters, code) => {
    await expect(assume(parameters)).rejects.toMatchObject({ code })
  })

  test('lets a session assume a role, but not a session whose policy does not allow it', async () => {
    const free = await session()
    expect((await assume({}, free)).body?.credentials?.accessKeyId).toMatch(/^STS\./)
    const policy = JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action: 'oss:*', Resource: '*' }] })
    await expect(assume({}, await session({ policy }))).rejects.toMatchObject({ code: 'NoPermission' })
  })

  test('refuses a session that has expired, without its token, and with the token of another', async () => {
    const { accessKeyId, accessKeySecret } = await session()
    const other = await session()
    await expect(assume({}, { accessKeyId, accessKeySecret })).rejects.toMatchObject({ code: 'MissingSecurityToken' })
    await expect(
      assume({}, { accessKeyId, accessKeySecret, securityToken: other.securityToken }),
    ).rejects.toMatchObject({ code: 'InvalidSecurityToken.Malformed' })
    clock.offset = -901_000
    const old = credentials.issue({ role: 'r', sessionName: 'old', durationSeconds: 900 })
    clock.offset = 0
    await expect(assume({}, old)).rejects.toMatchObject({ code: 'InvalidSecurityToken.Expired' })
  })
})

test('GetCallerIdentity tells the account from a session', async () => {
  expect((await client().getCallerIdentity()).body).toMatchObject({
    identityType: 'Account',
    accountId: account.accountId,
  })
  expect((await client(await session()).getCallerIdentity()).body).toMatchObject({
    identityType: 'AssumedRoleUser',
    arn: `acs:ram::${account.accountId}:assumed-role/yunbo-uploader/alice`,
  })
})

interface Signed {
  url: string
  headers: Record<string, string>
}

/** Signs by hand what the SDK would not send. */
function sign(changes: { action?: string; date?: string; secret?: string } = {}): Signed {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const query = `DurationSeconds=900&RoleArn=${encodeURIComponent(roleArn)}&RoleSessionName=alice`
  const headers: Record<string, string> = {
    host: `localhost:${server.port}`,
    'x-acs-action': changes.action ?? 'AssumeRole',
    'x-acs-content-sha256': hash(''),
    'x-acs-date': changes.date ?? `${new Date().toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': randomUUID(),
    'x-acs-version': '2015-04-01',
  }
  const names = Object.keys(headers).sort()
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('')
  const canonical = ['POST', '/', query, lines, names.join(';'), hash('')].join('\n')
  const signature = createHmac('sha256', changes.secret ?? account.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${hash(canonical)}`)
    .digest('hex')
  const authorization = `ACS3-HMAC-SHA256 Credential=${account.accessKeyId},SignedHeaders=${names.join(';')},Signature=${signature}`
  return { url: `${server.url}/?${query}`, headers: { ...headers, authorization } }
}

async function post({ url, headers }: Signed): Promise<{ status: number; body: Record<string, string> }> {
  const response = await fetch(url, { method: 'POST', headers })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

describe('the ACS3 signature', () => {
  test('of a request signed by hand is accepted once, and its nonce not a second time', async () => {
    const signed = sign()
    expect((await post(signed)).status).toBe(200)
    expect(await post(signed)).toMatchObject({ status: 400, body: { Code: 'SignatureNonceUsed' } })
  })

  test('with one flipped byte is refused with code, message and request id', async () => {
    const signed = sign()
    const text = signed.headers.authorization ?? ''
    const flipped = text.slice(0, -1) + (text.endsWith('0') ? '1' : '0')
    const answer = await post({ ...signed, headers: { ...signed.headers, authorization: flipped } })
    expect(answer).toMatchObject({ status: 400, body: { Code: 'SignatureDoesNotMatch' } })
    expect(answer.body.Message).toContain('does not match')
    expect(answer.body.RequestId).toMatch(/^[0-9A-F-]{36}$/)
  })

  test.each<[string, (signed: Signed) => Signed, string]>([
    ['a changed query', (s) => ({ ...s, url: s.url.replace('=900', '=901') }), 'SignatureDoesNotMatch'],
    ['a changed signed header', (s) => withHeader(s, 'x-acs-action', 'GetCallerIdentity'), 'SignatureDoesNotMatch'],
    ['an unsigned x-acs header', (s) => withHeader(s, 'x-acs-security-token', 'x'), 'IncompleteSignature'],
    ['another algorithm', (s) => withHeader(s, 'authorization', 'Basic eDp5'), 'IncompleteSignature'],
  ])('does not survive %s', async (_what, change, code) => {
    expect((await post(change(sign()))).body.Code).toBe(code)
  })

  test.each([
    ['an old date', { date: '2020-01-01T00:00:00Z' }, 'InvalidTimeStamp.Expired'],
    ['a date of another form', { date: '20260101T000000Z' }, 'InvalidTimeStamp.Format'],
    ['another secret', { secret: 'wrong' }, 'SignatureDoesNotMatch'],
    ['an unknown action', { action: 'AssumeEverything' }, 'InvalidAction.NotFound'],
  ])('is refused with %s', async (_what, changes, code) => {
    expect((await post(sign(changes))).body.Code).toBe(code)
  })

  test('by an unknown key is refused', async () => {
    await expect(assume({}, { accessKeyId: 'LTAInobody', accessKeySecret: 'x' })).rejects.toMatchObject({
      code: 'InvalidAccessKeyId.NotFound',
    })
  })
})

function withHeader(signed: Signed, name: string, value: string): Signed {
  return { ...signed, headers: { ...signed.headers, [name]: value } }
}
