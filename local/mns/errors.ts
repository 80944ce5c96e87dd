/**
 * Codes with their status and words.
 * https://www.alibabacloud.com/help/en/mns/developer-reference/syntax-of-error-responses
 */
const CATALOGUE = {
  AccessDenied: [403, 'The OwnerId that your Access Key Id associated to is forbidden for this operation.'],
  InvalidAccessKeyId: [403, 'The AccessKey Id you provided is not exist.'],
  InvalidSecurityToken: [403, 'The security token you provided is invalid or expired.'],
  InternalError: [500, 'Interal error.'],
  ServiceUnavailable: [503, 'The service is busy, please try again later.'],
  InvalidAuthorizationHeader: [400, 'The Authorization header format is invalid.'],
  InvalidDateHeader: [400, 'The Date header format is invalid.'],
  InvalidVersionHeader: [400, 'The x-mns-version header you provided is not supported.'],
  InvalidArgument: [400, 'The argument you provided is invalid.'],
  InvalidDegist: [400, 'The Content-MD5 you specified is invalid.'],
  InvalidRequestURL: [400, 'Http request URL format invalid.'],
  InvalidQueryString: [400, 'Http request URL contains invalid querystring item.'],
  MalformedXML: [400, 'The XML you provided was not well-formed.'],
  MissingAuthorizationHeader: [400, 'Authorization header is required.'],
  MissingDateHeader: [400, 'Date header is required.'],
  MissingVersionHeader: [400, 'x-mns-version header is required.'],
  MissingReceiptHandle: [400, 'ReceiptHandle is required.'],
  MissingVisibilityTimeout: [400, 'VisibilityTimeout is required.'],
  MessageNotExist: [404, 'Message not exist.'],
  QueueAlreadyExist: [409, 'The queue you want to create is already exist.'],
  QueueNotExist: [404, 'The queue name you provided is not exist.'],
  InvalidQueueName: [
    400,
    'The queue name you provided is invalid. QueueName should start with alpha or digit and contain only alpha, digit or -.',
  ],
  QueueNameLengthError: [400, 'The length of queue name should be between 1 and 256.'],
  ReceiptHandleError: [400, 'The receipt handle you provide is not valid.'],
  RequestEntityTooLarge: [413, 'The request body is too large.'],
  SignatureDoesNotMatch: [
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  ],
  TimeExpired: [408, 'The http request you sent is expired.'],
  TopicAlreadyExist: [409, 'The topic you want to create is already exist.'],
  TopicNotExist: [404, 'The topic name you provided is not exist.'],
  TopicNameInvalid: [
    400,
    'The topic name you provided is invalid. TopicName should start with alpha or digit and contain only alpha, digit or -.',
  ],
  TopicNameLengthError: [400, 'The length of topic name should be between 1 and 256.'],
  SubscriptionAlreadyExist: [409, 'The subscription you want to create is already exist.'],
  SubscriptionNotExist: [404, 'The subscription name you provided is not exist.'],
  SubscriptionNameInvalid: [
    400,
    'The subscription name you provided is invalid. SubscriptionName should start with alpha or digit and contain only alpha, digit or -.',
  ],
  SubscriptionNameLengthError: [400, 'The length of subscription name should be between 1 and 256.'],
  EndpointInvalid: [400, 'The endpoint you provided is invalid.'],
} as const satisfies Record<string, readonly [number, string]>

/** A code of the service. */
export type MnsCode = keyof typeof CATALOGUE

/** A refusal in the words of the service. */
export class MnsError extends Error {
  readonly code: MnsCode
  readonly status: number
  constructor(code: MnsCode, message?: string) {
    const [status, words] = CATALOGUE[code]
    super(message ?? words)
    this.name = 'MnsError'
    this.code = code
    this.status = status
  }
}

/** An argument that is outside of its range. */
export function outOfRange(name: string, low: number, high: number): MnsError {
  return new MnsError('InvalidArgument', `The value of ${name} should between ${low} and ${high} seconds/bytes.`)
}

/** A body that lacks an element, or has one that makes no sense. */
export function notInSchema(element: string): MnsError {
  const words = `The XML you provided did not validate against our published schema, cause by ${element} Element.`
  return new MnsError('InvalidArgument', words)
}
