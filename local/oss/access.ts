import type { Identity } from '../wire/credentials.ts'
import { permits } from '../wire/policy.ts'
import { OssError } from './errors.ts'
import type { OssRequest } from './request.ts'
import type { Store } from './store.ts'

/** A thing that may be done, by its name in RAM policies. */
export type Action =
  | 'oss:ListBuckets'
  | 'oss:PutBucket'
  | 'oss:DeleteBucket'
  | 'oss:GetBucketInfo'
  | 'oss:GetBucketLocation'
  | 'oss:PutBucketAcl'
  | 'oss:GetBucketAcl'
  | 'oss:PutBucketCors'
  | 'oss:GetBucketCors'
  | 'oss:DeleteBucketCors'
  | 'oss:ListObjects'
  | 'oss:ListMultipartUploads'
  | 'oss:PutObject'
  | 'oss:GetObject'
  | 'oss:DeleteObject'
  | 'oss:PutObjectAcl'
  | 'oss:GetObjectAcl'
  | 'oss:AbortMultipartUpload'
  | 'oss:ListParts'

/** What is to be accessed; neither for the service itself, no key for a bucket. */
export interface Target {
  readonly bucket?: string | undefined
  readonly key?: string | undefined
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
    if (caller?.kind === 'account') return
    const allowed = caller ? sessionMay(caller, action, target, request, options) : anyoneMay(action, target, store)
    if (allowed) return
    const why = caller
      ? 'You have no right to access this object.'
      : 'You have no right to access this object because of bucket acl.'
    throw new OssError('AccessDenied', { AuthAction: action }, why)
  }
}

function sessionMay(
  caller: Identity,
  action: Action,
  target: Target,
  request: OssRequest,
  options: AccessOptions,
): boolean {
  if (caller.policy === undefined) return true
  const { bucket = '*', key } = target
  const path = key === undefined ? bucket : `${bucket}/${key}`
  return permits(caller.policy, {
    action,
    resource: `acs:oss:${options.region}:${options.accountId}:${path}`,
    context: {
      'acs:SourceIp': request.sourceIp,
      'acs:SecureTransport': 'false',
      'acs:UserAgent': request.header('user-agent'),
      'acs:CurrentTime': new Date(options.now()).toISOString(),
      // A list without a prefix lists everything, which is what an empty prefix says.
      'oss:Prefix': request.param('prefix') ?? '',
      'oss:Delimiter': request.param('delimiter') ?? '',
    },
  })
}

const PUBLIC_READ = new Set<Action>(['oss:GetObject', 'oss:ListObjects'])
const PUBLIC_WRITE = new Set<Action>(['oss:PutObject', 'oss:DeleteObject', 'oss:AbortMultipartUpload', 'oss:ListParts'])

function anyoneMay(action: Action, { bucket, key }: Target, store: Store): boolean {
  const ofBucket = bucket === undefined ? undefined : store.findBucket(bucket)?.acl
  if (bucket === undefined || ofBucket === undefined) return false
  const ofObject = key === undefined ? 'default' : (store.findObject({ bucket, key })?.acl ?? 'default')
  // A write replaces the object and its ACL, so only the bucket decides about writes.
  if (PUBLIC_WRITE.has(action)) return ofBucket === 'public-read-write'
  return PUBLIC_READ.has(action) && (ofObject === 'default' ? ofBucket : ofObject) !== 'private'
}
