import type { Credentials } from '../auth/credentials.ts'
import { AppError } from '../errors.ts'
import { exportsOf } from './common-js.ts'
import { openApiConfig } from './open-api.ts'
import { perCredentials } from './per-credentials.ts'
import { withRetries } from './retry.ts'
import { isTransient, translate } from './upstream.ts'

export interface StsConfig {
  readonly endpoint: string
  readonly uploadRoleArn: string
}

export interface UploadGrant {
  readonly bucket: string
  /** The one object that may be written. */
  readonly key: string
  /** For the audit log: 2 to 64 of `[A-Za-z0-9.@_-]`. */
  readonly sessionName: string
  readonly seconds: number
}

export interface SessionCredentials {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken: string
  /** RFC 3339. */
  readonly expiration: string
}

/** AssumeRole takes a policy of at most this many characters. */
const MAX_POLICY_CHARACTERS = 2048
const TIMEOUT_MS = 5_000

const clientOf = perCredentials(createClient)

/** Credentials that can write one object and nothing else. */
export async function assumeUploader(
  config: StsConfig,
  credentials: Credentials,
  grant: UploadGrant,
): Promise<SessionCredentials> {
  const { client, sdk } = await clientOf({ endpoint: config.endpoint }, credentials)
  const request = new sdk.AssumeRoleRequest({
    roleArn: config.uploadRoleArn,
    roleSessionName: grant.sessionName,
    durationSeconds: grant.seconds,
    policy: uploadPolicy(grant.bucket, grant.key),
  })
  const retry = { tries: 3, baseDelayMs: 200, timeoutMs: TIMEOUT_MS, retryable: isTransient }
  const answer = await withRetries(retry, () => client.assumeRole(request)).catch((error: unknown) => {
    throw translate('STS', error)
  })
  const { accessKeyId, accessKeySecret, securityToken, expiration } = answer.body?.credentials ?? {}
  if (!accessKeyId || !accessKeySecret || !securityToken || !expiration) {
    throw new AppError('upstream_failed', 'STS answered without credentials')
  }
  return { accessKeyId, accessKeySecret, securityToken, expiration }
}

/**
 * The session policy; it only narrows the role. All parts of an upload count as PutObject, and PutObjectAcl is left out.
 * https://help.aliyun.com/zh/oss/developer-reference/ram-policy
 */
export function uploadPolicy(bucket: string, key: string): string {
  if (/[*?]/.test(key)) throw new Error('a key with wildcards would grant more than itself')
  const policy = JSON.stringify({
    Version: '1',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['oss:PutObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
        Resource: [`acs:oss:*:*:${bucket}/${key}`],
      },
    ],
  })
  if (policy.length > MAX_POLICY_CHARACTERS) throw new Error(`a policy holds ${MAX_POLICY_CHARACTERS} characters`)
  return policy
}

async function createClient(config: { readonly endpoint: string }, credentials: Credentials) {
  const sdk = exportsOf(await import('@alicloud/sts20150401'))
  type SdkConfig = ConstructorParameters<typeof sdk.default>[0]
  return { sdk, client: new sdk.default(openApiConfig(config.endpoint, credentials, TIMEOUT_MS) as SdkConfig) }
}
