import type { XmlElement, XmlFields } from '../wire/xml.ts'
import { integer, readQueueSettings } from './attributes.ts'
import {
  type Context,
  createdReply,
  document,
  NO_CONTENT,
  page,
  type Run,
  readBodyXml,
  seconds,
  urlOf,
  word,
} from './context.ts'
import { MnsError, notInSchema } from './errors.ts'
import type { Draft, Held } from './queues.ts'
import type { MessageRecord, Property, QueueRecord } from './store.ts'

const BATCH = [1, 16] as const
/** What the messages of one batch may hold together. */
const BATCH_BYTES = 65_536

/** Operations on queues and on messages in them. */
export const QUEUE_OPERATIONS = {
  async CreateQueue(context) {
    const { queue } = context.call
    const settings = readQueueSettings(readBodyXml(context, 'Queue'))
    return createdReply(context, await context.queues.create(queue, settings), `queues/${queue}`)
  },
  async SetQueueAttributes(context) {
    const { queue } = context.call
    const before = context.queues.find(queue).settings
    await context.queues.change(queue, readQueueSettings(readBodyXml(context, 'Queue'), before))
    return NO_CONTENT
  },
  GetQueueAttributes: async (context) =>
    document(200, 'Queue', await attributes(context, context.call.queue, context.queues.find(context.call.queue))),
  async DeleteQueue({ queues, call }) {
    await queues.remove(call.queue)
    return NO_CONTENT
  },
  async ListQueue(context) {
    const { items, marker, meta } = page(context, context.queues.list)
    const all = items.map(async ([name, record]) => ({
      QueueURL: urlOf(context, `queues/${name}`),
      ...(meta ? await attributes(context, name, record) : {}),
    }))
    return document(200, 'Queues', { Queue: await Promise.all(all), NextMarker: marker })
  },
  async SendMessage(context) {
    const { queues, call } = context
    const limit = queues.find(call.queue).settings.MaximumMessageSize
    const [sent] = await queues.send(call.queue, [readDraft(readBodyXml(context, 'Message'), limit)])
    if (!sent) throw new MnsError('InternalError')
    return document(201, 'Message', sentFields(sent))
  },
  async BatchSendMessage(context) {
    const { queues, call } = context
    const limit = queues.find(call.queue).settings.MaximumMessageSize
    const drafts = readBodyXml(context, 'Messages')
      .all('Message')
      .map((message) => readDraft(message, limit))
    integer(String(drafts.length), 'Message', BATCH)
    if (drafts.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0) > BATCH_BYTES) throw tooLong()
    const sent = await queues.send(call.queue, drafts)
    return document(201, 'Messages', { Message: sent.map(sentFields) })
  },
  async ReceiveMessage(context) {
    const [held] = await receive(context, 1)
    return document(200, 'Message', heldFields(held))
  },
  async BatchReceiveMessage(context) {
    const found = await receive(context, batchSize(context))
    return document(200, 'Messages', { Message: found.map(heldFields) })
  },
  async PeekMessage(context) {
    const [held] = await peek(context, 1)
    return document(200, 'Message', peekedFields(held))
  },
  async BatchPeekMessage(context) {
    const found = await peek(context, batchSize(context))
    return document(200, 'Messages', { Message: found.map(peekedFields) })
  },
  async DeleteMessage({ queues, call }) {
    const handle = call.query.get('receipthandle')
    queues.find(call.queue)
    if (!handle) throw new MnsError('MissingReceiptHandle')
    const failed = await queues.removeMessages(call.queue, [handle])
    if (failed.length > 0) throw new MnsError('ReceiptHandleError')
    return NO_CONTENT
  },
  async BatchDeleteMessage(context) {
    const { queues, call } = context
    queues.find(call.queue)
    const handles = readBodyXml(context, 'ReceiptHandles').all('ReceiptHandle')
    integer(String(handles.length), 'ReceiptHandle', BATCH)
    const failed = await queues.removeMessages(
      call.queue,
      handles.map(({ text }) => text.trim()),
    )
    if (failed.length === 0) return NO_CONTENT
    const { code, message } = new MnsError('ReceiptHandleError')
    const errors = failed.map((handle) => ({ ErrorCode: code, ErrorMessage: message, ReceiptHandle: handle }))
    return document(404, 'Errors', { Error: errors })
  },
  async ChangeMessageVisibility({ queues, call }) {
    queues.find(call.queue)
    const handle = call.query.get('receipthandle')
    if (!handle) throw new MnsError('MissingReceiptHandle')
    const wanted = integer(call.query.get('visibilitytimeout'), 'VisibilityTimeout', [1, 43_200])
    if (wanted === undefined) throw new MnsError('MissingVisibilityTimeout')
    const { receiptHandle, entry } = await queues.changeVisibility(call.queue, handle, wanted)
    return document(200, 'ChangeVisibility', { ReceiptHandle: receiptHandle, NextVisibleTime: entry.visibleAt })
  },
} satisfies Readonly<Record<string, Run>>

async function attributes({ queues }: Context, name: string, record: QueueRecord): Promise<XmlFields> {
  const { settings, createdAt, modifiedAt } = record
  const { active, inactive, delayed } = await queues.count(name)
  return {
    QueueName: name,
    CreateTime: seconds(createdAt),
    LastModifyTime: seconds(modifiedAt),
    ...settings,
    ActiveMessages: active,
    InactiveMessages: inactive,
    DelayMessages: delayed,
    LoggingEnabled: word(settings.LoggingEnabled),
  }
}

async function receive(context: Context, count: number): Promise<readonly Held[]> {
  const { queues, call, signal } = context
  const { PollingWaitSeconds } = queues.find(call.queue).settings
  const waitS = integer(call.query.get('waitseconds'), 'waitseconds', [0, 30]) ?? PollingWaitSeconds
  return someOf(await queues.receive(call.queue, { count, waitMs: waitS * 1000, signal }))
}

async function peek({ queues, call }: Context, count: number): Promise<readonly Held[]> {
  return someOf(await queues.peek(call.queue, count))
}

function someOf(found: readonly Held[]): readonly Held[] {
  if (found.length === 0) throw new MnsError('MessageNotExist')
  return found
}

function batchSize({ call }: Context): number {
  const size = integer(call.query.get('numofmessages'), 'numOfMessages', BATCH)
  if (size === undefined) throw new MnsError('InvalidQueryString')
  return size
}

function readDraft(message: XmlElement, limitBytes: number): Draft {
  const delayS = integer(message.value('DelaySeconds'), 'DelaySeconds', [0, 604_800])
  const priority = integer(message.value('Priority'), 'Priority', [1, 16])
  const userProperties = readProperties(message, 'UserProperties', 'PropertyValue')
  const systemProperties = readProperties(message, 'SystemProperties', 'SystemPropertyValue')
  return {
    body: readMessageBody(message, limitBytes),
    ...(delayS === undefined ? {} : { delayS }),
    ...(priority === undefined ? {} : { priority }),
    ...(userProperties ? { userProperties } : {}),
    ...(systemProperties ? { systemProperties } : {}),
  }
}

/** The text of a message, not longer than queue or topic take it. */
export function readMessageBody(message: XmlElement, limitBytes: number): string {
  const body = message.value('MessageBody')
  if (!body) throw notInSchema('MessageBody')
  if (Buffer.byteLength(body) > limitBytes) throw tooLong()
  return body
}

function tooLong(): MnsError {
  return new MnsError('InvalidArgument', 'The length of message must not be larger than MaximumMessageSize.')
}

/** What a sender says of a message beside its body; absent when there is nothing. */
export function readProperties(message: XmlElement, list: string, item: string): readonly Property[] | undefined {
  const found = message.all(list).flatMap((element) => element.all(item))
  if (found.length === 0) return undefined
  return found.map((property) => ({
    Name: property.value('Name') ?? '',
    Value: property.value('Value') ?? '',
    Type: property.value('Type') ?? 'STRING',
  }))
}

/** What the sender of a message is told. */
export function recordFields({ id, md5 }: MessageRecord): XmlFields {
  return { MessageId: id, MessageBodyMD5: md5 }
}

/** A message that cannot be seen yet can be deleted already. */
function sentFields({ message, entry, receiptHandle }: Held): XmlFields {
  const isDelayed = entry.visibleAt > entry.enqueuedAt
  return { ...recordFields(message), ReceiptHandle: isDelayed ? receiptHandle : undefined }
}

function heldFields(held: Held | undefined): XmlFields {
  if (!held) throw new MnsError('MessageNotExist')
  const { message, entry, receiptHandle } = held
  return {
    MessageId: message.id,
    ReceiptHandle: receiptHandle,
    MessageBodyMD5: message.md5,
    MessageBody: message.body,
    EnqueueTime: entry.enqueuedAt,
    NextVisibleTime: entry.visibleAt,
    FirstDequeueTime: entry.firstDequeueAt,
    DequeueCount: entry.dequeueCount,
    Priority: entry.priority,
    ...propertyFields(message),
  }
}

/** Whoever only looks gets no handle. */
function peekedFields(held: Held | undefined): XmlFields {
  const { ReceiptHandle: _handle, NextVisibleTime: _time, ...fields } = heldFields(held)
  return fields
}

function propertyFields({ userProperties, systemProperties }: MessageRecord): XmlFields {
  return {
    UserProperties: userProperties && { PropertyValue: userProperties.map((one) => ({ ...one })) },
    SystemProperties: systemProperties && { SystemPropertyValue: systemProperties.map((one) => ({ ...one })) },
  }
}
