import type { Identity } from '../../wire/credentials.ts'
import { signV1 } from '../sign-v1.ts'
import { checkExpiry, checkSkew, equal, findIdentity, MAX_SKEW_MS, mismatch, type VerifyOptions } from '../verify.ts'
import { signAws4 } from './aws4.ts'
import { translateField } from './request.ts'
import { invalid, readCredential, timeOf } from './verify.ts'

/** Fields of a form by their names in lower case. */
type Field = (name: string) => string | undefined

/** Whether a form is signed Amazon's way. */
export function isS3Form(field: Field): boolean {
  return ['awsaccesskeyid', 'x-amz-algorithm', 'x-amz-credential'].some((name) => field(name) !== undefined)
}

/** Fields that the policy has to fix, since the signature is made from them. */
export const FIXED_S3_FIELDS = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-security-token']

const MAX_AGE_MS = 7 * 86_400_000

/**
 * Who signed the policy of such a form. `required` refuses a form that lacks a field.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
 */
export function verifyS3Form(
  encoded: string,
  field: Field,
  required: (name: string) => string,
  options: VerifyOptions,
): Identity {
  const token = field('x-amz-security-token')
  const compare = (identity: Identity, signature: string, wanted: string) => {
    if (equal(signature, wanted)) return identity
    throw mismatch(identity, signature, encoded)
  }
  if (field('awsaccesskeyid') !== undefined) {
    const identity = findIdentity(required('AWSAccessKeyId'), token, options.credentials)
    return compare(identity, required('signature'), signV1(identity.accessKeySecret, encoded))
  }
  const algorithm = required('x-amz-algorithm')
  if (algorithm !== 'AWS4-HMAC-SHA256') throw invalid('x-amz-algorithm', algorithm)
  const { accessKeyId, scope } = readCredential(required('x-amz-credential'), 'x-amz-credential')
  const time = required('x-amz-date')
  const signedAt = timeOf(time, 'x-amz-date')
  checkExpiry(signedAt + MAX_AGE_MS, options.now())
  if (signedAt > options.now() + MAX_SKEW_MS) checkSkew(time, signedAt, options)
  const identity = findIdentity(accessKeyId, token, options.credentials)
  return compare(identity, required('x-amz-signature'), signAws4(identity.accessKeySecret, encoded, scope))
}

/** The fields under the service's names. */
export function ossFields(fields: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  const translated = [...fields].flatMap(([name, value]) => {
    if (!name.startsWith('x-amz-') || OF_SIGNATURE.has(name)) return [[name, value] as const]
    return translateField(name, value.toString('latin1')).map(
      ([other, text]) => [other, Buffer.from(text, 'latin1')] as const,
    )
  })
  return new Map(translated)
}

const OF_SIGNATURE = new Set([...FIXED_S3_FIELDS, 'x-amz-signature'])
