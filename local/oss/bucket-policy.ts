import type { Identity } from '../wire/credentials.ts'
import { matchesGlob, type PolicyRequest, verdict } from '../wire/policy.ts'
import { writeXml } from '../wire/xml.ts'
import { readSmallBody } from './bodies.ts'
import { bucketOf } from './bucket-operations.ts'
import { changeSetting } from './bucket-settings.ts'
import { type Operation, xmlReply } from './context.ts'
import { OssError } from './errors.ts'
import type { BucketRecord } from './records.ts'

const MAX_POLICY_BYTES = 16 * 1024

/** https://help.aliyun.com/zh/oss/developer-reference/putbucketpolicy */
export const putBucketPolicy: Operation = {
  action: 'oss:PutBucketPolicy',
  async run(context) {
    const { settings } = context.store.bucket(bucketOf(context))
    const text = await readSmallBody(context.request)
    if (Buffer.byteLength(text) > MAX_POLICY_BYTES)
      throw new OssError('InvalidPolicyDocument', {}, 'Policy is too long.')
    if (isPublic(checkPolicy(text)) && settings?.publicAccessBlock?.includes('true')) {
      throw new OssError('AccessDenied', {}, 'Put public bucket policy is not allowed.')
    }
    await changeSetting(context, 'policy', text)
    return { status: 200 }
  },
}

export const getBucketPolicy: Operation = {
  action: 'oss:GetBucketPolicy',
  run(context) {
    const policy = context.store.bucket(bucketOf(context)).settings?.policy
    if (policy === undefined) throw new OssError('NoSuchBucketPolicy', { BucketName: bucketOf(context) })
    return { status: 200, headers: [['Content-Type', 'application/json']], body: policy }
  },
}

export const getBucketPolicyStatus: Operation = {
  action: 'oss:GetBucketPolicyStatus',
  run(context) {
    const policy = context.store.bucket(bucketOf(context)).settings?.policy
    const IsPublic = policy !== undefined && isPublic(checkPolicy(policy))
    return xmlReply(writeXml('PolicyStatus', { IsPublic }))
  },
}

export const deleteBucketPolicy: Operation = {
  action: 'oss:DeleteBucketPolicy',
  async run(context) {
    context.store.bucket(bucketOf(context))
    await changeSetting(context, 'policy', undefined)
    return { status: 204 }
  },
}

type Statement = Readonly<Record<string, unknown>>

function checkPolicy(text: string): readonly Statement[] {
  const document = parseJson(text)
  if (isObject(document) && document.Version !== '1') {
    throw new OssError('InvalidPolicyDocument', {}, 'The version of the policy must be 1.')
  }
  const statements = isObject(document) ? document.Statement : undefined
  if (!Array.isArray(statements) || statements.length === 0) throw new OssError('InvalidPolicyDocument')
  return statements.map(checkStatement)
}

function checkStatement(statement: unknown): Statement {
  if (!isObject(statement)) throw new OssError('InvalidPolicyDocument')
  const { Effect: effect } = statement
  if (effect !== 'Allow' && effect !== 'Deny')
    throw new OssError('InvalidPolicyDocument', {}, 'Invalid effect in policy.')
  // One that names nobody is taken as well, and applies to nobody.
  for (const element of ['Action', 'Resource']) {
    if (statement[element] !== undefined || statement[`Not${element}`] !== undefined) continue
    throw new OssError('InvalidPolicyDocument', {}, `Missing ${element.toLowerCase()} in policy.`)
  }
  return statement
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new OssError('InvalidPolicyDocument', {}, 'The policy is not in the correct JSON format.')
  }
}

function isObject(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Something is allowed to everyone, without a condition. */
function isPublic(statements: readonly Statement[]): boolean {
  return statements.some((one) => {
    const principals: readonly unknown[] = Array.isArray(one.Principal) ? one.Principal : [one.Principal]
    return one.Effect === 'Allow' && principals.includes('*') && one.Condition === undefined
  })
}

/** What a bucket's policy says about a request: `*` is everyone, and an account or a role's session has a name. */
export function bucketVerdict(
  bucket: BucketRecord | undefined,
  caller: Identity | undefined,
  request: PolicyRequest,
): 'allow' | 'deny' | 'silent' {
  const policy = bucket?.settings?.policy
  if (policy === undefined) return 'silent'
  return verdict(policy, request, (principal) => isNamed(principal, caller))
}

/** Whether a principal of a policy is or includes the caller. */
export function isNamed(principal: string, caller: Identity | undefined): boolean {
  const name = nameOf(caller)
  return principal === '*' || (name !== '' && matchesGlob(principal, name))
}

function nameOf(caller: Identity | undefined): string {
  if (caller === undefined) return ''
  const { kind, accountId, role, sessionName } = caller
  return kind === 'account' ? accountId : `arn:sts::${accountId}:assumed-role/${role ?? ''}/${sessionName ?? ''}`
}
