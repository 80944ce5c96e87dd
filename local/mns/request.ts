import { MnsError } from './errors.ts'
import type { SignedRequest } from './verify.ts'

/** What a request asks for, and of what. */
export interface MnsCall {
  /** By its name in the API reference. */
  readonly operation: Operation
  readonly queue: string
  readonly topic: string
  readonly subscription: string
  /** Names in small letters: clients write them either way. */
  readonly query: ReadonlyMap<string, string>
  /** The path that policies name. */
  readonly resource: string
}

/** By method and shape of the path; where two share one, the query or the body tells them apart. */
const OPERATIONS = {
  'GET /': ['GetAccountAttributes'],
  'PUT /': ['SetAccountAttributes'],
  'GET /queues': ['ListQueue'],
  'PUT /queues/Q': ['CreateQueue', 'SetQueueAttributes'],
  'GET /queues/Q': ['GetQueueAttributes'],
  'DELETE /queues/Q': ['DeleteQueue'],
  'POST /queues/Q/messages': ['SendMessage', 'BatchSendMessage'],
  'GET /queues/Q/messages': ['ReceiveMessage', 'BatchReceiveMessage', 'PeekMessage', 'BatchPeekMessage'],
  'DELETE /queues/Q/messages': ['DeleteMessage', 'BatchDeleteMessage'],
  'PUT /queues/Q/messages': ['ChangeMessageVisibility'],
  'GET /topics': ['ListTopic'],
  'PUT /topics/T': ['CreateTopic', 'SetTopicAttributes'],
  'GET /topics/T': ['GetTopicAttributes'],
  'DELETE /topics/T': ['DeleteTopic'],
  'POST /topics/T/messages': ['PublishMessage'],
  'GET /topics/T/subscriptions': ['ListSubscriptionByTopic'],
  'PUT /topics/T/subscriptions/S': ['Subscribe', 'SetSubscriptionAttributes'],
  'GET /topics/T/subscriptions/S': ['GetSubscriptionAttributes'],
  'DELETE /topics/T/subscriptions/S': ['Unsubscribe'],
} as const

type Shape = keyof typeof OPERATIONS
/** Every operation of the service. */
export type Operation = (typeof OPERATIONS)[Shape][number]

/** Reads what is asked for, before anybody is trusted; throws `MnsError`. */
export function readCall({ method, url, body }: SignedRequest): MnsCall {
  const [path = '/', text = ''] = url.split(/\?(.*)/s)
  const segments = path.split('/').filter((segment) => segment !== '')
  const [kind = '', name = '', part = '', subscription = ''] = segments.map(decode)
  const query = readQuery(text)
  const shape = `${method} ${shapeOf(kind, name, part, subscription)}`
  if (segments.length > 4 || !isShape(shape)) throw new MnsError('InvalidRequestURL')
  if (kind === '' && query.get('accountmeta') !== 'true') throw new MnsError('InvalidRequestURL')
  const isQueue = kind === 'queues'
  if (name !== '') checkName(name, isQueue ? 'queue' : 'topic')
  if (subscription !== '') checkName(subscription, 'subscription')
  return {
    operation: choose(shape, query, body),
    queue: isQueue ? name : '',
    topic: isQueue ? '' : name,
    subscription,
    query,
    resource: `/${segments.map(decode).join('/')}`,
  }
}

function shapeOf(kind: string, name: string, part: string, subscription: string): string {
  if (kind === '') return '/'
  if (kind !== 'queues' && kind !== 'topics') return '?'
  const letter = kind === 'queues' ? 'Q' : 'T'
  const shape = [kind, name && letter, part, subscription && 'S'].filter((segment) => segment !== '')
  return `/${shape.join('/')}`
}

function isShape(shape: string): shape is Shape {
  return Object.hasOwn(OPERATIONS, shape)
}

function choose(shape: Shape, query: MnsCall['query'], body: Buffer): Operation {
  const [first, second, third, fourth] = OPERATIONS[shape] as readonly Operation[]
  const pick = (isOther: boolean, other: Operation | undefined) => (isOther && other ? other : (first as Operation))
  if (shape === 'POST /queues/Q/messages') return pick(rootOf(body) === 'Messages', second)
  if (shape === 'DELETE /queues/Q/messages') return pick(!query.has('receipthandle') && body.length > 0, second)
  if (shape !== 'GET /queues/Q/messages') return pick(query.get('metaoverride') === 'true', second)
  const isBatch = query.has('numofmessages')
  if (query.get('peekonly') === 'true') return pick(true, isBatch ? fourth : third)
  return pick(isBatch, second)
}

/** The name of the root element, without reading the document. */
export function rootOf(body: Buffer): string | undefined {
  return /<([A-Za-z]\w*)/.exec(body.subarray(0, 1024).toString())?.[1]
}

/** A plus sign is itself: receipt handles are base64, and not every client encodes them. */
function readQuery(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('&').filter((pair) => pair !== '')
  return new Map(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      return [decode(name).toLowerCase(), decode(value)]
    }),
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new MnsError('InvalidRequestURL')
  }
}

const NAME_ERRORS = {
  queue: ['QueueNameLengthError', 'InvalidQueueName'],
  topic: ['TopicNameLengthError', 'TopicNameInvalid'],
  subscription: ['SubscriptionNameLengthError', 'SubscriptionNameInvalid'],
} as const

function checkName(name: string, kind: keyof typeof NAME_ERRORS): void {
  const [tooLong, invalid] = NAME_ERRORS[kind]
  if (name.length > 256) throw new MnsError(tooLong)
  if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)) throw new MnsError(invalid)
}
