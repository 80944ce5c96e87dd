import type { Identity } from '../wire/credentials.ts'
import { type PolicyRequest, permits } from '../wire/policy.ts'
import { bucketVerdict } from './bucket-policy.ts'
import { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'
import type { Store } from './store.ts'

/** A thing that may be done, by its name in RAM policies. */
export type Action = `oss:${string}`

/** What is to be accessed; neither for the service itself, no key for a bucket. */
export interface Target {
  readonly bucket?: string | undefined
  readonly key?: string | undefined
  readonly versionId?: string | undefined
}

/** Throws AccessDenied unless the caller may do this. */
export type Authorize = (action: Action, target: Target) => void

export interface AccessOptions {
  readonly region: string
  readonly accountId: string
  readonly now: () => number
}

/** The judge for one caller: the account may do all, a session what its policy says, others what is public. */
export function authorizer(
  caller: Identity | undefined,
  request: OssRequest,
  store: Store,
  options: AccessOptions,
): Authorize {
  return (action, target) => {
    const question = describe(action, target, request, options)
    const bucket = target.bucket === undefined ? undefined : store.findBucket(target.bucket)
    const said = bucketVerdict(bucket, caller, question)
    // Whoever owns a bucket can always get back in.
    if (caller?.kind === 'account' && (said !== 'deny' || action.endsWith('BucketPolicy'))) return
    if (said !== 'deny' && mayOtherwise(caller, target, question, said === 'allow', store)) return
    throw refusal(caller, action, said === 'deny')
  }
}

/** Names of buckets are the whole service's; this one belongs to others, as the suites of the vendor's SDKs rely on. */
const TAKEN_NAME = 'oss'

/** Refuses what is done to the bucket of another account. */
export function refuseForeign({ bucket }: OssRequest, operation: string, store: Store): void {
  if (bucket !== TAKEN_NAME || store.findBucket(bucket) !== undefined) return
  if (operation === 'PutBucket') throw new OssError('BucketAlreadyExists', { BucketName: bucket })
  throw new OssError('AccessDenied', {}, 'The bucket you access does not belong to you.')
}

/** A bucket is looked for before an unknown key is refused, but by what may make it. */
export function refuseMissing({ bucket }: OssRequest, operation: string, store: Store): void {
  if (bucket === undefined || bucket === TAKEN_NAME || ['PutBucket', 'PutBucketAcl'].includes(operation)) return
  store.bucket(bucket)
}

function mayOtherwise(
  caller: Identity | undefined,
  target: Target,
  question: PolicyRequest,
  allowed: boolean,
  store: Store,
): boolean {
  if (caller?.kind === 'session') return caller.policy === undefined || permits(caller.policy, question)
  return allowed || anyoneMay(question.action, target, store)
}

function refusal(caller: Identity | undefined, action: Action, byPolicy: boolean): OssError {
  if (byPolicy) return new OssError('AccessDenied', { AuthAction: action }, 'Access denied by bucket policy.')
  const why = caller
    ? "Access denied by authorizer's policy."
    : 'You have no right to access this object because of bucket acl.'
  return new OssError('AccessDenied', { AuthAction: action }, why)
}

function describe(
  action: Action,
  { bucket = '*', key }: Target,
  request: OssRequest,
  options: AccessOptions,
): PolicyRequest {
  const path = key === undefined ? bucket : `${bucket}/${key}`
  return {
    action,
    resource: `acs:oss:${options.region}:${options.accountId}:${path}`,
    context: {
      'acs:SourceIp': request.sourceIp,
      'acs:SecureTransport': 'false',
      'acs:UserAgent': request.header('user-agent'),
      'acs:Referer': request.header('referer'),
      'acs:CurrentTime': new Date(options.now()).toISOString(),
      // A list without a prefix lists everything, which is what an empty prefix says.
      'oss:Prefix': request.param('prefix') ?? '',
      'oss:Delimiter': request.param('delimiter') ?? '',
    },
  }
}

const PUBLIC_READ = new Set(['oss:GetObject', 'oss:GetObjectVersion', 'oss:ListObjects'])
const PUBLIC_WRITE = new Set(['oss:PutObject', 'oss:DeleteObject', 'oss:AbortMultipartUpload', 'oss:ListParts'])

function anyoneMay(action: string, { bucket, key, versionId }: Target, store: Store): boolean {
  const record = bucket === undefined ? undefined : store.findBucket(bucket)
  if (bucket === undefined || record === undefined) return false
  if (record.settings?.publicAccessBlock?.includes('true')) return false
  const version = key === undefined ? undefined : store.findVersion({ bucket, key }, versionId)
  const ofObject = version === undefined || version.type === 'DeleteMarker' ? 'default' : version.acl
  // A write replaces the object and its ACL, so only the bucket decides about writes.
  if (PUBLIC_WRITE.has(action)) return record.acl === 'public-read-write'
  return PUBLIC_READ.has(action) && (ofObject === 'default' ? record.acl : ofObject) !== 'private'
}
