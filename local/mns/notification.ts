import { createHash } from 'node:crypto'
import { writeXml } from '../wire/xml.ts'
import type { ContentFormat } from './attributes.ts'
import type { TopicMessage } from './store.ts'

/** A message as one subscriber gets it. */
export interface Notification {
  readonly contentType: string
  readonly body: string
  /** What a simplified push says in headers, since its body is the message alone. */
  readonly headers: Readonly<Record<string, string>>
}

/** Whose topic it is, and which subscription leads here. */
export interface Addressee {
  readonly accountId: string
  readonly subscription: string
}

/** https://www.alibabacloud.com/help/en/mns/notifycontentformat */
export function notification(message: TopicMessage, to: Addressee, format: ContentFormat): Notification {
  const fields = {
    TopicOwner: to.accountId,
    TopicName: message.topic,
    Subscriber: to.accountId,
    SubscriptionName: to.subscription,
    MessageId: message.id,
    MessageMD5: message.md5,
    Message: message.body,
    ...(message.tag === undefined ? {} : { MessageTag: message.tag }),
    PublishTime: String(message.publishedAt),
  }
  if (format === 'XML')
    return { contentType: 'text/xml;charset=utf-8', body: inNamespace('Notification', fields), headers: {} }
  if (format === 'JSON') {
    return { contentType: 'application/json;charset=utf-8', body: JSON.stringify(fields), headers: {} }
  }
  const headers = {
    'x-mns-message-id': message.id,
    ...(message.tag === undefined ? {} : { 'x-mns-message-tag': message.tag }),
    'x-mns-publish-time': String(message.publishedAt),
    'x-mns-subscriber': to.accountId,
    'x-mns-subscription-name': to.subscription,
    'x-mns-topic-name': message.topic,
    'x-mns-topic-owner': to.accountId,
  }
  return { contentType: 'text/plain;charset=utf-8', body: message.body, headers }
}

const NAMESPACE = 'http://mns.aliyuncs.com/doc/v1/'

/** A document of the service, in its namespace. */
export function inNamespace(root: string, fields: Parameters<typeof writeXml>[1]): string {
  return writeXml(root, fields).replace(`<${root}>`, `<${root} xmlns="${NAMESPACE}">`)
}

/** What a push is signed with and says of itself. */
export interface Push {
  readonly method: 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Headers of a push before it is signed. The digest is of the body, in hex, not what HTTP wants. */
export function pushHeaders(
  { contentType, body, headers }: Notification,
  about: { readonly at: number; readonly requestId: string; readonly certificateUrl: string },
): Record<string, string> {
  return {
    'content-md5': createHash('md5').update(body).digest('hex').toUpperCase(),
    'content-type': contentType,
    date: new Date(about.at).toUTCString(),
    ...headers,
    'x-mns-request-id': about.requestId,
    'x-mns-signing-cert-url': Buffer.from(about.certificateUrl).toString('base64'),
    'x-mns-version': '2015-06-06',
  }
}

/** The text under the signature of a push. https://www.alibabacloud.com/help/en/mns/user-guide/http-endpoints */
export function pushStringToSign({ method, path, headers }: Push): string {
  const names = Object.keys(headers)
    .filter((name) => name.startsWith('x-mns-'))
    .sort()
  const head = [method, headers['content-md5'], headers['content-type'], headers.date]
  return [...head, ...names.map((name) => `${name}:${headers[name]}`), path].join('\n')
}
