import { createHash, createHmac } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { newTable, openService, refused, type Signed } from './service.ts'

const service = await openService()
afterAll(service.close)
const NOTHING = Buffer.alloc(0)

test('the vendor client is accepted', async () => {
  expect(await service.client.listTable({})).toMatchObject({ tableNames: [] })
})

test('a hand-made signature is accepted, and the answer is signed for the caller', async () => {
  const { status, headers, body } = await service.post('ListTable', NOTHING)
  expect(status).toBe(200)
  expect(headers['x-ots-contenttype']).toBe('protocol buffer')
  expect(headers['x-ots-requestid']).toMatch(/^[0-9a-f-]{36}$/)
  expect(headers['x-ots-contentmd5']).toBe(createHash('md5').update(body).digest('base64'))
  expect(Math.abs(Date.parse(String(headers['x-ots-date'])) - Date.now())).toBeLessThan(60_000)
  const signed = ['contentmd5', 'contenttype', 'date', 'requestid'].map(
    (name) => `x-ots-${name}:${headers[`x-ots-${name}`]}`,
  )
  const signature = createHmac('sha1', service.credentials.accessKeySecret)
    .update(`${signed.join('\n')}\n/ListTable`)
    .digest('base64')
  expect(headers.authorization).toBe(`OTS ${service.credentials.accessKeyId}:${signature}`)
})

const flip = (name: string) => (headers: Record<string, string>) => {
  const text = headers[name] ?? ''
  headers[name] = (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
}
const minutes = (count: number) => new Date(Date.now() + count * 60_000).toISOString()

test.each<[string, Partial<Signed>, number, string, string]>([
  [
    'one flipped byte in the signature',
    { tamper: flip('x-ots-signature') },
    403,
    'OTSAuthFailed',
    'Signature mismatch.',
  ],
  [
    'a shorter signature',
    { tamper: (headers) => Object.assign(headers, { 'x-ots-signature': 'AAAA' }) },
    403,
    'OTSAuthFailed',
    'Sig',
  ],
  ['a header changed after signing', { tamper: flip('x-ots-contentmd5') }, 403, 'OTSAuthFailed', 'Signature mismatch.'],
  [
    'the digest of another body',
    { headers: { 'x-ots-contentmd5': 'AAAA' } },
    403,
    'OTSAuthFailed',
    'Mismatch between MD5',
  ],
  [
    'a date 16 minutes old',
    { headers: { 'x-ots-date': minutes(-16) } },
    403,
    'OTSAuthFailed',
    'Mismatch between system',
  ],
  [
    'a date 16 minutes ahead',
    { headers: { 'x-ots-date': minutes(16) } },
    403,
    'OTSAuthFailed',
    'Mismatch between system',
  ],
  [
    'a date that is none',
    { headers: { 'x-ots-date': 'today' } },
    400,
    'OTSParameterInvalid',
    'Invalid date format: today',
  ],
  ['an unknown key', { headers: { 'x-ots-accesskeyid': 'nobody' } }, 403, 'OTSAuthFailed', 'The AccessKeyID does not'],
  ['an unknown instance', { headers: { 'x-ots-instancename': 'other' } }, 403, 'OTSAuthFailed', 'The instance is not'],
  ['another method', { method: 'PUT' }, 405, 'OTSMethodNotAllowed', 'Only POST'],
  [
    'no signature',
    { tamper: (headers) => void delete headers['x-ots-signature'] },
    400,
    'OTSParameterInvalid',
    'Missing',
  ],
  ['no version', { headers: { 'x-ots-apiversion': undefined } }, 400, 'OTSParameterInvalid', 'Missing header'],
  ['no digest', { headers: { 'x-ots-contentmd5': undefined } }, 400, 'OTSParameterInvalid', 'Missing header'],
])('a request with %s is refused', async (_, change, status, code, message) => {
  const answer = await service.post('ListTable', NOTHING, change)
  expect(answer.status).toBe(status)
  expect(answer.body.toString()).toContain(code)
  expect(answer.body.toString()).toContain(message)
})

test.each([-14, 14])('a date %i minutes off is accepted', async (count) => {
  expect((await service.post('ListTable', NOTHING, { headers: { 'x-ots-date': minutes(count) } })).status).toBe(200)
})

test('a body over 5 MB is too large', async () => {
  const answer = await service.post('PutRow', Buffer.alloc(5 * 1024 * 1024 + 1))
  expect(answer.status).toBe(413)
  expect(answer.body.toString()).toContain('OTSRequestBodyTooLarge')
})

test('an unknown operation is unsupported', async () => {
  const answer = await service.post('HelloWorld', NOTHING)
  expect(answer.status).toBe(400)
  expect(answer.body.toString()).toContain("Unsupported operation: 'HelloWorld'.")
})

test('who does not speak the protocol is told in XML', async () => {
  for (const [path, name] of [
    ['', ''],
    ['a&b', 'a&amp;b'],
  ]) {
    const answer = await fetch(`${service.url()}/${path}`)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain(
      `<Code>OTSUnsupportOperation</Code><Message>Unsupported operation: '${name}'.`,
    )
  }
})

test('another version of the protocol is refused', async () => {
  const answer = await service.post('ListTable', NOTHING, { headers: { 'x-ots-apiversion': '2014-08-08' } })
  expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringContaining('2014-08-08')])
})

test('a session that may write one table may use transactions there', async () => {
  const table = await newTable(service)
  const policy = {
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'ots:*', Resource: `acs:ots:*:*:instance/yunbo/table/${table}` }],
  }
  const client = service.connect(session(policy))
  const { transactionId } = await client.startLocalTransaction({ tableName: table, primaryKey: [{ id: 'x' }] })
  await client.commitTransaction({ transactionId })
  const other = await newTable(service)
  await expect(client.startLocalTransaction({ tableName: other, primaryKey: [{ id: 'x' }] })).rejects.toMatchObject(
    refused('OTSNoPermissionAccess'),
  )
  for (const tableName of [table, other]) await service.client.deleteTable({ tableName })
})

function session(policy?: object) {
  const request = { role: 'runner', sessionName: 'test', durationSeconds: 900 }
  const issued = service.credentials.issue(policy ? { ...request, policy: JSON.stringify(policy) } : request)
  return { accessKeyId: issued.accessKeyId, accessKeySecret: issued.accessKeySecret, stsToken: issued.securityToken }
}

test('a session of a role is accepted while it lasts', async () => {
  const client = service.connect(session())
  expect(await client.listTable({})).toMatchObject({ tableNames: [] })
  service.advance(901_000)
  await expect(client.listTable({})).rejects.toMatchObject(refused('OTSAuthFailed', 'expired'))
  service.advance(-901_000)
})

test.each([
  ['without its token', () => ({ ...session(), stsToken: '' })],
  ['with the token of another session', () => ({ ...session(), stsToken: session().stsToken })],
  ['with a broken token', () => ({ ...session(), stsToken: 'CAISxxxx' })],
  ['with another secret', () => ({ ...session(), accessKeySecret: 'guess' })],
])('a session %s is refused', async (_, config) => {
  await expect(service.connect(config()).listTable({})).rejects.toMatchObject(refused('OTSAuthFailed'))
})

const allow = (Action: string, Resource = '*') => ({ Version: '1', Statement: [{ Effect: 'Allow', Action, Resource }] })

test.each([
  ['everything of Tablestore', allow('ots:*'), true],
  ['this operation on this instance', allow('ots:ListTable', 'acs:ots:*:*:instance/yunbo*'), true],
  ['another operation', allow('ots:GetRow'), false],
  ['another instance', allow('ots:*', 'acs:ots:*:*:instance/other*'), false],
  ['uploads only', allow('oss:PutObject', 'acs:oss:*:*:bucket/key'), false],
])('a session whose policy allows %s', async (_, policy, accepted) => {
  const answer = service.connect(session(policy)).listTable({})
  if (accepted) expect(await answer).toMatchObject({ tableNames: [] })
  else await expect(answer).rejects.toMatchObject(refused('OTSNoPermissionAccess'))
})

const everyTable = 'acs:ots:*:*:instance/yunbo/table/*'

test.each([
  ['a row of its table', allow('ots:GetRow', 'acs:ots:*:*:instance/yunbo/table/mine'), 'mine', true],
  ['a row of another table', allow('ots:GetRow', 'acs:ots:*:*:instance/yunbo/table/mine'), 'other', false],
  ['a row, with a right on the instance alone', allow('ots:GetRow', 'acs:ots:*:*:instance/yunbo'), 'mine', false],
  ['a row, with a right on every table', allow('ots:GetRow', everyTable), 'mine', true],
])('a session may read %s: %j', async (_, policy, tableName, allowed) => {
  const read = service.connect(session(policy)).getRow({ tableName, primaryKey: [{ id: 'a' }], maxVersions: 1 })
  // There is no such table: only who may read it is told so.
  await expect(read).rejects.toMatchObject(refused(allowed ? 'OTSObjectNotExist' : 'OTSNoPermissionAccess'))
})

test('a batch needs the right on each of its tables', async () => {
  const client = service.connect(session(allow('ots:BatchGetRow', 'acs:ots:*:*:instance/yunbo/table/mine')))
  const of = (tableName: string) => ({ tableName, primaryKey: [[{ id: 'a' }]], maxVersions: 1 })
  const batch = client.batchGetRow({ tables: [of('mine'), of('other')] })
  await expect(batch).rejects.toMatchObject(refused('OTSNoPermissionAccess'))
  await client.batchGetRow({ tables: [of('mine')] })
})

test('a denial outweighs a permission', async () => {
  const policy = { Statement: [...allow('*').Statement, { Effect: 'Deny', Action: 'ots:List*', Resource: '*' }] }
  await expect(service.connect(session(policy)).listTable({})).rejects.toMatchObject(refused('OTSNoPermissionAccess'))
})
