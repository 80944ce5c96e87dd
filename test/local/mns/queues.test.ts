import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type OpenMns, openMns, raw } from './open.ts'

let mns: OpenMns
let counter = 0

beforeAll(async () => {
  mns = await openMns()
})
afterAll(() => mns.close())

const newName = () => `queue-${++counter}`

async function newQueue(attributes?: object) {
  const name = newName()
  await mns.client.createQueue(name, attributes)
  return name
}

describe('a queue', () => {
  test('is made at an address, with the documented defaults', async () => {
    const name = newName()
    const { code, headers } = await mns.client.createQueue(name)
    expect([code, headers.location]).toEqual([201, `${mns.url}/queues/${name}`])
    const { body } = await mns.client.getQueueAttributes(name)
    expect(body).toMatchObject({
      QueueName: name,
      DelaySeconds: '0',
      MaximumMessageSize: '65536',
      MessageRetentionPeriod: '345600',
      VisibilityTimeout: '30',
      PollingWaitSeconds: '0',
      ActiveMessages: '0',
      InactiveMessages: '0',
      DelayMessages: '0',
      LoggingEnabled: 'False',
    })
    expect(Number(body.CreateTime)).toBeCloseTo(Date.now() / 1000, -1)
  })

  test('that is made again just so is there already, with other attributes it is a conflict', async () => {
    const name = await newQueue({ PollingWaitSeconds: 5 })
    expect((await mns.client.createQueue(name, { PollingWaitSeconds: 5 })).code).toBe(204)
    await expect(mns.client.createQueue(name)).rejects.toMatchObject({ name: 'MNSQueueAlreadyExistError' })
  })

  test('keeps every attribute that a change does not name', async () => {
    const name = await newQueue({ VisibilityTimeout: 77 })
    expect((await mns.client.setQueueAttributes(name, { DelaySeconds: 3, LoggingEnabled: true })).code).toBe(204)
    const { body } = await mns.client.getQueueAttributes(name)
    expect(body).toMatchObject({ DelaySeconds: '3', VisibilityTimeout: '77', LoggingEnabled: 'True' })
  })

  test('that is deleted is gone, and deleting what is not there is no error', async () => {
    const name = await newQueue()
    await mns.client.sendMessage(name, { MessageBody: 'old' })
    expect((await mns.client.deleteQueue(name)).code).toBe(204)
    expect((await mns.client.deleteQueue(name)).code).toBe(204)
    await expect(mns.client.getQueueAttributes(name)).rejects.toMatchObject({ name: 'MNSQueueNotExistError' })
    await mns.client.createQueue(name)
    await expect(mns.client.receiveMessage(name)).rejects.toMatchObject({ name: 'MNSMessageNotExistError' })
  })

  test.each([
    ['a delay of more than a week', { DelaySeconds: 604_801 }],
    ['messages of less than 1 KB', { MaximumMessageSize: 1023 }],
    ['messages of more than 64 KB', { MaximumMessageSize: 65_537 }],
    ['keeping messages for less than a minute', { MessageRetentionPeriod: 59 }],
    ['hiding messages for no time', { VisibilityTimeout: 0 }],
    ['waiting for more than 30 s', { PollingWaitSeconds: 60 }],
    ['what is no number', { DelaySeconds: 'soon' }],
    ['what is neither true nor false', { LoggingEnabled: 'maybe' }],
  ])('refuses %s', async (_what, attributes) => {
    await expect(mns.client.createQueue(newName(), attributes)).rejects.toMatchObject({
      name: 'MNSInvalidArgumentError',
    })
  })

  test.each([
    ['-begins-with-a-dash', 'InvalidQueueName'],
    ['under_score', 'InvalidQueueName'],
    ['%2e%2e%2fetc', 'InvalidQueueName'],
    ['%zz', 'InvalidRequestURL'],
    ['q'.repeat(257), 'QueueNameLengthError'],
  ])('cannot be called %s', async (name, code) => {
    const answer = await raw(mns.url, 'PUT', `/queues/${name}`, { body: '<Queue/>' })
    expect([answer.status, answer.code]).toEqual([400, code])
  })
})

describe('a list of queues', () => {
  test('comes in pages, by prefix, with attributes when they are asked for', async () => {
    const prefix = `list${++counter}`
    for (const end of ['a', 'b', 'c']) await mns.client.createQueue(`${prefix}-${end}`)
    await mns.client.createQueue(`other${counter}`)
    const list = (headers: Record<string, string>) => raw(mns.url, 'GET', '/queues', { headers })
    const first = (await list({ 'x-mns-prefix': prefix, 'x-mns-ret-number': '2' })).xml('Queues')
    expect(first.all('Queue').map((queue) => queue.value('QueueURL'))).toEqual([
      `${mns.url}/queues/${prefix}-a`,
      `${mns.url}/queues/${prefix}-b`,
    ])
    const marker = first.value('NextMarker') ?? ''
    const rest = (await list({ 'x-mns-prefix': prefix, 'x-mns-marker': marker, 'x-mns-with-meta': 'true' })).xml(
      'Queues',
    )
    expect(rest.all('Queue').map((queue) => queue.value('QueueName'))).toEqual([`${prefix}-c`])
    // Clients take an empty marker for damage, so the last page has none.
    expect(rest.all('NextMarker')).toEqual([])
    const { body } = await mns.client.listQueue(undefined, 10, prefix)
    expect(body).toHaveLength(3)
  })

  test.each(['0', '1001', 'many'])('has no pages of %s', async (limit) => {
    const { code } = await raw(mns.url, 'GET', '/queues', { headers: { 'x-mns-ret-number': limit } })
    expect(code).toBe('InvalidArgument')
  })
})

describe('the account', () => {
  test('keeps the bucket of its logs', async () => {
    const path = '/?accountmeta=true'
    const set = await raw(mns.url, 'PUT', path, { body: '<Account><LoggingBucket>Test</LoggingBucket></Account>' })
    expect(set.status).toBe(204)
    await raw(mns.url, 'PUT', path, { body: '<Account></Account>' })
    const { xml } = await raw(mns.url, 'GET', path)
    expect(xml('Account').value('LoggingBucket')).toBe('Test')
  })
})

test('a stopped service finds its queues and messages again', async () => {
  const own = await openMns()
  onTestFinished(() => own.close())
  await own.client.createQueue('kept', { VisibilityTimeout: 60 })
  await own.client.batchSendMessage('kept', [{ MessageBody: 'one' }, { MessageBody: 'two' }])
  const { body: taken } = await own.client.receiveMessage('kept')
  await own.restart()
  const { body: next } = await own.client.receiveMessage('kept')
  expect([taken.MessageBody, next.MessageBody]).toEqual(['one', 'two'])
  // What was received before is still hidden, and its handle still good.
  await expect(own.client.receiveMessage('kept')).rejects.toMatchObject({ name: 'MNSMessageNotExistError' })
  expect((await own.client.deleteMessage('kept', taken.ReceiptHandle ?? '')).code).toBe(204)
  await own.advance(60_000)
  expect((await own.client.receiveMessage('kept')).body).toMatchObject({ MessageBody: 'two', DequeueCount: '2' })
})
