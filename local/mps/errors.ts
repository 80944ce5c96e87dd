import { OpenApiError } from '../wire/acs3.ts'

/**
 * Codes with their words; `%s` is what is wrong.
 * https://help.aliyun.com/zh/mps/developer-reference/error-codes
 */
const CATALOGUE = {
  'InvalidParameter.NullValue': [400, 'The specified parameter "%s" cannot be null.'],
  'InvalidParameter.EmptyValue': [400, 'The specified parameter "%s" cannot be empty.'],
  'InvalidParameter.NotSupported': [400, 'The specified parameter "%s" is not supported.'],
  'InvalidParameter.OutOfRange': [400, 'The specified parameter "%s" is out of range.'],
  'InvalidParameter.ListSizeExceed': [400, 'The specified parameter "%s" size exceed limits.'],
  'InvalidParameter.Format': [400, 'The format of parameter "%s" is invalid.'],
  'InvalidParameter.InvalidState': [400, 'The specified parameter "%s" is invalid.'],
  'InvalidParameter.NumberFormatInvalid': [400, 'The number format of parameter "%s" is invalid.'],
  'InvalidParameter.InvalidBase64Format': [400, 'The specified parameter "%s" should be encoded by base64_urlsafe.'],
  'InvalidParameter.JsonObjectFormatInvalid': [
    400,
    'The parameter "%s" does not conform to the JSON Object specification.',
  ],
  'InvalidParameter.JsonArrayFormatInvalid': [
    400,
    'The parameter "%s" does not conform to the JSON Array specification.',
  ],
  'InvalidParameter.UUIDFormatInvalid': [
    400,
    'The parameter "%s" is invalid.A uuid must:1)be comprised of chracters[a-f],numbers[0-9];2)be 32 characters long.',
  ],
  'InvalidParameter.BucketNameInvalid': [
    400,
    'The bucket name "%s" is invalid. A bucket name must: 1) be comprised of lower-case characters, numbers, underscore(_) or dash(-); 2) start with lower case or numbers; 3) be between 3-255 characters long.',
  ],
  'InvalidParameter.LocationInvalid': [400, 'The location "%s" is invalid.'],
  'InvalidParameter.ObjectKeyInvalid': [
    400,
    'The object key "%s" is invalid. An object name should be between 1 - 1023 bytes long when encoded as UTF-8 and cannot contain LF or CR or unsupported chars in XML1.0.',
  ],
  'InvalidParameter.ResourceNotFound': [404, 'The resource operated "%s" cannot be found.'],
  'InvalidParameter.ResourceContentBad': [400, 'The resource operated "%s" is bad.'],
  'InvalidParameter.TemplateNotFound': [404, 'The Template operated "%s" cannot be found.'],
  'InvalidParameter.TemplateNotSupported': [400, 'The template operated "%s" is not supported.'],
  'DataEncryption.ContainerFormatNotSupported': [400, 'The container format only support: m3u8.'],
  'DataEncryption.CiphertextNotExist': [400, 'The ciphertext does not exist.'],
  'PermissionDenied.ResourceAccess': [403, 'MTS not authorized to operate on the specified resource "%s".'],
  'PermissionDenied.JobInComplete': [403, 'The Job operated "%s" is complete, cannot cancel.'],
  'PermissionDenied.JobInFailure': [403, 'The Job operated "%s" is failure, cannot cancel.'],
  'PermissionDenied.JobInRunning': [403, 'The Job operated "%s" is running, cannot cancel.'],
  NoPermission: [403, 'You are not authorized to do this action. You should be authorized by RAM.'],
  InternalError: [500, 'The operation has failed due to some unknown error, exception or failure.'],
} as const satisfies Record<string, readonly [number, string]>

/** A code of the service. */
export type MpsCode = keyof typeof CATALOGUE

/** A refusal in the words of the service. */
export function mpsError(code: MpsCode, what = ''): OpenApiError {
  const [status, words] = CATALOGUE[code]
  return new OpenApiError(status, code, words.replace('%s', what))
}
