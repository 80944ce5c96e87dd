import type { XmlElement } from '../wire/xml.ts'
import { MnsError, notInSchema, outOfRange } from './errors.ts'

/** What can be set of a queue. */
export interface QueueSettings {
  readonly DelaySeconds: number
  readonly MaximumMessageSize: number
  readonly MessageRetentionPeriod: number
  readonly VisibilityTimeout: number
  readonly PollingWaitSeconds: number
  readonly LoggingEnabled: boolean
}

/** What can be set of a topic. */
export interface TopicSettings {
  readonly MaximumMessageSize: number
  readonly LoggingEnabled: boolean
}

export const NOTIFY_STRATEGIES = ['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'] as const
/** How often a push that fails is tried again. */
export type NotifyStrategy = (typeof NOTIFY_STRATEGIES)[number]

const CONTENT_FORMATS = ['XML', 'JSON', 'SIMPLIFIED'] as const
/** What a subscriber is sent. */
export type ContentFormat = (typeof CONTENT_FORMATS)[number]

/** What a subscription asks for. */
export interface SubscriptionSettings {
  readonly Endpoint: string
  readonly NotifyStrategy: NotifyStrategy
  readonly NotifyContentFormat: ContentFormat
  readonly FilterTag?: string
}

const QUEUE_DEFAULTS: QueueSettings = {
  DelaySeconds: 0,
  MaximumMessageSize: 65_536,
  MessageRetentionPeriod: 345_600,
  VisibilityTimeout: 30,
  PollingWaitSeconds: 0,
  LoggingEnabled: false,
}

const TOPIC_DEFAULTS: TopicSettings = { MaximumMessageSize: 65_536, LoggingEnabled: false }

/** https://www.alibabacloud.com/help/en/mns/developer-reference/createqueue */
const RANGES = {
  DelaySeconds: [0, 604_800],
  MaximumMessageSize: [1024, 65_536],
  MessageRetentionPeriod: [60, 1_296_000],
  VisibilityTimeout: [1, 43_200],
  PollingWaitSeconds: [0, 30],
} as const satisfies Record<string, readonly [number, number]>

/** Settings of a queue: what the document says, else what there was before. */
export function readQueueSettings(document: XmlElement, before: QueueSettings = QUEUE_DEFAULTS): QueueSettings {
  const number = (name: keyof typeof RANGES) => integer(document.value(name), name, RANGES[name]) ?? before[name]
  return {
    DelaySeconds: number('DelaySeconds'),
    MaximumMessageSize: number('MaximumMessageSize'),
    MessageRetentionPeriod: number('MessageRetentionPeriod'),
    VisibilityTimeout: number('VisibilityTimeout'),
    PollingWaitSeconds: number('PollingWaitSeconds'),
    LoggingEnabled: boolean(document.value('LoggingEnabled'), 'LoggingEnabled') ?? before.LoggingEnabled,
  }
}

/** Settings of a topic: what the document says, else what there was before. */
export function readTopicSettings(document: XmlElement, before: TopicSettings = TOPIC_DEFAULTS): TopicSettings {
  const name = 'MaximumMessageSize'
  return {
    MaximumMessageSize: integer(document.value(name), name, RANGES[name]) ?? before[name],
    LoggingEnabled: boolean(document.value('LoggingEnabled'), 'LoggingEnabled') ?? before.LoggingEnabled,
  }
}

/** Settings of a new subscription. */
export function readSubscriptionSettings(document: XmlElement): SubscriptionSettings {
  const endpoint = document.value('Endpoint')?.trim()
  if (!endpoint) throw notInSchema('Endpoint')
  if (!endpointKind(endpoint)) throw new MnsError('EndpointInvalid')
  const tag = document.value('FilterTag')
  return {
    Endpoint: endpoint,
    NotifyStrategy: readStrategy(document) ?? 'BACKOFF_RETRY',
    NotifyContentFormat: oneOf(document.value('NotifyContentFormat'), 'NotifyContentFormat', CONTENT_FORMATS) ?? 'XML',
    ...(tag ? { FilterTag: checkTag(tag, 'FilterTag') } : {}),
  }
}

/** The one thing that can be changed of a subscription. */
export function readStrategy(document: XmlElement): NotifyStrategy | undefined {
  return oneOf(document.value('NotifyStrategy'), 'NotifyStrategy', NOTIFY_STRATEGIES)
}

/** Where a subscription leads. */
export function endpointKind(endpoint: string): 'http' | 'queue' | 'outbox' | undefined {
  if (/^https?:\/\//i.test(endpoint)) return URL.canParse(endpoint) ? 'http' : undefined
  if (queueOfEndpoint(endpoint) !== undefined) return 'queue'
  return /^(?:mail:directmail|sms:directsms):\S+$/.test(endpoint) ? 'outbox' : undefined
}

/** The queue of `acs:mns:region:account:queues/name`. */
export function queueOfEndpoint(endpoint: string): string | undefined {
  return /^acs:mns:[^:]*:[^:]*:\/?queues\/([A-Za-z0-9][A-Za-z0-9-]*)$/.exec(endpoint)?.[1]
}

/** Tags are short. https://www.alibabacloud.com/help/en/mns/developer-reference/publishmessage */
export function checkTag(tag: string, name: string): string {
  if (tag.length > 16) throw new MnsError('InvalidArgument', `The length of ${name} should be between 1 and 16.`)
  return tag
}

/** A whole number within its range; absent or empty is nothing. */
export function integer(
  text: string | undefined,
  name: string,
  [low, high]: readonly [number, number],
): number | undefined {
  const digits = text?.trim()
  if (!digits) return undefined
  const number = /^-?\d{1,12}$/.test(digits) ? Number(digits) : Number.NaN
  if (!(number >= low && number <= high)) throw outOfRange(name, low, high)
  return number
}

function boolean(text: string | undefined, name: string): boolean | undefined {
  const word = text?.trim().toLowerCase()
  if (!word) return undefined
  if (word !== 'true' && word !== 'false') throw notInSchema(name)
  return word === 'true'
}

function oneOf<T extends string>(text: string | undefined, name: string, options: readonly T[]): T | undefined {
  const word = text?.trim()
  if (!word) return undefined
  const found = options.find((option) => option === word)
  if (!found) throw notInSchema(name)
  return found
}
