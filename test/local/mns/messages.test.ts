import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fields, type OpenMns, openMns, raw } from './open.ts'

let mns: OpenMns
let counter = 0

beforeAll(async () => {
  mns = await openMns()
})
afterAll(() => mns.close())

async function newQueue(attributes?: object) {
  const name = `queue-${++counter}`
  await mns.client.createQueue(name, attributes)
  return name
}

const nothing = { name: 'MNSMessageNotExistError' }
const handle = (message: Fields | undefined) => message?.ReceiptHandle ?? ''
const md5 = (text: string) => createHash('md5').update(text).digest('hex').toUpperCase()

describe('a message', () => {
  test('comes out as it went in, is hidden, and is deleted by its handle', async () => {
    const queue = await newQueue()
    const text = 'größer & <kleiner> "中文" 😀'
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    const sent = await mns.client.sendMessage(queue, { MessageBody: escaped })
    expect(sent.code).toBe(201)
    expect(sent.body).toEqual({ MessageId: expect.stringMatching(/^[0-9A-F]{32}$/), MessageBodyMD5: md5(text) })
    const { body } = await mns.client.receiveMessage(queue)
    expect(body).toMatchObject({
      MessageId: sent.body.MessageId,
      MessageBody: text,
      MessageBodyMD5: md5(text),
      DequeueCount: '1',
      Priority: '8',
    })
    expect(Number(body.NextVisibleTime)).toBe(Number(body.FirstDequeueTime) + 30_000)
    await expect(mns.client.receiveMessage(queue)).rejects.toMatchObject(nothing)
    expect((await mns.client.deleteMessage(queue, handle(body))).code).toBe(204)
    await expect(mns.client.deleteMessage(queue, handle(body))).rejects.toMatchObject({
      name: 'MNSReceiptHandleErrorError',
    })
  })

  test('comes back when nobody deletes it in time, with another handle', async () => {
    const queue = await newQueue({ VisibilityTimeout: 10 })
    await mns.client.sendMessage(queue, { MessageBody: 'again' })
    const { body: first } = await mns.client.receiveMessage(queue)
    await mns.advance(9_000)
    await expect(mns.client.receiveMessage(queue)).rejects.toMatchObject(nothing)
    await mns.advance(1_000)
    const { body: second } = await mns.client.receiveMessage(queue)
    expect(second).toMatchObject({
      MessageId: first.MessageId,
      DequeueCount: '2',
      FirstDequeueTime: first.FirstDequeueTime,
    })
    await expect(mns.client.deleteMessage(queue, handle(first))).rejects.toMatchObject({
      name: 'MNSReceiptHandleErrorError',
    })
    expect((await mns.client.deleteMessage(queue, handle(second))).code).toBe(204)
  })

  test('is hidden for longer or shorter by a change, which makes the old handle useless', async () => {
    const queue = await newQueue()
    await mns.client.sendMessage(queue, { MessageBody: 'work' })
    const { body } = await mns.client.receiveMessage(queue)
    const changed = await mns.client.changeMessageVisibility(queue, handle(body), 100)
    expect(Number(changed.body.NextVisibleTime)).toBeGreaterThan(Number(body.NextVisibleTime))
    await expect(mns.client.changeMessageVisibility(queue, handle(body), 100)).rejects.toMatchObject(nothing)
    await mns.client.changeMessageVisibility(queue, handle(changed.body), 1)
    await mns.advance(1_000)
    expect((await mns.client.receiveMessage(queue)).body.DequeueCount).toBe('2')
  })

  test('that is delayed cannot be seen before, and can be deleted before', async () => {
    const queue = await newQueue({ DelaySeconds: 5 })
    const { body: late } = await mns.client.sendMessage(queue, { MessageBody: 'late' })
    const { body: later } = await mns.client.sendMessage(queue, { MessageBody: 'later', DelaySeconds: 60 })
    await mns.client.sendMessage(queue, { MessageBody: 'now', DelaySeconds: 0 })
    expect((await mns.client.getQueueAttributes(queue)).body).toMatchObject({ ActiveMessages: '1', DelayMessages: '2' })
    expect((await mns.client.receiveMessage(queue)).body.MessageBody).toBe('now')
    await expect(mns.client.peekMessage(queue)).rejects.toMatchObject(nothing)
    await mns.client.deleteMessage(queue, handle(later))
    await mns.advance(5_000)
    expect((await mns.client.receiveMessage(queue)).body.MessageId).toBe(late.MessageId)
    await mns.advance(60_000)
    expect((await mns.client.getQueueAttributes(queue)).body).toMatchObject({ DelayMessages: '0' })
  })

  test('that is urgent comes first, others in the order in which they came', async () => {
    const queue = await newQueue()
    const wanted = [9, 1, 8, 16, 1].map((Priority, index) => ({ MessageBody: `${Priority}-${index}`, Priority }))
    await mns.client.batchSendMessage(queue, wanted)
    const { body = [] } = await mns.client.batchReceiveMessage(queue, 16)
    expect(body.map(({ MessageBody }) => MessageBody)).toEqual(['1-1', '1-4', '8-2', '9-0', '16-3'])
  })

  test('that is only looked at stays, and is not counted', async () => {
    const queue = await newQueue()
    await mns.client.sendMessage(queue, { MessageBody: 'look' })
    const { body } = await mns.client.peekMessage(queue)
    expect(body).toMatchObject({ MessageBody: 'look', DequeueCount: '0', FirstDequeueTime: '0' })
    expect(body).not.toHaveProperty('ReceiptHandle')
    expect((await mns.client.batchPeekMessage(queue, 16)).body).toHaveLength(1)
    expect((await mns.client.receiveMessage(queue)).body.DequeueCount).toBe('1')
  })

  test('is forgotten when the queue keeps it no longer, whether or not it was received', async () => {
    const queue = await newQueue({ MessageRetentionPeriod: 60, VisibilityTimeout: 10 })
    await mns.client.batchSendMessage(queue, [{ MessageBody: 'one' }, { MessageBody: 'two' }])
    await mns.client.receiveMessage(queue)
    await mns.advance(59_000)
    expect((await mns.client.getQueueAttributes(queue)).body.ActiveMessages).toBe('2')
    await mns.advance(1_000)
    await expect(mns.client.receiveMessage(queue)).rejects.toMatchObject(nothing)
  })

  test('keeps what its sender said of it', async () => {
    const queue = await newQueue()
    const property = '<PropertyValue><Name>k</Name><Value>v</Value><Type>STRING</Type></PropertyValue>'
    const body = `<Message><MessageBody>x</MessageBody><UserProperties>${property}</UserProperties></Message>`
    expect((await raw(mns.url, 'POST', `/queues/${queue}/messages`, { body })).status).toBe(201)
    const { xml } = await raw(mns.url, 'GET', `/queues/${queue}/messages`)
    const [found] = xml('Message').all('UserProperties')[0]?.all('PropertyValue') ?? []
    expect([found?.value('Name'), found?.value('Value'), found?.value('Type')]).toEqual(['k', 'v', 'STRING'])
  })

  test.each([
    ['no body', {}, 'InvalidArgument'],
    ['an urgency of 0', { MessageBody: 'x', Priority: 0 }, 'InvalidArgument'],
    ['an urgency of 17', { MessageBody: 'x', Priority: 17 }, 'InvalidArgument'],
    ['a delay of more than a week', { MessageBody: 'x', DelaySeconds: 604_801 }, 'InvalidArgument'],
    ['more than the queue takes', { MessageBody: 'x'.repeat(1025) }, 'InvalidArgument'],
    ['a document that is broken', '<MessageBody>', 'MalformedXML'],
  ])('is refused with %s', async (_what, message, code) => {
    const queue = await newQueue({ MaximumMessageSize: 1024 })
    await expect(mns.client.sendMessage(queue, message as object)).rejects.toMatchObject({ name: `MNS${code}Error` })
  })
})

describe('a batch', () => {
  test('of handles is deleted but for those that stand for nothing, which are named', async () => {
    const queue = await newQueue()
    const sent = await mns.client.batchSendMessage(queue, [{ MessageBody: 'a' }, { MessageBody: 'b' }])
    expect(sent.body).toHaveLength(2)
    const { body = [] } = await mns.client.batchReceiveMessage(queue, 2)
    const stranger = '1-ODU4OTkzNDU5My0xNDM1MTk3NjAwLTItNg=='
    const some = await mns.client.batchDeleteMessage(queue, [...body.map(handle), stranger])
    expect([some.code, some.body]).toEqual([
      404,
      [
        {
          ErrorCode: 'ReceiptHandleError',
          ErrorMessage: 'The receipt handle you provide is not valid.',
          ReceiptHandle: stranger,
        },
      ],
    ])
    await mns.advance(60_000)
    await expect(mns.client.batchReceiveMessage(queue, 16)).rejects.toMatchObject(nothing)
  })

  test('whose handles are all good answers with nothing', async () => {
    const queue = await newQueue()
    await mns.client.sendMessage(queue, { MessageBody: 'a' })
    const { body } = await mns.client.receiveMessage(queue)
    expect(await mns.client.batchDeleteMessage(queue, [handle(body)])).toMatchObject({ code: 204, body: undefined })
  })

  test.each([
    [
      'sends 17 messages',
      'POST',
      '',
      `<Messages>${'<Message><MessageBody>x</MessageBody></Message>'.repeat(17)}</Messages>`,
    ],
    ['sends none', 'POST', '', '<Messages></Messages>'],
    [
      'deletes 17',
      'DELETE',
      '',
      `<ReceiptHandles>${'<ReceiptHandle>1-eA==</ReceiptHandle>'.repeat(17)}</ReceiptHandles>`,
    ],
    ['receives 17', 'GET', '?numOfMessages=17', ''],
    ['receives 0', 'GET', '?numOfMessages=0', ''],
    ['looks at 17', 'GET', '?peekonly=true&numOfMessages=17', ''],
    ['waits for 31 s', 'GET', '?waitseconds=31', ''],
  ])('that %s is refused', async (_what, method, query, body) => {
    const queue = await newQueue()
    const { status, code } = await raw(mns.url, method, `/queues/${queue}/messages${query}`, { body })
    expect([status, code]).toEqual([400, 'InvalidArgument'])
  })
})

describe('waiting for messages', () => {
  test('ends with the first one', async () => {
    const queue = await newQueue()
    const waiting = mns.client.receiveMessage(queue, 30)
    await mns.client.sendMessage(queue, { MessageBody: 'there' })
    expect((await waiting).body.MessageBody).toBe('there')
  })

  test('ends when one comes into sight again', async () => {
    const queue = await newQueue({ VisibilityTimeout: 20, PollingWaitSeconds: 30 })
    await mns.client.sendMessage(queue, { MessageBody: 'x' })
    await mns.client.receiveMessage(queue)
    const waiting = mns.client.receiveMessage(queue)
    await expect
      .poll(() => mns.advance(5_000).then(() => Promise.race([waiting, 'still waiting'])))
      .toMatchObject({
        body: { DequeueCount: '2' },
      })
  })

  test('ends when the local clock says that it is over', async () => {
    const queue = await newQueue()
    let code = 0
    const waiting = raw(mns.url, 'GET', `/queues/${queue}/messages?waitseconds=30`).then(({ status }) => {
      code = status
    })
    await expect.poll(() => mns.advance(10_000).then(() => code)).toBe(404)
    await waiting
  })

  test('ends when the queue is deleted', async () => {
    const queue = await newQueue()
    const waiting = expect(mns.client.receiveMessage(queue, 30)).rejects.toMatchObject({
      name: 'MNSQueueNotExistError',
    })
    // It may arrive before or after.
    await mns.client.deleteQueue(queue)
    await waiting
  })
})

test.each([
  ['POST', '/queues/nowhere/messages', '<Message><MessageBody>x</MessageBody></Message>'],
  ['GET', '/queues/nowhere/messages', ''],
  ['GET', '/queues/nowhere/messages?peekonly=true', ''],
  ['DELETE', '/queues/nowhere/messages?ReceiptHandle=1-eA==', ''],
  ['PUT', '/queues/nowhere/messages?receiptHandle=1-eA==&visibilityTimeout=1', ''],
  ['PUT', '/queues/nowhere?metaoverride=true', '<Queue/>'],
])('%s %s says that there is no such queue', async (method, path, body) => {
  const { status, code } = await raw(mns.url, method, path, { body })
  expect([status, code]).toEqual([404, 'QueueNotExist'])
})

test.each([
  ['DELETE', '', 'MissingReceiptHandle'],
  ['DELETE', '?ReceiptHandle=rubbish', 'ReceiptHandleError'],
  ['PUT', '?visibilityTimeout=1', 'MissingReceiptHandle'],
  ['PUT', '?receiptHandle=1-eA==', 'MissingVisibilityTimeout'],
  ['PUT', '?receiptHandle=1-eA==&visibilityTimeout=43201', 'InvalidArgument'],
  ['PUT', '?receiptHandle=rubbish&visibilityTimeout=1', 'ReceiptHandleError'],
  ['PATCH', '', 'InvalidRequestURL'],
])('%s of messages with "%s" is %s', async (method, query, code) => {
  const queue = await newQueue()
  expect((await raw(mns.url, method, `/queues/${queue}/messages${query}`)).code).toBe(code)
})
