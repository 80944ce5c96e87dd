import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, type OpenOss, openOss } from './open.ts'
import { type RawRequest, send, sendSigned } from './raw.ts'

let oss: OpenOss
let bucket: string
let owner: Client
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())
beforeEach(async () => {
  bucket = `rules-${randomUUID()}`
  owner = oss.client('V4')
  await owner.putBucket(bucket)
  owner.useBucket(bucket)
  await owner.put('open/key', Buffer.from('open'))
  await owner.put('key', Buffer.from('closed'))
})

const refused = { status: 403, code: 'AccessDenied' }
const anonymous = (path: string, request: Partial<RawRequest> = {}) =>
  send(oss.service.port, { path: `/${bucket}/${path}`, ...request })
const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}
const set = async (parameter: string, body: string) =>
  expect(await signed({ method: 'PUT', path: `/${bucket}/?${parameter}`, body })).toMatchObject({ status: 200 })

function setPolicy(...statements: object[]) {
  return set('policy', JSON.stringify({ Version: '1', Statement: statements }))
}

describe('the policy of a bucket', () => {
  const resource = (path: string) => [`acs:oss:*:*:${bucket}${path}`]

  test('opens what it allows to everyone, and nothing else', async () => {
    expect(await anonymous('open/key')).toMatchObject(refused)
    await setPolicy({ Effect: 'Allow', Action: ['oss:GetObject'], Principal: ['*'], Resource: resource('/open/*') })
    expect(await anonymous('open/key')).toMatchObject({ status: 200, text: 'open' })
    expect(await anonymous('key')).toMatchObject(refused)
    expect(await anonymous('open/key', { method: 'DELETE' })).toMatchObject(refused)
    expect(await anonymous('')).toMatchObject(refused)
    expect(await signed({ path: `/${bucket}/?policyStatus` })).toMatchObject({
      text: expect.stringContaining('>true<'),
    })
  })

  test('denies even where the ACL allows', async () => {
    await owner.putBucketACL(bucket, 'public-read')
    expect(await anonymous('key')).toMatchObject({ status: 200 })
    await setPolicy({ Effect: 'Deny', Action: ['oss:GetObject'], Principal: ['*'], Resource: resource('/key') })
    expect(await anonymous('key')).toMatchObject(refused)
    expect(await anonymous('open/key')).toMatchObject({ status: 200 })
  })

  test('denies a session what its own policy allows, by its name', async () => {
    const session = (role: string) =>
      oss.client('V4', oss.credentials.issue({ role, sessionName: 's', durationSeconds: 900 }))
    const Principal = [`arn:sts::${oss.credentials.accountId}:assumed-role/writer/*`]
    await setPolicy({ Effect: 'Deny', Action: ['oss:*'], Principal, Resource: resource('/*') })
    for (const [role, outcome] of [
      ['writer', refused],
      ['reader', undefined],
    ] as const) {
      const client = session(role)
      client.useBucket(bucket)
      if (outcome) await expect(client.get('key')).rejects.toMatchObject(outcome)
      else await client.get('key')
    }
  })

  test('binds the owner too, who can always take it back', async () => {
    await setPolicy({
      Effect: 'Deny',
      Action: ['oss:*'],
      Principal: ['*'],
      Resource: [...resource(''), ...resource('/*')],
    })
    await expect(owner.get('key')).rejects.toMatchObject(refused)
    await expect(owner.listV2({})).rejects.toMatchObject(refused)
    expect(await signed({ method: 'DELETE', path: `/${bucket}/?policy` })).toMatchObject({ status: 204 })
    expect((await owner.get('key')).content.toString()).toBe('closed')
  })

  test('looks at its conditions', async () => {
    const statement = { Effect: 'Allow', Action: 'oss:GetObject', Principal: '*', Resource: resource('/*') }
    await setPolicy({ ...statement, Condition: { IpAddress: { 'acs:SourceIp': ['10.0.0.0/8'] } } })
    expect(await anonymous('key')).toMatchObject(refused)
    await setPolicy({ ...statement, Condition: { IpAddress: { 'acs:SourceIp': ['127.0.0.0/8'] } } })
    expect(await anonymous('key')).toMatchObject({ status: 200 })
    await setPolicy({ ...statement, Principal: ['1234'] })
    expect(await anonymous('key')).toMatchObject(refused)
  })
})

test('a bucket that blocks public access is neither opened nor left open', async () => {
  await owner.putBucketACL(bucket, 'public-read')
  await set(
    'publicAccessBlock',
    '<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>',
  )
  expect(await anonymous('key')).toMatchObject(refused)
  await expect(owner.putBucketACL(bucket, 'public-read-write')).rejects.toMatchObject(refused)
  const Statement = [{ Effect: 'Allow', Action: 'oss:GetObject', Principal: '*', Resource: '*' }]
  const body = JSON.stringify({ Version: '1', Statement })
  expect(await signed({ method: 'PUT', path: `/${bucket}/?policy`, body })).toMatchObject(refused)
  expect(await signed({ method: 'DELETE', path: `/${bucket}/?publicAccessBlock` })).toMatchObject({ status: 204 })
  expect(await anonymous('key')).toMatchObject({ status: 200 })
})

describe('a list of referers', () => {
  const list = (allowEmpty: boolean, referers: string[], more = '') =>
    `<RefererConfiguration><AllowEmptyReferer>${allowEmpty}</AllowEmptyReferer><RefererList>${referers.map((one) => `<Referer>${one}</Referer>`).join('')}</RefererList>${more}</RefererConfiguration>`
  const from = (referer: string) => anonymous('key', { headers: referer === '' ? {} : { referer } })
  beforeEach(() => owner.putBucketACL(bucket, 'public-read'))

  test.each<[string, boolean, number]>([
    ['http://www.example.com/page', false, 200],
    ['http://www.example.com', false, 200],
    ['https://a.example.org/', false, 200],
    ['http://www.example.com.evil.net/', false, 403],
    ['http://evil.net/http://www.example.com/', false, 403],
    ['', false, 403],
    ['', true, 200],
  ])('from %j, empty ones allowed: %s, answers %i', async (referer, allowEmpty, status) => {
    await set('referer', list(allowEmpty, ['http://www.example.com', '*.example.org']))
    expect(await from(referer)).toMatchObject({ status })
  })

  test('binds signed URLs and not signed headers', async () => {
    await set('referer', list(false, ['http://www.example.com']))
    expect((await owner.get('key')).content.toString()).toBe('closed')
    const url = new URL(oss.client('V1').signatureUrl('key').replace('/bucket-one/', `/${bucket}/`))
    const answer = await send(oss.service.port, { path: url.pathname + url.search })
    expect(answer.status).toBe(403)
  })

  test('without a name in it lets everyone in', async () => {
    await set('referer', list(false, []))
    expect(await from('http://any.example.net/')).toMatchObject({ status: 200 })
  })

  test('has names that are kept out', async () => {
    const black = '<RefererBlacklist><Referer>http://evil.net</Referer></RefererBlacklist>'
    await set('referer', list(true, [], black))
    expect(await from('http://evil.net/x')).toMatchObject(refused)
    expect(await from('http://good.net/x')).toMatchObject({ status: 200 })
  })
})

describe('a website', () => {
  const website = (more = '') =>
    `<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix>${more}</IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>`
  beforeEach(async () => {
    await owner.putBucketACL(bucket, 'public-read')
    await owner.put('index.html', Buffer.from('root index'))
    await owner.put('sub/index.html', Buffer.from('sub index'))
    await owner.put('error.html', Buffer.from('not here'))
  })

  test('has an index for its root and its folders, and a page for what is missing', async () => {
    await set('website', website())
    const root = await send(oss.service.port, { path: '/', headers: { host: `${bucket}.localhost` } })
    expect(root).toMatchObject({ status: 200, text: 'root index' })
    expect(root.headers['content-type']).toBe('text/html')
    expect(await anonymous('sub/')).toMatchObject({ status: 200, text: 'root index' })
    expect(await anonymous('missing')).toMatchObject({ status: 404, text: 'not here' })
    expect(await anonymous('key')).toMatchObject({ status: 200, text: 'closed' })
    await set('website', website('<SupportSubDir>true</SupportSubDir>'))
    expect(await anonymous('sub/')).toMatchObject({ status: 200, text: 'sub index' })
    expect(await anonymous('none/')).toMatchObject({ status: 404, text: 'not here' })
  })

  test('tells a program that signs its requests what is missing', async () => {
    await set('website', website())
    await expect(owner.get('missing')).rejects.toMatchObject({ status: 404, code: 'NoSuchKey' })
    expect((await owner.get('folder/')).content.toString()).toBe('root index')
    expect((await owner.listV2({})).objects.length).toBeGreaterThan(0)
  })
})
