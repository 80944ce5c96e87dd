import { createHmac } from 'node:crypto'
import http from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { SessionCredentials } from '../../../local/wire/credentials.ts'
import { BUCKET, type OpenOss, openOss } from './open.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

let uploads = 0
const newKey = () => `form/${++uploads}.txt`
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
const url = () => `${oss.service.url}/${BUCKET}`

type Fields = Readonly<Record<string, string>>

/** Fields signed as version 1 wants it, by ali-oss itself. */
function signedV1(policy: unknown, session?: SessionCredentials): Fields {
  const client = oss.client('V1', session)
  const { OSSAccessKeyId, Signature, policy: encoded } = client.calculatePostSignature(JSON.stringify(policy))
  const token: Fields = session ? { 'x-oss-security-token': session.securityToken } : {}
  return { OSSAccessKeyId, Signature, policy: encoded, ...token }
}

const anything = () => ({ expiration: inAnHour(), conditions: [{ bucket: BUCKET }] })

async function post(fields: Fields, file: Blob | string = 'hello', fileName = 'hello.txt') {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', typeof file === 'string' ? new Blob([file], { type: 'text/plain' }) : file, fileName)
  return await fetch(url(), { method: 'POST', body: form, redirect: 'manual' })
}

async function refusal(answer: Response) {
  const text = await answer.text()
  const [, code] = /<Code>(.*)<\/Code>/.exec(text) ?? []
  const [, message] = /<Message>(.*)<\/Message>/.exec(text) ?? []
  return { status: answer.status, code, message: message?.replaceAll('&quot;', '"').replaceAll('&apos;', "'") }
}

const stored = async (key: string) => String((await oss.client('V1').get(key)).content)

describe('a form', () => {
  test('of a browser, signed as version 1, stores its file', async () => {
    const key = newKey()
    const answer = await post({ key, ...signedV1(anything()) })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('etag')).toBe('"5D41402ABC4B2A76B9719D911017C592"')
    expect(await stored(key)).toBe('hello')
    const head = await oss.client('V1').head(key)
    expect(head.res.headers).toMatchObject({ 'content-type': 'text/plain', 'x-oss-object-type': 'Normal' })
  })

  test('tells whoever listens that it was a PostObject', async () => {
    const key = newKey()
    await post({ key, ...signedV1(anything()) })
    expect(oss.events.at(-1)).toMatchObject({ eventName: 'ObjectCreated:PostObject', key, size: 5 })
  })

  test('keeps what its fields say about the object', async () => {
    const key = newKey()
    const fields = {
      key,
      'Content-Type': 'video/mp4',
      'cache-control': 'no-cache',
      'Content-Disposition': 'attachment;filename=a.mp4',
      'x-oss-meta-name': 'Jürgen 影',
      'x-oss-object-acl': 'public-read',
      'x-oss-storage-class': 'IA',
      'x-oss-tagging': 'a=1&b=2',
    }
    expect((await post({ ...fields, ...signedV1(anything()) })).status).toBe(204)
    const answer = await fetch(`${url()}/${key}`)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'video/mp4',
      'cache-control': 'no-cache',
      'content-disposition': 'attachment;filename=a.mp4',
      'x-oss-storage-class': 'IA',
      'x-oss-tagging-count': '2',
    })
    expect(Buffer.from(answer.headers.get('x-oss-meta-name') ?? '', 'latin1').toString()).toBe('Jürgen 影')
  })

  test('takes x-oss-content-type before all others', async () => {
    const key = newKey()
    await post({ key, 'content-type': 'text/html', 'x-oss-content-type': 'image/png', ...signedV1(anything()) })
    expect((await fetch(oss.client('V1').signatureUrl(key))).headers.get('content-type')).toBe('image/png')
  })

  test('puts the name of the file into its key, without folders', async () => {
    const answer = await post({ key: 'by-name/${filename}', ...signedV1(anything()) }, 'x', 'C:\\films\\my "film".mp4')
    expect(answer.status).toBe(204)
    const { objects } = await oss.client('V1').listV2({ prefix: 'by-name/' })
    expect(objects.map(({ name }) => name)).toEqual(['by-name/my %22film%22.mp4'])
  })

  test.each([
    ['200', 200],
    ['204', 204],
    ['999', 204],
  ])('with success_action_status %s is answered %i without a body', async (status, expected) => {
    const answer = await post({ key: newKey(), success_action_status: status, ...signedV1(anything()) })
    expect(answer.status).toBe(expected)
    expect(await answer.text()).toBe('')
  })

  test('with success_action_status 201 is answered a document', async () => {
    const key = 'form/a b&c.txt'
    const answer = await post({ key, success_action_status: '201', ...signedV1(anything()) })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('content-type')).toBe('application/xml')
    const text = (await answer.text()).replaceAll(/\s*\n\s*/g, '')
    expect(text).toContain(
      '<PostResponse><Bucket>bucket-one</Bucket><ETag>&quot;5D41402ABC4B2A76B9719D911017C592&quot;</ETag>' +
        '<Key>form/a b&amp;c.txt</Key><Location>',
    )
  })

  test('with success_action_redirect is sent to that page, which is told what was stored', async () => {
    const key = newKey()
    const page = 'https://example.com/done?from=form'
    const answer = await post({ key, success_action_redirect: page, ...signedV1(anything()) })
    expect(answer.status).toBe(303)
    const to = new URL(answer.headers.get('location') ?? '')
    expect(to.origin + to.pathname).toBe('https://example.com/done')
    expect(Object.fromEntries(to.searchParams)).toEqual({
      from: 'form',
      bucket: BUCKET,
      key,
      etag: '"5D41402ABC4B2A76B9719D911017C592"',
    })
  })

  test('may forbid to overwrite', async () => {
    const key = newKey()
    const fields = { key, 'x-oss-forbid-overwrite': 'true', ...signedV1(anything()) }
    expect((await post(fields)).status).toBe(204)
    expect(await refusal(await post(fields, 'other'))).toMatchObject({ status: 409, code: 'FileAlreadyExists' })
    expect(await stored(key)).toBe('hello')
  })

  test('of nobody is taken where everybody may write, and only there', async () => {
    const key = newKey()
    expect(await refusal(await post({ key }))).toMatchObject({ status: 403, code: 'AccessDenied' })
    await oss.client('V1').putBucketACL(BUCKET, 'public-read-write')
    try {
      expect((await post({ key })).status).toBe(204)
    } finally {
      await oss.client('V1').putBucketACL(BUCKET, 'private')
    }
  })

  test('is judged by itself, not by a signature in the headers', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ key: newKey(), ...signedV1(anything()) })) form.append(name, value)
    form.append('file', new Blob(['x']))
    const answer = await fetch(url(), { method: 'POST', body: form, headers: { authorization: 'OSS nobody:nothing' } })
    expect(answer.status).toBe(204)
  })

  test('of a session is held to its policy', async () => {
    const statement = { Effect: 'Allow', Action: 'oss:PutObject', Resource: [`acs:oss:*:*:${BUCKET}/mine/*`] }
    const policy = JSON.stringify({ Version: '1', Statement: [statement] })
    const session = oss.credentials.issue({ role: 'r', sessionName: 's', policy, durationSeconds: 900 })
    const signed = signedV1(anything(), session)
    expect((await post({ key: 'mine/a', ...signed })).status).toBe(204)
    expect(await refusal(await post({ key: 'other/a', ...signed }))).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    })
    const { 'x-oss-security-token': _, ...withoutToken } = signed
    expect((await refusal(await post({ key: 'mine/a', ...withoutToken }))).code).toBe('InvalidAccessKeyId')
  })

  test('of 40 MB is stored whole, whatever its bytes look like', async () => {
    const key = newKey()
    const bytes = Buffer.alloc(40 * 1024 * 1024, '\r\n--\r\n-')
    expect((await post({ key, ...signedV1(anything()) }, new Blob([bytes]))).status).toBe(204)
    const { content } = await oss.client('V1').get(key)
    expect(Buffer.compare(content as Buffer, bytes)).toBe(0)
  })
})

describe('version 4', () => {
  const credential = (day: string, region = 'cn-hangzhou') => `LTAIaccount/${day}/${region}/oss/aliyun_v4_request`

  /** Signed by hand, so that each field can be wrong; ali-oss signs the same in a test of its own below. */
  function signedV4(change: Fields = {}, time = new Date(), policyChange: Fields = {}): Fields {
    const date = `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
    const day = date.slice(0, 8)
    const fields = {
      'x-oss-signature-version': 'OSS4-HMAC-SHA256',
      'x-oss-credential': credential(day),
      'x-oss-date': date,
      ...change,
    }
    const fixed = Object.entries({ ...fields, ...policyChange }).map(([name, value]) => ({ [name]: value }))
    const policy = base64({ expiration: inAnHour(), conditions: [{ bucket: BUCKET }, ...fixed] })
    const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
    const steps = [day, 'cn-hangzhou', 'oss', 'aliyun_v4_request']
    const key = steps.reduce<Buffer>(hmac, Buffer.from('aliyun_v4account-secret'))
    return { ...fields, policy, 'x-oss-signature': hmac(key, policy).toString('hex') }
  }

  test('signs a form', async () => {
    const key = newKey()
    expect((await post({ key, ...signedV4() })).status).toBe(204)
    expect(await stored(key)).toBe('hello')
  })

  test('is what ali-oss makes', async () => {
    const client = oss.client('V4')
    const { policy, 'x-oss-signature': own, ...fields } = signedV4()
    const time = new Date()
    const signature = client.signPostObjectPolicyV4(JSON.parse(Buffer.from(policy ?? '', 'base64').toString()), time)
    expect(signature).toBe(own)
    expect((await post({ key: newKey(), ...fields, policy: policy ?? '', 'x-oss-signature': signature })).status).toBe(
      204,
    )
  })

  test.each<[string, Fields, string, number]>([
    ['another version', { 'x-oss-signature-version': 'OSS5' }, 'InvalidArgument', 400],
    ['another region', { 'x-oss-credential': credential('20260101', 'cn-beijing') }, 'InvalidArgument', 400],
    ['a day that is not the one of its date', { 'x-oss-credential': credential('20200101') }, 'InvalidArgument', 400],
    [
      'an unknown key',
      { 'x-oss-credential': 'nobody/20260101/cn-hangzhou/oss/aliyun_v4_request' },
      'InvalidArgument',
      400,
    ],
  ])('with %s is refused', async (_what, change, code, status) => {
    expect(await refusal(await post({ key: newKey(), ...signedV4(change) }))).toMatchObject({ status, code })
  })

  test('with a wrong signature is refused', async () => {
    const answer = await post({ key: newKey(), ...signedV4(), 'x-oss-signature': 'f'.repeat(64) })
    expect(await refusal(answer)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
  })

  test('is over after seven days, and refused when it is from the future', async () => {
    const old = new Date(Date.now() - 8 * 86_400_000)
    expect(await refusal(await post({ key: newKey(), ...signedV4({}, old) }))).toMatchObject({ code: 'AccessDenied' })
    const early = new Date(Date.now() + 3_600_000)
    const answer = await post({ key: newKey(), ...signedV4({}, early) })
    expect(await refusal(answer)).toMatchObject({ code: 'RequestTimeTooSkewed' })
  })

  test('wants what it is made from in the policy', async () => {
    const answer = await post({ key: newKey(), ...signedV4({}, new Date(), { 'x-oss-date': '20200101T000000Z' }) })
    expect(await refusal(answer)).toMatchObject({ status: 403, code: 'AccessDenied' })
  })
})

describe('a policy', () => {
  const withConditions = (...conditions: unknown[]) => signedV1({ expiration: inAnHour(), conditions })

  test.each<[string, unknown, Fields]>([
    ['eq', ['eq', '$key', 'form/eq'], { key: 'form/eq' }],
    ['eq of the bucket', ['eq', '$bucket', BUCKET], { key: 'form/bucket' }],
    ['an object', { key: 'form/object' }, { key: 'form/object' }],
    ['another case of the name', ['eq', '$Content-TYPE', 'a/b'], { key: 'form/case', 'content-type': 'a/b' }],
    ['starts-with', ['starts-with', '$key', 'form/'], { key: 'form/start' }],
    ['starts-with nothing', ['starts-with', '$x-oss-meta-tag', ''], { key: 'form/empty' }],
    ['in', ['in', '$content-type', ['a/b', 'c/d']], { key: 'form/in', 'content-type': 'c/d' }],
    ['in, of the file', ['in', '$content-type', ['text/plain']], { key: 'form/in-file' }],
    ['not-in', ['not-in', '$cache-control', ['no-cache']], { key: 'form/not-in' }],
    ['a key before its name is put in', ['eq', '$key', 'form/${filename}'], { key: 'form/${filename}' }],
    ['a status', ['eq', '$success_action_status', '200'], { key: 'form/status', success_action_status: '200' }],
    ['a size at its lower end', ['content-length-range', 5, 100], { key: 'form/min' }],
    ['a size at its upper end', ['content-length-range', 0, 5], { key: 'form/max' }],
    ['a callback that is not asked for', ['not-in', '$callback', ['x']], { key: 'form/callback' }],
  ])('lets %s through', async (_name, condition, fields) => {
    const answer = await post({ ...fields, ...withConditions(condition) })
    expect([answer.status, await answer.text()]).toEqual([fields.success_action_status ? 200 : 204, ''])
  })

  test.each<[string, unknown, Fields, string]>([
    ['eq', ['eq', '$key', 'form/a'], { key: 'form/b' }, '["eq", "$key", "form/a"]'],
    ['an object', { bucket: 'another' }, { key: 'form/b' }, '["eq", "$bucket", "another"]'],
    ['eq of a missing field', ['eq', '$x-oss-meta-a', ''], { key: 'form/b' }, '["eq", "$x-oss-meta-a", ""]'],
    ['starts-with', ['starts-with', '$key', 'a/'], { key: 'form/b' }, '["starts-with", "$key", "a/"]'],
    ['in', ['in', '$content-type', ['a/b', 'c/d']], { key: 'x' }, '["in", "$content-type", ["a/b", "c/d"]]'],
    [
      'not-in',
      ['not-in', '$content-type', ['text/plain']],
      { key: 'x' },
      '["not-in", "$content-type", ["text/plain"]]',
    ],
    ['another callback', { callback: 'abc' }, { key: 'x', callback: 'def' }, '["eq", "$callback", "abc"]'],
  ])('refuses what %s does not allow', async (_name, condition, fields, shown) => {
    expect(await refusal(await post({ ...fields, ...withConditions(condition) }))).toEqual({
      status: 403,
      code: 'AccessDenied',
      message: `Invalid according to Policy: Policy Condition failed: ${shown}`,
    })
  })

  test('refuses a file of another size and stores nothing of it', async () => {
    const key = newKey()
    const large = await post({ key, ...withConditions(['content-length-range', 0, 4]) })
    expect(await refusal(large)).toMatchObject({ status: 400, code: 'EntityTooLarge' })
    const small = await post({ key, ...withConditions(['content-length-range', 6, 9]) })
    expect(await refusal(small)).toMatchObject({ status: 400, code: 'EntityTooSmall' })
    await expect(oss.client('V1').head(key)).rejects.toMatchObject({ status: 404 })
  })

  test('that is over is refused, by the clock of the cloud', async () => {
    const signed = signedV1({ expiration: '2026-01-01T00:00:00.000Z', conditions: [{ bucket: BUCKET }] })
    expect(await refusal(await post({ key: newKey(), ...signed }))).toEqual({
      status: 403,
      code: 'AccessDenied',
      message: 'Invalid according to Policy: Policy expired.',
    })
  })

  const expiration = '2050-01-01T00:00:00.000Z'
  test.each<[string, unknown]>([
    ['no JSON object', 'text'],
    ['nothing in it', {}],
    ['no conditions', { expiration }],
    ['no expiration', { conditions: [{ bucket: BUCKET }] }],
    ['something else in it', { expiration, conditions: [{ bucket: BUCKET }], test: 'test' }],
    ['a number as expiration', { expiration: 123, conditions: [{ bucket: BUCKET }] }],
    ['an empty expiration', { expiration: '', conditions: [{ bucket: BUCKET }] }],
    ['an expiration in another format', { expiration: '2050-01-01 00:00:00', conditions: [{ bucket: BUCKET }] }],
    ['conditions that are no list', { expiration, conditions: 123 }],
    ['an empty list of conditions', { expiration, conditions: [] }],
    ['a condition that is a number', { expiration, conditions: [123] }],
    ['an object with two properties', { expiration, conditions: [{ a: 'a', b: 'b' }] }],
    ['an object with a number', { expiration, conditions: [{ a: 1 }] }],
    ['an unknown mode', { expiration, conditions: [['ends-with', '$key', 'a']] }],
    ['a mode alone', { expiration, conditions: [['$key']] }],
    ['one value too many', { expiration, conditions: [['starts-with', '$key', 'a', 'b']] }],
    ['a list where text belongs', { expiration, conditions: [['eq', '$key', ['a']]] }],
    ['text where a list belongs', { expiration, conditions: [['not-in', '$cache-control', 'no-cache']] }],
    ['a field without $', { expiration, conditions: [['eq', 'key', 'a']] }],
    ['a range of text', { expiration, conditions: [['content-length-range', 10, 'test']] }],
    ['a range upside down', { expiration, conditions: [['content-length-range', 20, 10]] }],
    ['a negative range', { expiration, conditions: [['content-length-range', -1, 10]] }],
  ])('with %s is refused as InvalidPolicyDocument', async (_name, policy) => {
    const answer = await refusal(await post({ key: newKey(), ...signedV1(policy) }))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidPolicyDocument' })
    expect(answer.message).toMatch(/^Invalid Policy: /)
  })

  test('that is no base64 is refused', async () => {
    const policy = '***'
    const Signature = createHmac('sha1', 'account-secret').update(policy).digest('base64')
    const answer = await post({ key: newKey(), OSSAccessKeyId: 'LTAIaccount', policy, Signature })
    expect(await refusal(answer)).toMatchObject({ status: 400, code: 'InvalidPolicyDocument' })
  })
})

describe('a form that is wrong', () => {
  test.each(['OSSAccessKeyId', 'Signature', 'policy'])('without %s, beside the others, is refused', async (name) => {
    const { [name]: _, ...fields } = signedV1(anything())
    const answer = await refusal(await post({ key: newKey(), ...fields }))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
    expect(answer.message).toContain(`'${name}'`)
  })

  test.each<[string, Fields, number, string]>([
    ['without a key', {}, 400, 'InvalidArgument'],
    ['with an empty key', { key: '' }, 400, 'InvalidObjectName'],
    ['with a key that begins with a slash', { key: '/a' }, 400, 'InvalidObjectName'],
    ['with an unknown access rule', { key: 'a', 'x-oss-object-acl': 'mine' }, 400, 'InvalidArgument'],
    ['with a wrong sum', { key: 'a', 'content-md5': 'XrY7u+Ae7tCTyyK7j1rNww==' }, 400, 'InvalidDigest'],
    ['with a value of 3 MB', { key: 'a', note: 'x'.repeat(3 * 1024 * 1024) }, 400, 'FieldItemTooLong'],
    ['with a name of 9 KB', { key: 'a', ['n'.repeat(9 * 1024)]: 'x' }, 400, 'FieldItemTooLong'],
  ])('%s is refused', async (_name, fields, status, code) => {
    expect(await refusal(await post({ ...fields, ...signedV1(anything()) }))).toMatchObject({ status, code })
  })

  test('signed with another secret is refused', async () => {
    const answer = await post({ key: newKey(), ...signedV1(anything()), Signature: 'c2lnbmF0dXJl' })
    expect(await refusal(answer)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    const other = await post({ key: newKey(), ...signedV1(anything()), OSSAccessKeyId: 'nobody' })
    expect(await refusal(other)).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' })
  })

  test('for a bucket that does not exist is refused', async () => {
    const form = new FormData()
    form.append('file', new Blob(['x']))
    const answer = await fetch(`${oss.service.url}/no-such-bucket`, { method: 'POST', body: form })
    expect(await refusal(answer)).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  })

  test('that is none at all is refused', async () => {
    const answer = await fetch(url(), { method: 'POST', body: 'text' })
    expect(await refusal(answer)).toEqual({
      status: 400,
      code: 'RequestIsNotMultiPartContent',
      message: 'Bucket POST must be of the enclosure-type multipart/form-data.',
    })
  })
})

describe('the body of a form', () => {
  const type = 'multipart/form-data; boundary="the b"'
  const signedParts = () =>
    Object.entries(signedV1(anything())).map(
      ([name, value]) => `--the b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
  const part = (disposition: string, value: string) =>
    `--the b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`
  const send = (body: string, contentType = type) =>
    fetch(url(), { method: 'POST', body: Buffer.from(body), headers: { 'content-type': contentType } })

  test.each<[string, (key: string, rest: string) => string, string]>([
    ['a preamble', (key, rest) => `before\r\n${part('name="key"', key)}${rest}--the b--\r\n`, 'DATA'],
    ['an epilogue', (key, rest) => `${part('name="key"', key)}${rest}--the b--\r\nafter`, 'DATA'],
    ['no last line end', (key, rest) => `${part('name="key"', key)}${rest}--the b--`, 'DATA'],
    ['names without quotes', (key, rest) => `${part('name=key', key)}${rest}--the b--`, 'DATA'],
    [
      'blanks behind a boundary',
      (key, rest) => `${part('name="key"', key).replace('b\r', 'b \t\r')}${rest}--the b--`,
      'DATA',
    ],
    [
      'upper case',
      (key, rest) => `${part('Name="KEY"', key).replace('Content-D', 'CONTENT-d')}${rest}--the b--`,
      'DATA',
    ],
    [
      'fields behind the file',
      (key, rest) => `${part('name="key"', key)}${rest}${part('name="key"', 'x')}--the b--`,
      'DATA',
    ],
  ])('may have %s', async (_name, make, expected) => {
    const key = newKey()
    const answer = await send(make(key, `${signedParts().join('')}${part('name="file"; filename="f"', 'DATA')}`))
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    expect(await stored(key)).toBe(expected)
  })

  test.each(['', '\r\n', '\n', 'a\r\n', '\r\na\n\r', '--the b', 'a\r\n--the', '\r\n--the ', '\r\n\r\n--the a\r\n'])(
    'keeps every byte of a file: %j',
    async (content) => {
      const key = newKey()
      const rest = `${signedParts().join('')}${part('name="file"; filename="f"', content)}--the b--\r\n`
      expect((await send(`${part('name="key"', key)}${rest}`)).status).toBe(204)
      expect(await stored(key)).toBe(content)
    },
  )

  test('may come in the smallest pieces', async () => {
    const key = newKey()
    const body = `${part('name="key"', key)}${signedParts().join('')}${part('name="file"', 'a\r\n--the c\r\nb')}--the b--\r\n`
    const head = `POST /${BUCKET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`
    const status = await new Promise<string>((resolve, reject) => {
      const socket = connect(oss.service.port, '127.0.0.1').setNoDelay(true).on('error', reject)
      socket.on('data', (data) => resolve(data.toString().slice(0, 12)))
      socket.write(head)
      const bytes = Buffer.from(body)
      const step = (at: number) => {
        if (at < bytes.length) socket.write(bytes.subarray(at, at + 7), () => setImmediate(step, at + 7))
      }
      step(0)
    })
    expect(status).toBe('HTTP/1.1 204')
    expect(await stored(key)).toBe('a\r\n--the c\r\nb')
  })

  test.each<[string, (rest: string) => string, string]>([
    ['no file', (rest) => `${rest}--the b--`, 'IncorrectNumberOfFilesInPOSTRequest'],
    [
      'two files',
      (rest) => `${rest}${part('name="file"', '1')}${part('name="file"', '2')}--the b--`,
      'IncorrectNumberOfFilesInPOSTRequest',
    ],
    ['nothing in it', () => '', 'MalformedPOSTRequest'],
    ['another boundary', (rest) => rest.replaceAll('the b', 'the c'), 'MalformedPOSTRequest'],
    ['no end', (rest) => `${rest}${part('name="file"', '1')}`, 'MalformedPOSTRequest'],
    [
      'an end within its file',
      (rest) => `${rest}--the b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc`,
      'MalformedPOSTRequest',
    ],
    [
      'a part without a name',
      (rest) => `${rest}--the b\r\nContent-Type: text/plain\r\n\r\nx\r\n--the b--`,
      'MalformedPOSTRequest',
    ],
    [
      'line ends of LF alone',
      (rest) => `${rest}${part('name="file"', '1')}--the b--`.replaceAll('\r\n', '\n'),
      'MalformedPOSTRequest',
    ],
  ])('with %s is refused, and nothing is stored', async (_name, make, code) => {
    const key = newKey()
    const answer = await send(make(`${part('name="key"', key)}${signedParts().join('')}`))
    expect(await refusal(answer)).toMatchObject({ status: 400, code })
    await expect(oss.client('V1').head(key)).rejects.toMatchObject({ status: 404 })
  })

  test('that breaks off stores nothing', async () => {
    const key = newKey()
    const body = `${part('name="key"', key)}${signedParts().join('')}--the b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc`
    const head = `POST /${BUCKET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: 999999\r\n\r\n`
    await new Promise<void>((resolve) => {
      const socket = connect(oss.service.port, '127.0.0.1', () => socket.end(head + body)).on('error', () => {})
      socket.on('data', () => {})
      socket.on('close', () => resolve())
    })
    await expect(oss.client('V1').head(key)).rejects.toMatchObject({ status: 404 })
  })

  test('need not be read to its end for a refusal to arrive', async () => {
    const conditions = [['content-length-range', 0, 10]]
    const answer = await post(
      { key: newKey(), ...signedV1({ expiration: inAnHour(), conditions }) },
      'x'.repeat(30_000_000),
    )
    expect(await refusal(answer)).toMatchObject({ status: 400, code: 'EntityTooLarge' })
  })
})

test('a connection can be used again after a form that was refused halfway', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const boundary = 'b'
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\n`),
    Buffer.alloc(8 * 1024 * 1024, 'x'),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  const send = (sent: Buffer) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': sent.length }
      const options = { agent, port: oss.service.port, path: `/${BUCKET}`, method: 'POST', headers }
      http
        .request(options, (answer) => answer.resume().on('end', () => resolve(answer.statusCode)))
        .on('error', reject)
        .end(sent)
    })
  expect(await send(body)).toBe(400)
  expect(await send(Buffer.from(`--${boundary}--`))).toBe(400)
})
