import { afterAll, describe, expect, test } from 'vitest'
import { stsSdk } from '../local/fc/sdk.ts'
import { type Keys, openTarget } from './target.ts'

/* What STS promises; each test fails where the promise is broken. */
const target = await openTarget()
afterAll(() => target.close())

function connect(keys: Keys = target.keys) {
  return new stsSdk.default({ ...keys, ...target.sts } as ConstructorParameters<typeof stsSdk.default>[0])
}

async function assume(parameters: object = {}) {
  const request = { roleArn: target.roleArn, roleSessionName: 'contracts', durationSeconds: 900, ...parameters }
  const { body } = await connect().assumeRole(new stsSdk.AssumeRoleRequest(request))
  const { accessKeyId = '', accessKeySecret = '', securityToken = '', expiration = '' } = body?.credentials ?? {}
  return { keys: { accessKeyId, accessKeySecret, securityToken }, expiration, user: body?.assumedRoleUser }
}

const [, role] = target.roleArn.split(':role/')

// https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-assumerole
describe('AssumeRole', () => {
  test('gives credentials that last as long as was asked for', async () => {
    const before = Date.now()
    const { keys, expiration, user } = await assume()
    expect(keys.accessKeyId).toMatch(/^STS\./)
    expect(expiration).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(Math.abs(Date.parse(expiration) - before - 900_000)).toBeLessThan(60_000)
    expect(user?.arn).toBe(`acs:ram::${target.accountId}:role/${role}/contracts`)
    expect(user?.assumedRoleId).toMatch(/^\d+:contracts$/)
  })

  test.each([
    ['less than 15 minutes', { durationSeconds: 899 }, 'InvalidParameter.DurationSeconds'],
    ['a name of one letter', { roleSessionName: 'a' }, 'InvalidParameter.RoleSessionName'],
    ['a name with a blank', { roleSessionName: 'a b' }, 'InvalidParameter.RoleSessionName'],
    ['a policy that is none', { policy: 'allow' }, 'InvalidParameter.PolicyGrammar'],
    ['no role', { roleArn: 'everything' }, 'InvalidParameter.RoleArn'],
  ])('is refused for %s', async (_name, parameters, code) => {
    await expect(assume(parameters)).rejects.toMatchObject({ code, statusCode: 400 })
  })
})

// https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-getcalleridentity
describe('GetCallerIdentity', () => {
  test('tells account and session apart', async () => {
    const own = (await connect().getCallerIdentity()).body
    expect(own).toMatchObject({ accountId: target.accountId })
    expect(own?.identityType).toMatch(/^(Account|RAMUser)$/)
    const session = (await connect((await assume()).keys).getCallerIdentity()).body
    expect(session).toMatchObject({ accountId: target.accountId, identityType: 'AssumedRoleUser' })
    expect(session?.arn).toBe(`acs:ram::${target.accountId}:assumed-role/${role}/contracts`)
  })

  test.each([
    ['a wrong secret', async () => ({ ...target.keys, accessKeySecret: 'wrong' })],
    ['keys that nobody has', async () => ({ accessKeyId: 'LTAInobody', accessKeySecret: 'x' })],
    ['a session without its token', async () => ({ ...(await assume()).keys, securityToken: '' })],
    ['a token that was changed', async () => changed((await assume()).keys)],
  ])('answers nothing to %s', async (_name, keys) => {
    await expect(connect(await keys()).getCallerIdentity()).rejects.toMatchObject({
      statusCode: expect.toSatisfy((status: number) => status >= 400 && status < 500),
    })
  })
})

function changed(keys: Required<Keys>): Keys {
  const { securityToken } = keys
  const middle = Math.floor(securityToken.length / 2)
  const letter = securityToken[middle] === 'A' ? 'B' : 'A'
  return { ...keys, securityToken: securityToken.slice(0, middle) + letter + securityToken.slice(middle + 1) }
}
