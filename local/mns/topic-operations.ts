import type { XmlElement, XmlFields } from '../wire/xml.ts'
import { checkTag, readStrategy, readSubscriptionSettings, readTopicSettings } from './attributes.ts'
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
import { readMessageBody, readProperties, recordFields } from './queue-operations.ts'
import type { SubscriptionRecord, TopicRecord } from './store.ts'
import type { Publication } from './topics.ts'

/** How long a topic keeps what it could not deliver; it cannot be set. */
const RETENTION_S = 86_400

/** What a publication can say to mail, telephones and apps. */
const ATTRIBUTES = ['DirectMail', 'DirectSMS', 'DM', 'DYSMS', 'DYSMSTemplate', 'WebSocket', 'Push']

/** Operations on the account, on topics, on subscriptions, and publishing. */
export const TOPIC_OPERATIONS = {
  GetAccountAttributes: ({ account }) =>
    document(200, 'Account', { LoggingBucket: account.get('LoggingBucket') ?? '' }),
  async SetAccountAttributes(context) {
    const bucket = readBodyXml(context, 'Account').value('LoggingBucket')
    if (bucket !== undefined) await context.save(() => context.account.put('LoggingBucket', bucket))
    return NO_CONTENT
  },
  async CreateTopic(context) {
    const { topic } = context.call
    const settings = readTopicSettings(readBodyXml(context, 'Topic'))
    return createdReply(context, await context.topics.create(topic, settings), `topics/${topic}`)
  },
  async SetTopicAttributes(context) {
    const { topic } = context.call
    const before = context.topics.find(topic).settings
    await context.topics.change(topic, readTopicSettings(readBodyXml(context, 'Topic'), before))
    return NO_CONTENT
  },
  GetTopicAttributes: (context) =>
    document(200, 'Topic', topicFields(context, context.call.topic, context.topics.find(context.call.topic))),
  async DeleteTopic({ topics, call }) {
    await topics.remove(call.topic)
    return NO_CONTENT
  },
  ListTopic(context) {
    const { items, marker, meta } = page(context, context.topics.list)
    const all = items.map(([name, record]) => ({
      TopicURL: urlOf(context, `topics/${name}`),
      ...(meta ? topicFields(context, name, record) : {}),
    }))
    return document(200, 'Topics', { Topic: all, NextMarker: marker })
  },
  async PublishMessage(context) {
    const { topics, call } = context
    const limit = topics.find(call.topic).settings.MaximumMessageSize
    const published = await topics.publish(call.topic, readPublication(readBodyXml(context, 'Message'), limit))
    return document(201, 'Message', recordFields(published))
  },
  async Subscribe(context) {
    const { topic, subscription } = context.call
    const settings = readSubscriptionSettings(readBodyXml(context, 'Subscription'))
    const creation = await context.topics.subscribe(topic, subscription, settings)
    return createdReply(context, creation, `topics/${topic}/subscriptions/${subscription}`)
  },
  async SetSubscriptionAttributes(context) {
    const { topic, subscription } = context.call
    await context.topics.setStrategy(topic, subscription, readStrategy(readBodyXml(context, 'Subscription')))
    return NO_CONTENT
  },
  GetSubscriptionAttributes(context) {
    const { topic, subscription } = context.call
    const record = context.topics.findSubscription(topic, subscription)
    return document(200, 'Subscription', subscriptionFields(context, subscription, record))
  },
  async Unsubscribe({ topics, call }) {
    await topics.unsubscribe(call.topic, call.subscription)
    return NO_CONTENT
  },
  ListSubscriptionByTopic(context) {
    const { topic } = context.call
    const { items, marker, meta } = page(context, (prefix, from) => context.topics.subscriptions(topic, prefix, from))
    const all = items.map(([name, record]) => ({
      SubscriptionURL: urlOf(context, `topics/${topic}/subscriptions/${name}`),
      ...(meta ? subscriptionFields(context, name, record) : {}),
    }))
    return document(200, 'Subscriptions', { Subscription: all, NextMarker: marker })
  },
} satisfies Readonly<Record<string, Run>>

function topicFields({ topics }: Context, name: string, { settings, createdAt, modifiedAt }: TopicRecord): XmlFields {
  return {
    TopicName: name,
    CreateTime: seconds(createdAt),
    LastModifyTime: seconds(modifiedAt),
    MaximumMessageSize: settings.MaximumMessageSize,
    MessageRetentionPeriod: RETENTION_S,
    MessageCount: topics.messageCount(name),
    LoggingEnabled: word(settings.LoggingEnabled),
  }
}

function subscriptionFields({ accountId, call }: Context, name: string, record: SubscriptionRecord): XmlFields {
  return {
    SubscriptionName: name,
    Subscriber: accountId,
    TopicOwner: accountId,
    TopicName: call.topic,
    CreateTime: seconds(record.createdAt),
    LastModifyTime: seconds(record.modifiedAt),
    ...record.settings,
  }
}

function readPublication(message: XmlElement, limitBytes: number): Publication {
  const tag = message.value('MessageTag')
  const given = message.all('MessageAttributes')[0]
  const attributes = ATTRIBUTES.flatMap((name) => {
    const text = given?.value(name)
    return text === undefined ? [] : [[name, text] as const]
  })
  const userProperties = readProperties(message, 'UserProperties', 'PropertyValue')
  return {
    body: readMessageBody(message, limitBytes),
    ...(tag ? { tag: checkTag(tag, 'MessageTag') } : {}),
    ...(attributes.length > 0 ? { attributes: Object.fromEntries(attributes) } : {}),
    ...(userProperties ? { userProperties } : {}),
  }
}
