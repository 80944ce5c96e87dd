import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pushStringToSign } from '../../../local/mns/notification.ts'
import vector from '../../vectors/mns-push.json' with { type: 'json' }
import { ACCOUNT, answerOf, mnsClient, type OpenMns, openMns, raw } from './open.ts'

let mns: OpenMns

beforeAll(async () => {
  mns = await openMns()
  await mns.client.createQueue('jobs')
})
afterAll(() => mns.close())

const HOUR_MS = 3_600_000

function session(policy?: object) {
  return mns.credentials.issue({
    role: 'worker',
    sessionName: 'test',
    durationSeconds: 900,
    ...(policy ? { policy: JSON.stringify(policy) } : {}),
  })
}

/** The account's requests with something wrong about them. */
async function send(headers: Readonly<Record<string, string | undefined>>, body = '') {
  const date = new Date().toUTCString()
  const digest = Buffer.from(createHash('md5').update(body).digest('hex')).toString('base64')
  const all = { date, 'content-type': 'text/xml', 'content-md5': digest, 'x-mns-version': '2015-06-06', ...headers }
  const text = `GET\n${all['content-md5']}\n${all['content-type']}\n${all.date}\nx-mns-version:${all['x-mns-version']}\n/queues/jobs`
  const signature = createHmac('sha1', ACCOUNT.accessKeySecret).update(text).digest('base64')
  const signed = { authorization: `MNS ${ACCOUNT.accessKeyId}:${signature}`, ...all }
  const given = Object.entries(signed).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return answerOf(await fetch(`${mns.url}/queues/jobs`, { headers: given }))
}

describe('a request', () => {
  test('that is signed is answered', async () => {
    const { status, headers } = await send({})
    expect([status, headers.get('x-mns-version')]).toEqual([200, '2015-06-06'])
    expect(headers.get('x-mns-request-id')).toMatch(/^[0-9A-F]{24}$/)
  })

  test.each([
    ['no signature', { authorization: undefined }, 400, 'MissingAuthorizationHeader'],
    ['a signature of no kind', { authorization: 'Bearer x' }, 400, 'InvalidAuthorizationHeader'],
    ['another signature', { authorization: `MNS ${ACCOUNT.accessKeyId}:AAAA` }, 403, 'SignatureDoesNotMatch'],
    ['an unknown key', { authorization: 'MNS LTAInobody:AAAA' }, 403, 'InvalidAccessKeyId'],
    ['no version', { 'x-mns-version': undefined }, 400, 'MissingVersionHeader'],
    ['another version', { 'x-mns-version': '2014-01-01' }, 400, 'InvalidVersionHeader'],
    ['no date', { date: undefined }, 400, 'MissingDateHeader'],
    ['what is no date', { date: 'yesterday' }, 400, 'InvalidDateHeader'],
    ['an old date', { date: new Date(Date.now() - HOUR_MS).toUTCString() }, 408, 'TimeExpired'],
    ['the digest of something else', { 'content-md5': 'AAAA' }, 400, 'InvalidDegist'],
  ])('with %s is refused', async (_what, headers, status, code) => {
    const answer = await send(headers)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(answer.xml('Error').value('RequestId')).toBe(answer.headers.get('x-mns-request-id'))
    expect(answer.xml('Error').value('HostId')).toBe(mns.url)
  })

  test('may be dated by the machine when the local clock was moved', async () => {
    const own = await openMns()
    await own.client.createQueue('q')
    await own.advance(5 * HOUR_MS)
    expect((await raw(own.url, 'GET', '/queues/q')).status).toBe(200)
    expect((await raw(own.url, 'GET', '/queues/q', { date: own.now() })).status).toBe(200)
    expect((await raw(own.url, 'GET', '/queues/q', { date: own.now() - HOUR_MS })).code).toBe('TimeExpired')
    await own.close()
  })

  test('is signed in the newer way as well', async () => {
    const date = new Date()
    const time = date.toISOString().replace(/[-:]|\.\d+/g, '')
    const scope = `${time.slice(0, 8)}/cn-hangzhou/mns/aliyun_v4_request`
    const headers = { 'content-type': 'text/xml;charset=UTF-8', 'x-mns-version': '2015-06-06' }
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
    const canonical = `GET\n/queues/jobs/messages\nnumofmessages=1&peekonly=true\n${lines.join('')}\n`
    const key = scope
      .split('/')
      .reduce<Buffer>(
        (from, step) => createHmac('sha256', from).update(step).digest(),
        Buffer.from(`aliyun_v4${ACCOUNT.accessKeySecret}`),
      )
    const text = `MNS4-HMAC-SHA256\n${time}\n${scope}\n${canonical}`
    const signature = createHmac('sha256', key).update(text).digest('hex')
    const ask = async (given: string) => {
      const authorization = `MNS4-HMAC-SHA256 Credential=${ACCOUNT.accessKeyId}/${scope},Signature=${given}`
      const path = '/queues/jobs/messages?peekonly=true&numOfMessages=1'
      return answerOf(
        await fetch(`${mns.url}${path}`, { headers: { ...headers, authorization, date: date.toUTCString() } }),
      )
    }
    expect((await ask(signature)).code).toBe('MessageNotExist')
    expect((await ask('0'.repeat(64))).code).toBe('SignatureDoesNotMatch')
  })
})

describe('a session', () => {
  test('may do what its policy says, and nothing else', async () => {
    const keys = session({
      Version: '1',
      Statement: [
        { Effect: 'Allow', Action: 'mns:SendMessage', Resource: 'acs:mns:*:*:/queues/jobs/messages' },
        { Effect: 'Allow', Action: 'mns:Get*', Resource: '*' },
      ],
    })
    const client = mnsClient(mns.url, keys)
    expect((await client.sendMessage('jobs', { MessageBody: 'x' })).code).toBe(201)
    expect((await client.getQueueAttributes('jobs')).code).toBe(200)
    const denied = { name: 'MNSAccessDeniedError' }
    await expect(client.receiveMessage('jobs')).rejects.toMatchObject(denied)
    await expect(client.sendMessage('other', { MessageBody: 'x' })).rejects.toMatchObject(denied)
    await expect(client.createQueue('mine')).rejects.toMatchObject(denied)
  })

  test('without a policy may do everything, until it ends', async () => {
    const own = await openMns()
    const keys = own.credentials.issue({ role: 'worker', sessionName: 'test', durationSeconds: 900 })
    const client = mnsClient(own.url, keys)
    expect((await client.createQueue('mine')).code).toBe(201)
    await own.advance(900_000)
    await expect(client.createQueue('late')).rejects.toMatchObject({ name: 'MNSInvalidSecurityTokenError' })
    await own.close()
  })

  test('is nobody without its token', async () => {
    const { accessKeyId, accessKeySecret } = session()
    const client = mnsClient(mns.url, { accessKeyId, accessKeySecret })
    await expect(client.getQueueAttributes('jobs')).rejects.toMatchObject({ name: 'MNSInvalidSecurityTokenError' })
  })
})

test('the text under the signature of a push is that of the service', () => {
  const [method, md5 = '', type = '', date = '', ...rest] = vector.stringToSign.split('\n')
  const path = rest.pop() ?? ''
  const own = rest.map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string])
  const headers = { ...Object.fromEntries(own.reverse()), 'content-md5': md5, 'content-type': type, date }
  expect(method).toBe('POST')
  expect(pushStringToSign({ method: 'POST', path, headers })).toBe(vector.stringToSign)
})

test.each([
  ['PUT', '/queues/broken', '<Queue>'],
  ['PUT', '/queues/broken', ''],
  ['PUT', '/queues/broken', '<Topic/>'],
  ['PUT', '/queues/broken', '<!DOCTYPE x [<!ENTITY a "b">]><Queue>&a;</Queue>'],
  ['POST', '/queues/jobs/messages', '<Message><MessageBody>x</Message>'],
  ['POST', '/queues/jobs/messages', 'hello'],
])('%s %s with %j is no document', async (method, path, body) => {
  const { status, code } = await raw(mns.url, method, path, { body })
  expect([status, code]).toEqual([400, 'MalformedXML'])
})

test('a body of more than 2 MB is refused', async () => {
  const body = `<Message><MessageBody>${'x'.repeat(2_100_000)}</MessageBody></Message>`
  expect((await raw(mns.url, 'POST', '/queues/jobs/messages', { body })).status).toBe(413)
})
