/** Statuses and usual messages of the errors this service answers with, by the service's own names. */
const CATALOGUE = {
  AccessDenied: [403, 'You have no right to access this object.'],
  AccessForbidden: [403, 'CORSResponse: This CORS request is not allowed.'],
  BadRequest: [400, 'This image format is not supported.'],
  BucketAlreadyExists: [
    409,
    'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
  ],
  BucketNotEmpty: [409, 'The bucket has objects. Please delete them first.'],
  CallbackFailed: [203, 'Error status : -1.OSS can not connect to your callbackUrl, please check it.'],
  CnameAlreadyExists: [409, 'The cname is already bound to another bucket.'],
  EntityTooLarge: [400, 'Your proposed upload exceeds the maximum allowed size.'],
  EntityTooSmall: [400, 'Your proposed upload smaller than the minimum allowed size.'],
  FieldItemTooLong: [400, 'Your Post field items is too long.'],
  FileAlreadyExists: [409, 'The object you specified already exists and can not be overwritten.'],
  FileImmutable: [409, 'The object you specified is immutable.'],
  ImageTooLarge: [400, 'The size of the image exceeds the maximum allowed size.'],
  IncorrectNumberOfFilesInPOSTRequest: [400, 'POST requires exactly one file upload per request.'],
  InternalError: [500, 'We encountered an internal error. Please try again.'],
  InvalidAccessKeyId: [403, 'The OSS Access Key Id you provided does not exist in our records.'],
  InvalidArgument: [400, 'The argument you provided is invalid.'],
  InvalidBucketName: [400, 'The specified bucket is not valid.'],
  InvalidDigest: [400, 'The Content-MD5 you specified was invalid.'],
  InvalidEncryptionAlgorithmError: [
    400,
    'The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.',
  ],
  InvalidLocationConstraint: [400, 'The specified location-constraint is not valid'],
  InvalidObjectName: [400, 'The specified object is not valid.'],
  InvalidObjectState: [403, "The operation is not valid for the object's state"],
  InvalidPart: [
    400,
    "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.",
  ],
  InvalidPartOrder: [
    400,
    'The list of parts was not in ascending order. Parts list must specified in order by part number.',
  ],
  InvalidPolicyDocument: [400, 'The content of the policy is invalid.'],
  InvalidRange: [416, 'The requested range cannot be satisfied'],
  InvalidRequest: [400, 'Invalid Request.'],
  InvalidSecurityToken: [403, 'The security token you provided is invalid.'],
  InvalidTag: [400, 'The tag you provided is invalid.'],
  InvalidTargetBucketForLogging: [400, 'put bucket log requester is not target bucket owner.'],
  InvalidTargetType: [400, 'The target object of the symbolic link must not be a symbolic link.'],
  InvalidWORMConfiguration: [400, 'The WORM configuration is invalid.'],
  InventoryAlreadyExist: [409, 'The inventory already exists.'],
  MalformedPOSTRequest: [400, 'The body of your POST request is not well-formed multipart/form-data.'],
  MalformedXML: [400, 'The XML you provided was not well-formed or did not validate against our published schema.'],
  MethodNotAllowed: [405, 'The specified method is not allowed against this resource.'],
  MissingArgument: [400, 'Missing Some Required Arguments.'],
  MissingContentLength: [411, 'You must provide the Content-Length HTTP header.'],
  NoSuchBucket: [404, 'The specified bucket does not exist.'],
  NoSuchBucketCallbackPolicy: [404, 'The bucket callback policy does not exist.'],
  NoSuchBucketPolicy: [404, 'The bucket policy does not exist.'],
  NoSuchAsyncFetchTask: [404, 'The specified fetch does not exist.'],
  NoSuchBucketOverwriteConfig: [404, 'The bucket has no rules against overwriting.'],
  NoSuchBucketQosInfo: [404, 'The bucket qos info does not exist.'],
  NoSuchCORSConfiguration: [404, 'The CORS Configuration does not exist.'],
  NoSuchCname: [404, 'The specified cname does not exist.'],
  NoSuchInventory: [404, 'The inventory does not exist.'],
  NoSuchKey: [404, 'The specified key does not exist.'],
  NoSuchLifecycle: [404, 'No Row found in Lifecycle Table.'],
  NoSuchLiveChannel: [404, 'The specified live channel does not exist.'],
  NoSuchServerSideEncryptionRule: [404, 'The server side encryption configuration does not exist.'],
  NoSuchStyle: [404, 'The style does not exist.'],
  NoSuchTransferAccelerationConfiguration: [404, 'The transfer acceleration configuration does not exist.'],
  NoSuchUpload: [
    404,
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
  ],
  NoSuchUserDefinedLogFieldsConfig: [404, 'The user defined log fields config does not exist.'],
  NoSuchVersion: [404, 'The specified version does not exist.'],
  NoSuchWORMConfiguration: [404, 'The WORM Configuration does not exist.'],
  NoSuchWebsiteConfiguration: [404, 'The specified bucket does not have a website configuration.'],
  NotImplemented: [501, 'A header or parameter you provided implies functionality that is not implemented.'],
  NotSymlink: [400, 'The object you specified is not a symbolic link.'],
  ObjectNotAppendable: [409, 'The object is not appendable'],
  OperationNotSupported: [400, 'The operation is not supported for this resource'],
  PositionNotEqualToLength: [409, 'Position is not equal to file length'],
  PreconditionFailed: [412, 'At least one of the pre-conditions you specified did not hold.'],
  QuotaExceeded: [403, 'Bucket storage exceed max storage capacity.'],
  RequestIsNotMultiPartContent: [400, 'Bucket POST must be of the enclosure-type multipart/form-data.'],
  RequestTimeTooSkewed: [403, 'The difference between the request time and the current time is too large.'],
  ObjectAlreadyExists: [409, 'The object you specified already exists.'],
  ArchiveRestoreFileStale: [409, 'The archive file or restore info stale'],
  ArchiveRestoreNotFinished: [409, "The archive file's restore is not finished."],
  RestoreAlreadyInProgress: [409, 'The restore operation is in progress.'],
  SecurityTokenExpired: [403, 'The security token you provided has expired.'],
  ServiceUnavailable: [503, 'The server is currently unavailable. Please try again later.'],
  SignatureDoesNotMatch: [
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  ],
  SymlinkTargetNotExist: [404, 'The target object of the symbolic link does not exist.'],
  TooManyPipe: [400, 'The number of pipes exceeds the limit of 4.'],
  WORMConfigurationLocked: [403, 'The WORM Configuration is locked.'],
} as const satisfies Record<string, readonly [number, string]>

/** Error numbers that are published at https://help.aliyun.com/zh/oss/support/ec-encoding; the others are left out. */
const EXACT_CODES: Partial<Record<OssErrorCode, string>> = {
  BucketAlreadyExists: '0015-00000104',
  BucketNotEmpty: '0015-00000301',
  InvalidAccessKeyId: '0002-00000902',
  InvalidSecurityToken: '0002-00000006',
  NoSuchBucket: '0015-00000101',
  NoSuchKey: '0026-00000001',
  RequestTimeTooSkewed: '0002-00000504',
  SecurityTokenExpired: '0002-00000007',
  SignatureDoesNotMatch: '0002-00000040',
}

/** An error code of the service. */
export type OssErrorCode = keyof typeof CATALOGUE

/** Further elements of an error answer, in the order in which they are written. */
export type ErrorDetails = Readonly<Record<string, string | number>>

/** A refusal that the client sees as an OSS error document. */
export class OssError extends Error {
  readonly code: OssErrorCode
  readonly details: ErrorDetails
  /** What the answer carries besides the document. */
  readonly headers: readonly (readonly [name: string, value: string])[]

  constructor(
    code: OssErrorCode,
    details: ErrorDetails = {},
    message: string = CATALOGUE[code][1],
    headers: readonly (readonly [name: string, value: string])[] = [],
  ) {
    super(message)
    this.name = 'OssError'
    this.code = code
    this.details = details
    this.headers = headers
  }

  /** HTTP status of the code. */
  get status(): number {
    return CATALOGUE[this.code][0]
  }

  /** The published error number, where one is known. */
  get exactCode(): string | undefined {
    const own = this.details.EC
    return typeof own === 'string' ? own : EXACT_CODES[this.code]
  }
}

/** Refuses an argument by its name, as the service does. */
export function invalidArgument(name: string, value: string, message: string): OssError {
  return new OssError('InvalidArgument', { ArgumentName: name, ArgumentValue: value }, message)
}
