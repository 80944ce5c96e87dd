import type { Identity } from '../../wire/credentials.ts'
import { invalidArgument } from '../errors.ts'
import { FIXED_S3_FIELDS, isS3Form, verifyS3Form } from '../s3/form.ts'
import { signV1 } from '../sign-v1.ts'
import { signV4 } from '../sign-v4.ts'
import {
  checkExpiry,
  checkScopeDate,
  checkSkew,
  equal,
  findIdentity,
  MAX_SKEW_MS,
  mismatch,
  parseTime,
  readCredential,
  type VerifyOptions,
} from '../verify.ts'
import { checkPolicy, failedCondition, fixes, type PostPolicy, parsePolicy, type SizeRange } from './policy.ts'

type Field = (name: string) => string | undefined

/** Who sent a form, and the sizes that its file may have. */
export interface FormRights {
  /** `undefined` for no one in particular. */
  readonly caller: Identity | undefined
  readonly sizes: SizeRange
}

/** Reads whom a form is from, and refuses one whose signature does not hold or that its policy does not allow. */
export function authenticateForm(field: Field, options: VerifyOptions, now: number): FormRights {
  const version4 = V4_FIELDS.some((name) => field(name) !== undefined)
  const version1 = ['ossaccesskeyid', 'signature', 'policy'].some((name) => field(name) !== undefined)
  const amazon = isS3Form(field)
  if (!version1 && !version4 && !amazon) return { caller: undefined, sizes: { min: 0, max: Number.POSITIVE_INFINITY } }
  const encoded = required(field, 'policy')
  const verify = amazon ? verifyAmazon : version4 ? verifyV4 : verifyV1
  const caller = verify(encoded, field, options)
  const policy = parsePolicy(encoded)
  const sizes = checkPolicy(policy, field, now)
  if (amazon) checkFixed(policy, field, FIXED_S3_FIELDS)
  else if (version4) checkFixed(policy, field, [...V4_FIELDS.slice(0, -1), 'x-oss-security-token'])
  return { caller, sizes }
}

function verifyAmazon(encoded: string, field: Field, options: VerifyOptions): Identity {
  return verifyS3Form(encoded, field, (name) => required(field, name), options)
}

/** If one of the fields of a signature is there, all must be. */
function required(field: Field, name: string): string {
  const value = field(name.toLowerCase())
  if (value) return value
  const message = `Bucket POST must contain a field named '${name}'. If it is specified, please check the order of the fields.`
  throw invalidArgument(name, '', message)
}

/** HMAC-SHA1 over the policy as it was sent. https://help.aliyun.com/zh/oss/developer-reference/postobject */
function verifyV1(encoded: string, field: Field, { credentials }: VerifyOptions): Identity {
  const accessKeyId = required(field, 'OSSAccessKeyId')
  const signature = required(field, 'Signature')
  const identity = findIdentity(accessKeyId, field('x-oss-security-token'), credentials)
  if (!equal(signature, signV1(identity.accessKeySecret, encoded))) throw mismatch(identity, signature, encoded)
  return identity
}

const V4_FIELDS = ['x-oss-signature-version', 'x-oss-credential', 'x-oss-date', 'x-oss-signature']
const MAX_AGE_MS = 7 * 86_400_000

/** https://help.aliyun.com/zh/oss/developer-reference/signature-version-4-recommend */
function verifyV4(encoded: string, field: Field, options: VerifyOptions): Identity {
  const version = required(field, 'x-oss-signature-version')
  if (version !== 'OSS4-HMAC-SHA256') {
    throw invalidArgument('x-oss-signature-version', version.slice(0, 64), 'The signature version is not supported.')
  }
  const { accessKeyId, scope } = readCredential(required(field, 'x-oss-credential'), options.region)
  const time = required(field, 'x-oss-date')
  const signedAt = parseTime(time)
  checkScopeDate(scope, time)
  checkExpiry(signedAt + MAX_AGE_MS, options.now())
  if (signedAt > options.now() + MAX_SKEW_MS) checkSkew(time, signedAt, options)
  const signature = required(field, 'x-oss-signature')
  const identity = findIdentity(accessKeyId, field('x-oss-security-token'), options.credentials)
  if (!equal(signature, signV4(identity.accessKeySecret, encoded, scope))) throw mismatch(identity, signature, encoded)
  return identity
}

/** What the key of the signature is derived from must be in the policy too, or it would not be signed. */
function checkFixed(policy: PostPolicy, field: Field, names: readonly string[]): void {
  for (const name of names) {
    const value = field(name)
    if (value !== undefined && !fixes(policy, name, value)) throw failedCondition(`["eq", "$${name}", "${value}"]`)
  }
}
