import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { MnsClient } from '../local/mns/open.ts'
import { type Keys, openTarget, uniqueName } from './target.ts'

/*
 * What MNS promises of queues; each test fails where the promise is broken. The address above a test is where the
 * promise is made. Topics are told of in test/local/mns: the vendor's client cannot subscribe.
 */
const target = await openTarget()
afterAll(() => target.close())

const Client = createRequire(import.meta.url)('@alicloud/mns') as new (account: string, options: object) => MnsClient

function connect(keys: Keys = target.keys): MnsClient {
  return new Client(target.accountId, { ...target.mns, ...keys })
}

const client = connect()

/** Makes a queue that is gone when the test is over. */
async function newQueue(attributes: object = {}): Promise<string> {
  const name = uniqueName('contract')
  await client.createQueue(name, attributes)
  onTestFinished(async () => void (await client.deleteQueue(name)))
  return name
}

const empty = { name: 'MNSMessageNotExistError' }

// https://help.aliyun.com/zh/mns/developer-reference/sendmessage and receivemessage
describe('a message', () => {
  test('comes out as it went in, and is gone when it is deleted', async () => {
    const queue = await newQueue()
    const text = '中文 and more'
    const { body: sent } = await client.sendMessage(queue, { MessageBody: text })
    expect(sent.MessageBodyMD5).toBe(createHash('md5').update(text).digest('hex').toUpperCase())
    const { body } = await client.receiveMessage(queue)
    expect(body).toMatchObject({ MessageId: sent.MessageId, MessageBody: text, DequeueCount: '1' })
    await client.deleteMessage(queue, body.ReceiptHandle ?? '')
    await expect(client.receiveMessage(queue)).rejects.toMatchObject(empty)
  })

  test('that somebody has taken is for nobody else until it is given back', async () => {
    const queue = await newQueue({ VisibilityTimeout: 30 })
    await client.sendMessage(queue, { MessageBody: 'x' })
    const { body: first } = await client.receiveMessage(queue)
    await expect(client.receiveMessage(queue)).rejects.toMatchObject(empty)
    // A second is the shortest time that can be given.
    const { body: given } = await client.changeMessageVisibility(queue, first.ReceiptHandle ?? '', 1)
    const { body: second } = await client.receiveMessage(queue, 5)
    expect(second).toMatchObject({ MessageId: first.MessageId, DequeueCount: '2' })
    const old = client.deleteMessage(queue, given.ReceiptHandle ?? '')
    await expect(old).rejects.toMatchObject({
      name: expect.stringMatching(/^MNS(MessageNotExist|ReceiptHandleError)Error$/),
    })
    await client.deleteMessage(queue, second.ReceiptHandle ?? '')
  })

  test('can be looked at without taking it', async () => {
    const queue = await newQueue()
    await client.sendMessage(queue, { MessageBody: 'x' })
    expect((await client.peekMessage(queue)).body).toMatchObject({ MessageBody: 'x', DequeueCount: '0' })
    expect((await client.receiveMessage(queue)).body).toMatchObject({ MessageBody: 'x', DequeueCount: '1' })
  })

  test.each([
    ['an early one first', [{ Priority: 8 }, { Priority: 1 }], '1'],
    ['a late one not yet', [{ DelaySeconds: 60 }, {}], '1'],
  ])('comes in its turn: %s', async (_name, settings, first) => {
    const queue = await newQueue()
    for (const [index, more] of settings.entries()) {
      await client.sendMessage(queue, { MessageBody: String(index), ...more })
    }
    expect((await client.receiveMessage(queue)).body.MessageBody).toBe(first)
  })
})

// https://help.aliyun.com/zh/mns/developer-reference/batchsendmessage
test('sixteen messages are the most at once', async () => {
  const queue = await newQueue()
  const messages = (count: number) => Array.from({ length: count }, (_, n) => ({ MessageBody: String(n) }))
  expect((await client.batchSendMessage(queue, messages(16))).body).toHaveLength(16)
  await expect(client.batchSendMessage(queue, messages(17))).rejects.toMatchObject({
    name: expect.stringMatching(/^MNS\w+Error$/),
  })
})

// https://help.aliyun.com/zh/mns/developer-reference/createqueue
describe('queues', () => {
  test('of one name and the same settings are one; with other settings they are refused', async () => {
    const queue = await newQueue({ VisibilityTimeout: 20 })
    expect((await client.createQueue(queue, { VisibilityTimeout: 20 })).code).toBe(204)
    const other = client.createQueue(queue, { VisibilityTimeout: 21 })
    await expect(other).rejects.toMatchObject({ name: 'MNSQueueAlreadyExistError' })
  })

  test('that are not there take nothing', async () => {
    const send = client.sendMessage(uniqueName('nothing'), { MessageBody: 'x' })
    await expect(send).rejects.toMatchObject({ name: 'MNSQueueNotExistError' })
  })
})

test.each([
  ['a wrong secret', { ...target.keys, accessKeySecret: 'wrong' }],
  ['keys that nobody has', { accessKeyId: 'LTAInobody', accessKeySecret: 'x' }],
])('%s opens nothing', async (_name, keys) => {
  await expect(connect(keys).listQueue()).rejects.toThrow(/failed with (403|404)/)
})
