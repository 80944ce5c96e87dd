import { ManifestError, oneOf, record, text } from './manifest-error.ts'

/** An MNS trigger: which messages of a topic start the function, and in what form. */
export interface MnsTrigger {
  readonly name: string
  readonly topic: string
  readonly filterTag: string
  readonly format: 'STREAM' | 'JSON'
}

/** A message that was published to a topic. */
export interface TopicMessage {
  readonly topic: string
  readonly id: string
  readonly body: string
  /** Upper-case hexadecimal. */
  readonly md5: string
  readonly tag?: string
  /** Milliseconds since the epoch. */
  readonly publishedAt: number
}

/** Reads one entry of `triggers` with `triggerType: mns_topic`. */
export function parseMnsTrigger(trigger: Record<string, unknown>, where: string): MnsTrigger {
  const config = record(trigger.triggerConfig, `${where}.triggerConfig`)
  const topic = /^acs:mns:[^:]+:\d+:\/topics\/([A-Za-z0-9_-]+)$/.exec(
    text(trigger.sourceArn, `${where}.sourceArn`),
  )?.[1]
  if (topic === undefined)
    throw new ManifestError(`${where}.sourceArn`, 'expected acs:mns:REGION:ACCOUNT:/topics/TOPIC')
  const { notifyContentFormat = 'STREAM', notifyStrategy = 'BACKOFF_RETRY', filterTag = '' } = config
  oneOf(notifyStrategy, `${where}.notifyStrategy`, ['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'])
  if (typeof filterTag !== 'string' || filterTag.length > 16) {
    throw new ManifestError(`${where}.filterTag`, 'expected 16 characters at most')
  }
  const format = oneOf(notifyContentFormat, `${where}.notifyContentFormat`, ['STREAM', 'JSON'])
  return { name: text(trigger.triggerName, `${where}.triggerName`), topic, filterTag, format }
}

/** Whether the message starts the function. */
export function mnsTriggerFires({ topic, filterTag }: MnsTrigger, message: TopicMessage): boolean {
  return topic === message.topic && (filterTag === '' || filterTag === message.tag)
}

/** The event: the message as it is, or with what MNS knows of it. https://help.aliyun.com/document_detail/97032.html */
export function mnsTriggerPayload(trigger: MnsTrigger, message: TopicMessage, accountId: string): Buffer {
  if (trigger.format === 'STREAM') return Buffer.from(message.body)
  const event = {
    TopicOwner: accountId,
    Message: message.body,
    Subscriber: accountId,
    PublishTime: message.publishedAt,
    SubscriptionName: trigger.name,
    MessageMD5: message.md5,
    TopicName: message.topic,
    MessageId: message.id,
    ...(message.tag === undefined ? {} : { MessageTag: message.tag }),
  }
  return Buffer.from(JSON.stringify(event))
}
