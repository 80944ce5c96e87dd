import { createHmac, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { XMLParser } from 'fast-xml-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSts } from '../../../local/sts/index.ts'
import { openCredentials } from '../../../local/wire/credentials.ts'
import type { LocalServer } from '../../../local/wire/http.ts'

const { RPCClient } = createRequire(import.meta.url)('@alicloud/pop-core') as {
  RPCClient: typeof import('@alicloud/pop-core')
}

const account = { accountId: '1234567890123456', accessKeyId: 'LTAItest', accessKeySecret: 'secret-of-the-account' }
const credentials = openCredentials(account, Date.now)
const roleArn = `acs:ram::${account.accountId}:role/yunbo-uploader`
const ASSUME = { RoleArn: roleArn, RoleSessionName: 'alice' }
let server: LocalServer

beforeAll(async () => {
  server = await startSts({ host: '127.0.0.1', port: 0, credentials, now: Date.now })
})
afterAll(() => server.close())

interface Given {
  readonly RequestId: string
  readonly Credentials: {
    readonly AccessKeyId: string
    readonly AccessKeySecret: string
    readonly SecurityToken: string
    readonly Expiration: string
  }
}

function client(keys: { accessKeyId: string; accessKeySecret: string; securityToken?: string } = account) {
  return new RPCClient({ ...keys, endpoint: server.url, apiVersion: '2015-04-01' })
}

describe("the vendor's RPC client", () => {
  test.each(['GET', 'POST'])('assumes a role by %s, and the session is known', async (method) => {
    const policy = JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] })
    const parameters = { ...ASSUME, Policy: policy, DurationSeconds: 900 }
    const answer = await client().request<Given>('AssumeRole', parameters, { method })
    expect(answer).toMatchObject({
      RequestId: expect.stringMatching(/^[0-9A-F-]{36}$/),
      AssumedRoleUser: { Arn: `${roleArn}/alice`, AssumedRoleId: expect.stringMatching(/^\d+:alice$/) },
    })
    const { AccessKeyId, AccessKeySecret, SecurityToken } = answer.Credentials
    const keys = { accessKeyId: AccessKeyId, accessKeySecret: AccessKeySecret, securityToken: SecurityToken }
    expect(await client(keys).request('GetCallerIdentity', {}, { method })).toMatchObject({
      IdentityType: 'AssumedRoleUser',
      Arn: `acs:ram::${account.accountId}:assumed-role/yunbo-uploader/alice`,
    })
  })

  test('gives an hour unless it is asked for less', async () => {
    const { Credentials } = await client().request<Given>('AssumeRole', ASSUME)
    const life = Date.parse(Credentials.Expiration) - Date.now()
    expect(Math.abs(life - 3_600_000)).toBeLessThan(5_000)
  })

  test.each<[string, string, Record<string, unknown>, string, string]>([
    ['no role', 'AssumeRole', { RoleArn: undefined }, 'MissingRoleArn', 'RoleArn is mandatory for this action.'],
    [
      'no session name',
      'AssumeRole',
      { RoleSessionName: undefined },
      'MissingRoleSessionName',
      'RoleSessionName is mandatory for this action.',
    ],
    [
      'a role that is none',
      'AssumeRole',
      { RoleArn: 'd' },
      'InvalidParameter.RoleArn',
      'The parameter RoleArn is wrongly formed.',
    ],
    [
      'a role of somebody else',
      'AssumeRole',
      { RoleArn: 'acs:ram::12345678987:role/x' },
      'EntityNotExist.Role',
      'The specified Role not exists',
    ],
    [
      'a short life',
      'AssumeRole',
      { DurationSeconds: 899 },
      'InvalidParameter.DurationSeconds',
      'The Min/Max value of DurationSeconds is 15min/1hr.',
    ],
    [
      'a life that is no number',
      'AssumeRole',
      { DurationSeconds: 'long' },
      'InvalidParameter.DurationSeconds',
      '15min/1hr',
    ],
    [
      'a policy that is none',
      'AssumeRole',
      { Policy: '{' },
      'InvalidParameter.PolicyGrammar',
      'The parameter Policy has not passed grammar check.',
    ],
    [
      'a policy over 2048 characters',
      'AssumeRole',
      { Policy: ' '.repeat(2049) },
      'InvalidParameter.PolicySize',
      'smaller than 2048 bytes',
    ],
    [
      'a strange external id',
      'AssumeRole',
      { ExternalId: '!' },
      'InvalidParameter.ExternalId',
      'ExternalId is wrongly formed',
    ],
    [
      'an action that there is not',
      'AssumeAnything',
      {},
      'InvalidAction.NotFound',
      'Specified api is not found, please check your url and method.',
    ],
  ])('is refused with %s', async (_what, action, changes, code, message) => {
    const given = Object.entries({ ...ASSUME, ...changes }).filter(([, value]) => value !== undefined)
    const call = client().request(action, Object.fromEntries(given))
    await expect(call).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
      data: { HostId: `localhost:${server.port}`, RequestId: expect.any(String) },
    })
  })

  test('is refused with a key that nobody has, another secret, and a version of another time', async () => {
    const wrong = (keys: object, apiVersion = '2015-04-01') =>
      new RPCClient({ ...account, ...keys, endpoint: server.url, apiVersion }).request('GetCallerIdentity', {})
    await expect(wrong({ accessKeyId: 'LTAInobody' })).rejects.toMatchObject({ code: 'InvalidAccessKeyId.NotFound' })
    await expect(wrong({ accessKeySecret: 'x' })).rejects.toMatchObject({
      code: 'SignatureDoesNotMatch',
      message: expect.stringMatching(
        /^Specified signature is not matched with our calculation\. server string to sign is:GET&%2F&AccessKeyId%3DLTAItest%26Action/,
      ),
    })
    await expect(wrong({}, '2014-01-01')).rejects.toMatchObject({ code: 'InvalidVersion' })
    const session = credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900 })
    await expect(wrong({ ...session, securityToken: 'x' })).rejects.toMatchObject({
      code: 'InvalidSecurityToken.Malformed',
    })
    await expect(wrong({ ...session, securityToken: undefined })).rejects.toMatchObject({
      code: 'MissingSecurityToken',
    })
  })
})

/** What is sent when every parameter is as the client makes it, but for the changes; `null` leaves one out. */
function signed(changes: Readonly<Record<string, string | null>> = {}, method = 'GET'): URLSearchParams {
  const all: Record<string, string | null> = {
    Action: 'GetCallerIdentity',
    Version: '2015-04-01',
    Format: 'JSON',
    AccessKeyId: account.accessKeyId,
    SignatureMethod: 'HMAC-SHA1',
    SignatureVersion: '1.0',
    SignatureNonce: randomUUID(),
    Timestamp: `${new Date().toISOString().slice(0, 19)}Z`,
    ...changes,
  }
  const parameters = new URLSearchParams(Object.entries(all).filter((one): one is [string, string] => one[1] !== null))
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  const sorted = [...parameters].sort(([a], [b]) => (a < b ? -1 : 1))
  const query = sorted.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
  const toSign = `${method}&%2F&${encode(query)}`
  const algorithm = all.SignatureMethod === 'HMAC-SHA256' ? 'sha256' : 'sha1'
  const signature = createHmac(algorithm, `${account.accessKeySecret}&`).update(toSign).digest('base64')
  if (changes.Signature === undefined) parameters.set('Signature', signature)
  return parameters
}

const ask = async (parameters: URLSearchParams, init?: RequestInit) => {
  const response = await fetch(`${server.url}/?${parameters}`, init)
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

describe('the RPC signature', () => {
  test.each<[string, Record<string, string | null>, number, string]>([
    ['no version', { Version: null }, 400, 'MissingVersion'],
    ['no action', { Action: null }, 400, 'MissingAction'],
    ['no key', { AccessKeyId: null }, 400, 'MissingAccessKeyId'],
    ['an empty key', { AccessKeyId: '' }, 404, 'InvalidAccessKeyId.NotFound'],
    ['no signature', { Signature: null }, 400, 'MissingSignature'],
    ['no method', { SignatureMethod: null }, 400, 'MissingSignatureMethod'],
    ['no nonce', { SignatureNonce: null }, 400, 'MissingSignatureNonce'],
    ['no time', { Timestamp: null }, 400, 'MissingTimestamp'],
    ['another method', { SignatureMethod: 'HMAC-MD5' }, 400, 'InvalidSignatureMethod'],
    ['a method that every object has', { SignatureMethod: 'constructor' }, 400, 'InvalidSignatureMethod'],
    ['another version of it', { SignatureVersion: '2.0' }, 400, 'InvalidSignatureVersion'],
    ['a time long ago', { Timestamp: '2017-03-12T01:02:03Z' }, 400, 'InvalidTimeStamp.Expired'],
    ['a time of another form', { Timestamp: 'yesterday' }, 400, 'InvalidTimeStamp.Format'],
    ['another signature', { Signature: 'AAAA' }, 400, 'SignatureDoesNotMatch'],
  ])('is refused with %s', async (_what, changes, status, code) => {
    const answer = await ask(signed(changes))
    expect([answer.status, JSON.parse(answer.text).Code]).toEqual([status, code])
  })

  test('is good once', async () => {
    const parameters = signed()
    expect((await ask(parameters)).status).toBe(200)
    const again = await ask(parameters)
    expect([again.status, JSON.parse(again.text)]).toMatchObject([
      400,
      { Code: 'SignatureNonceUsed', Message: 'Specified signature nonce was used already.' },
    ])
  })

  test('covers every parameter, in the query and in the form', async () => {
    const parameters = signed({ Extra: 'a b+c*~ü' })
    expect((await ask(parameters)).status).toBe(200)
    const more = signed()
    more.append('More', 'x')
    expect(JSON.parse((await ask(more)).text).Code).toBe('SignatureDoesNotMatch')
    const split = signed({ InTheForm: 'yes' }, 'POST')
    split.delete('InTheForm')
    const form = { method: 'POST', body: new URLSearchParams({ InTheForm: 'yes' }) }
    expect((await ask(split, form)).status).toBe(200)
  })

  test('may be one of HMAC-SHA256', async () => {
    expect((await ask(signed({ SignatureMethod: 'HMAC-SHA256' }))).status).toBe(200)
  })

  test('is answered in XML unless JSON is asked for, errors too', async () => {
    const parser = new XMLParser({ parseTagValue: false })
    const good = await ask(signed({ Format: null }))
    expect(good.type).toContain('text/xml')
    expect(parser.parse(good.text).GetCallerIdentityResponse).toMatchObject({
      AccountId: account.accountId,
      Arn: `acs:ram::${account.accountId}:root`,
      RequestId: expect.stringMatching(/^[0-9A-F-]{36}$/),
    })
    const bad = await ask(signed({ Format: 'XML', Timestamp: '2017-03-12T01:02:03Z' }))
    expect(parser.parse(bad.text).Error).toMatchObject({
      Code: 'InvalidTimeStamp.Expired',
      Message: 'Specified time stamp or date value is expired.',
      HostId: expect.any(String),
    })
  })

  test('of another method of HTTP, or on another path, leads nowhere', async () => {
    expect(JSON.parse((await ask(signed({}, 'PUT'), { method: 'PUT' })).text).Code).toBe('UnsupportedHTTPMethod')
    const elsewhere = await fetch(`${server.url}/elsewhere?${signed()}`)
    expect(((await elsewhere.json()) as { Code: string }).Code).toBe('InvalidAction.NotFound')
  })
})
