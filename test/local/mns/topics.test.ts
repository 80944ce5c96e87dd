import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { readXml } from '../../../local/wire/xml.ts'
import { type OpenMns, openMns, openSubscriber, raw } from './open.ts'
import { verifyPush } from './verify-push.ts'

let mns: OpenMns
let counter = 0

beforeAll(async () => {
  mns = await openMns()
})
afterAll(() => mns.close())

async function newTopic(attributes?: object) {
  const name = `topic-${++counter}`
  await mns.client.createTopic(name, attributes)
  return name
}

function subscribe(topic: string, name: string, settings: Readonly<Record<string, string>>, from = mns) {
  const fields = Object.entries(settings).map(([field, value]) => `<${field}>${value}</${field}>`)
  const body = `<Subscription xmlns="http://mns.aliyuncs.com/doc/v1/">${fields.join('')}</Subscription>`
  return raw(from.url, 'PUT', `/topics/${topic}/subscriptions/${name}`, { body })
}

async function newSubscriber(...statuses: number[]) {
  const subscriber = await openSubscriber(...statuses)
  onTestFinished(() => subscriber.close())
  return subscriber
}

const queueEndpoint = (name: string) => `acs:mns:cn-hangzhou:1234567890123456:queues/${name}`

describe('a topic', () => {
  test('is made, described, changed, listed and deleted', async () => {
    const name = await newTopic({ MaximumMessageSize: 2048 })
    expect((await mns.client.createTopic(name, { MaximumMessageSize: 2048 })).code).toBe(204)
    await expect(mns.client.createTopic(name)).rejects.toMatchObject({ name: 'MNSTopicAlreadyExistError' })
    await mns.client.setTopicAttributes(name, { LoggingEnabled: true })
    expect((await mns.client.getTopicAttributes(name)).body).toMatchObject({
      TopicName: name,
      MaximumMessageSize: '2048',
      MessageRetentionPeriod: '86400',
      MessageCount: '0',
      LoggingEnabled: 'True',
    })
    const { body } = await mns.client.listTopic(undefined, 10, name)
    expect(body).toEqual([{ TopicURL: `${mns.url}/topics/${name}` }])
    await subscribe(name, 'gone', { Endpoint: queueEndpoint('q') })
    expect((await raw(mns.url, 'DELETE', `/topics/${name}`)).status).toBe(204)
    expect((await raw(mns.url, 'DELETE', `/topics/${name}`)).status).toBe(204)
    await expect(mns.client.getTopicAttributes(name)).rejects.toMatchObject({ name: 'MNSTopicNotExistError' })
    await mns.client.createTopic(name)
    const { code } = await raw(mns.url, 'GET', `/topics/${name}/subscriptions/gone`)
    expect(code).toBe('SubscriptionNotExist')
  })

  test.each([
    ['PUT', '/topics/nowhere?metaoverride=true', '<Topic/>', 'TopicNotExist'],
    ['POST', '/topics/nowhere/messages', '<Message><MessageBody>x</MessageBody></Message>', 'TopicNotExist'],
    ['GET', '/topics/nowhere/subscriptions', '', 'TopicNotExist'],
    [
      'PUT',
      '/topics/nowhere/subscriptions/s',
      `<Subscription><Endpoint>${queueEndpoint('q')}</Endpoint></Subscription>`,
      'TopicNotExist',
    ],
    ['PUT', '/topics/-bad', '<Topic/>', 'TopicNameInvalid'],
    ['PUT', `/topics/${'t'.repeat(257)}`, '<Topic/>', 'TopicNameLengthError'],
    ['PUT', '/topics/big', '<Topic><MaximumMessageSize>66560</MaximumMessageSize></Topic>', 'InvalidArgument'],
    ['PUT', '/topics/t/subscriptions/_', '<Subscription/>', 'SubscriptionNameInvalid'],
    ['PUT', `/topics/t/subscriptions/${'s'.repeat(257)}`, '<Subscription/>', 'SubscriptionNameLengthError'],
    ['PUT', '/topics/t/nonsense/s', '', 'InvalidRequestURL'],
  ])('%s %s is refused', async (method, path, body, code) => {
    expect((await raw(mns.url, method, path, { body })).code).toBe(code)
  })
})

describe('a subscription', () => {
  test('is there once, is described, listed, changed and ended', async () => {
    const topic = await newTopic()
    const settings = { Endpoint: 'https://example.com/x', NotifyStrategy: 'BACKOFF_RETRY', NotifyContentFormat: 'XML' }
    const made = await subscribe(topic, 'one', settings)
    expect([made.status, made.headers.get('location')]).toEqual([201, `${mns.url}/topics/${topic}/subscriptions/one`])
    expect((await subscribe(topic, 'one', settings)).status).toBe(204)
    const other = await subscribe(topic, 'one', { ...settings, NotifyContentFormat: 'SIMPLIFIED' })
    expect([other.status, other.code]).toEqual([409, 'SubscriptionAlreadyExist'])
    await subscribe(topic, 'two', { ...settings, FilterTag: 'red' })
    const path = `/topics/${topic}/subscriptions`
    const change = '<Subscription><NotifyStrategy>EXPONENTIAL_DECAY_RETRY</NotifyStrategy></Subscription>'
    expect((await raw(mns.url, 'PUT', `${path}/one?metaoverride=true`, { body: change })).status).toBe(204)
    const one = (await raw(mns.url, 'GET', `${path}/one`)).xml('Subscription')
    expect(one.value('TopicOwner')).toBe('1234567890123456')
    expect([one.value('SubscriptionName'), one.value('Endpoint'), one.value('NotifyStrategy')]).toEqual([
      'one',
      'https://example.com/x',
      'EXPONENTIAL_DECAY_RETRY',
    ])
    const page = (await raw(mns.url, 'GET', path, { headers: { 'x-mns-ret-number': '1' } })).xml('Subscriptions')
    expect(page.all('Subscription').map((item) => item.value('SubscriptionURL'))).toEqual([`${mns.url}${path}/one`])
    const headers = { 'x-mns-marker': page.value('NextMarker') ?? '', 'x-mns-with-meta': 'true' }
    const rest = (await raw(mns.url, 'GET', path, { headers })).xml('Subscriptions')
    expect(rest.all('Subscription').map((item) => item.value('FilterTag'))).toEqual(['red'])
    expect(rest.value('NextMarker')).toBeUndefined()
    expect((await raw(mns.url, 'DELETE', `${path}/one`)).status).toBe(204)
    expect((await raw(mns.url, 'PUT', `${path}/one?metaoverride=true`, { body: change })).code).toBe(
      'SubscriptionNotExist',
    )
  })

  test.each([
    ['no endpoint', {}, 'InvalidArgument'],
    ['an endpoint of no kind', { Endpoint: 'ftp://example.com' }, 'EndpointInvalid'],
    ['an endpoint that is no address', { Endpoint: 'http://' }, 'EndpointInvalid'],
    ['another strategy', { Endpoint: 'http://a.b/', NotifyStrategy: 'NEVER' }, 'InvalidArgument'],
    ['another format', { Endpoint: 'http://a.b/', NotifyContentFormat: 'YAML' }, 'InvalidArgument'],
    ['a long tag', { Endpoint: 'http://a.b/', FilterTag: 'x'.repeat(17) }, 'InvalidArgument'],
  ])('with %s is refused', async (_what, settings: Record<string, string>, code) => {
    expect((await subscribe(await newTopic(), 's', settings)).code).toBe(code)
  })
})

describe('a message that is published', () => {
  test.each([
    ['XML', 'text/xml;charset=utf-8'],
    ['JSON', 'application/json;charset=utf-8'],
    ['SIMPLIFIED', 'text/plain;charset=utf-8'],
  ])('is pushed as %s, signed by a certificate that is served', async (format, type) => {
    const topic = await newTopic()
    const subscriber = await newSubscriber()
    await subscribe(topic, 'http', { Endpoint: `${subscriber.url}/hook?a=1`, NotifyContentFormat: format })
    const text = 'größer & 中文'
    const { body: sent } = await mns.client.publishMessage(topic, {
      MessageBody: text.replace('&', '&amp;'),
      MessageTag: 'red',
    })
    await mns.service.idle()
    const [pushed] = subscriber.pushed
    if (!pushed) throw new Error('nothing came')
    expect([pushed.method, pushed.path, pushed.headers['content-type']]).toEqual(['POST', '/hook?a=1', type])
    expect(pushed.headers['x-mns-version']).toBe('2015-06-06')
    expect(await verifyPush(pushed)).toBe(`${mns.url}/x509_public_certificate.pem`)
    const said = saidOf(format, pushed.body, pushed.headers)
    expect(said).toMatchObject({ message: text, id: sent.MessageId, topic, subscription: 'http', tag: 'red' })
    expect(Number(said.at)).toBeCloseTo(Date.now(), -4)
  })

  test('goes to /notifications where the endpoint has no path', async () => {
    const topic = await newTopic()
    const subscriber = await newSubscriber()
    await subscribe(topic, 'http', { Endpoint: subscriber.url })
    await mns.client.publishMessage(topic, { MessageBody: 'x' })
    await mns.service.idle()
    expect(subscriber.pushed.map(({ path }) => path)).toEqual(['/notifications'])
  })

  test('reaches those whose filter is its tag, and those that have none', async () => {
    const topic = await newTopic()
    const queues = ['all', 'red', 'blue'].map((end) => `${topic}-${end}`)
    for (const queue of queues) {
      const [tag = ''] = queue.split('-').slice(-1)
      await mns.client.createQueue(queue)
      await subscribe(topic, tag, {
        Endpoint: queueEndpoint(queue),
        NotifyContentFormat: 'SIMPLIFIED',
        ...(tag === 'all' ? {} : { FilterTag: tag }),
      })
    }
    await mns.client.publishMessage(topic, { MessageBody: 'one', MessageTag: 'red' })
    await mns.client.publishMessage(topic, { MessageBody: 'two' })
    await mns.service.idle()
    const got = await Promise.all(
      queues.map(async (queue) => {
        const { body = [] } = await mns.client.batchReceiveMessage(queue, 16).catch(() => ({ body: [] }))
        return body.map(({ MessageBody }) => MessageBody)
      }),
    )
    expect(got).toEqual([['one', 'two'], ['one'], []])
  })

  test('comes into a queue in the form that was asked for', async () => {
    const topic = await newTopic()
    await mns.client.createQueue(`${topic}-xml`)
    await subscribe(topic, 'q', { Endpoint: queueEndpoint(`${topic}-xml`) })
    await mns.client.publishMessage(topic, { MessageBody: 'test' })
    const { body } = await mns.client.receiveMessage(`${topic}-xml`, 30)
    expect(readXml(body.MessageBody ?? '', 'Notification').value('Message')).toBe('test')
  })

  test('that a subscriber refuses is tried three times more, 10 to 20 s apart', async () => {
    const topic = await newTopic()
    const subscriber = await newSubscriber(500, 404, 302, 500, 500)
    await subscribe(topic, 'http', { Endpoint: `${subscriber.url}/` })
    await mns.client.publishMessage(topic, { MessageBody: 'x' })
    await mns.service.idle()
    expect((await mns.client.getTopicAttributes(topic)).body.MessageCount).toBe('1')
    const seen = [subscriber.pushed.length]
    await mns.advance(9_999)
    seen.push(subscriber.pushed.length)
    for (const _try of [1, 2, 3, 4, 5]) {
      await mns.advance(20_000)
      seen.push(subscriber.pushed.length)
    }
    expect([seen[0], seen[1], seen.at(-1)]).toEqual([1, 1, 4])
    expect((await mns.client.getTopicAttributes(topic)).body.MessageCount).toBe('0')
  })

  test('is tried for a day where the pauses double', async () => {
    const topic = await newTopic()
    const subscriber = await newSubscriber(...Array(200).fill(500))
    await subscribe(topic, 'http', { Endpoint: subscriber.url, NotifyStrategy: 'EXPONENTIAL_DECAY_RETRY' })
    await mns.client.publishMessage(topic, { MessageBody: 'x' })
    await mns.service.idle()
    const counts: number[] = []
    for (const ms of [1000, 2000, 4000, 511_000 - 7_000]) {
      await mns.advance(ms)
      counts.push(subscriber.pushed.length)
    }
    expect(counts).toEqual([2, 3, 4, 10])
    await mns.advance(86_400_000)
    expect(subscriber.pushed).toHaveLength(177)
  })

  test('stops being tried when it is taken, and when the subscription ends', async () => {
    const topic = await newTopic()
    const [first, second] = [await newSubscriber(500), await newSubscriber(500)]
    await subscribe(topic, 'first', { Endpoint: first.url })
    await subscribe(topic, 'second', { Endpoint: second.url })
    await mns.client.publishMessage(topic, { MessageBody: 'x' })
    await mns.service.idle()
    await raw(mns.url, 'DELETE', `/topics/${topic}/subscriptions/second`)
    await mns.advance(60_000)
    expect([first.pushed.length, second.pushed.length]).toEqual([2, 1])
  })

  test('waits for a queue that is not there yet, and over a restart', async () => {
    const own = await openMns()
    onTestFinished(() => own.close())
    await own.client.createTopic('t')
    await subscribe('t', 'q', { Endpoint: queueEndpoint('late'), NotifyContentFormat: 'SIMPLIFIED' }, own)
    await own.client.publishMessage('t', { MessageBody: 'kept' })
    await own.service.idle()
    await own.restart()
    await own.client.createQueue('late')
    await own.advance(20_000)
    expect((await own.client.receiveMessage('late')).body.MessageBody).toBe('kept')
  })

  test('for mail and telephones goes to the outbox, with what was said for them', async () => {
    const topic = await newTopic()
    const Endpoint = 'mail:directmail:somebody@example.com'
    expect((await subscribe(topic, 'mail', { Endpoint })).status).toBe(201)
    const mail = JSON.stringify({ Subject: 'Hello', AccountName: 'a' })
    const body = `<Message><MessageBody>x</MessageBody><MessageAttributes><DirectMail>${mail}</DirectMail></MessageAttributes></Message>`
    await raw(mns.url, 'POST', `/topics/${topic}/messages`, { body })
    await mns.service.idle()
    const [line = ''] = (await readFile(join(mns.dir, 'mns', 'outbox.log'), 'utf8')).trim().split('\n').slice(-1)
    expect(JSON.parse(line)).toMatchObject({ endpoint: Endpoint, body: 'x', attributes: { DirectMail: mail } })
  })

  test.each([
    ['no body', {}],
    ['more than the topic takes', { MessageBody: 'x'.repeat(1025) }],
    ['a tag of 17 characters', { MessageBody: 'x', MessageTag: 'x'.repeat(17) }],
  ])('is refused with %s', async (_what, message) => {
    const topic = await newTopic({ MaximumMessageSize: 1024 })
    await expect(mns.client.publishMessage(topic, message)).rejects.toMatchObject({ name: 'MNSInvalidArgumentError' })
  })
})

test('whatever is published is told to the functions', async () => {
  const heard: string[] = []
  const own = await openMns({ onMessage: ({ topic, tag, body }) => heard.push(`${topic} ${tag} ${body}`) })
  onTestFinished(() => own.close())
  await own.client.createTopic('t')
  await own.client.publishMessage('t', { MessageBody: 'x', MessageTag: 'red' })
  await own.service.idle()
  expect(heard).toEqual(['t red x'])
})

function saidOf(format: string, body: string, headers: Readonly<Record<string, unknown>>) {
  if (format === 'SIMPLIFIED') {
    const value = (name: string) => headers[`x-mns-${name}`]
    return {
      message: body,
      id: value('message-id'),
      topic: value('topic-name'),
      subscription: value('subscription-name'),
      tag: value('message-tag'),
      at: value('publish-time'),
    }
  }
  const xml = format === 'XML' ? readXml(body, 'Notification') : undefined
  const json = xml ? {} : (JSON.parse(body) as Record<string, string>)
  const value = (name: string) => xml?.value(name) ?? json[name]
  return {
    message: value('Message'),
    id: value('MessageId'),
    topic: value('TopicName'),
    subscription: value('SubscriptionName'),
    tag: value('MessageTag'),
    at: value('PublishTime'),
  }
}

test('a subscriber gets so many at once and the others after them', async () => {
  const held: ServerResponse[] = []
  let isOpen = false
  const server = createServer((_request, response) => {
    if (isOpen) response.writeHead(204).end()
    else held.push(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const topic = await newTopic()
  await subscribe(topic, 'slow', { Endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` })
  await Promise.all(Array.from({ length: 50 }, () => mns.client.publishMessage(topic, { MessageBody: 'x' })))
  await expect.poll(() => held.length).toBe(32)
  isOpen = true
  for (const response of held) response.writeHead(204).end()
  await mns.service.idle()
  expect(held).toHaveLength(32)
  const { body } = await mns.client.getTopicAttributes(topic)
  expect(body.MessageCount).toBe('0')
})
