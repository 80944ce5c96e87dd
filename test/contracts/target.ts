import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocal } from '../../local/index.ts'

/**
 * Where the contracts run: a local cloud of their own, or with `REMOTE=1` the real one. There everything has a name that
 * nothing else has, is removed afterwards, and what costs more than requests is left out. It is described by
 *
 *   CLOUD_ACCESS_KEY_ID, CLOUD_ACCESS_KEY_SECRET, CLOUD_ACCOUNT_ID   a RAM user of a test account, and the account
 *   CLOUD_REGION                  cn-hangzhou unless set
 *   CLOUD_ROLE_ARN                a role that the user may assume, with the rights that the contracts narrow
 *   CLOUD_TABLESTORE_INSTANCE     an instance of that region
 *   CLOUD_MPS_PIPELINE            a pipeline of MPS
 *
 * No run against the real cloud has been recorded so far: each contract is what the documentation says.
 */
export interface Target {
  readonly isRemote: boolean
  readonly keys: Keys
  readonly accountId: string
  readonly region: string
  readonly roleArn: string
  readonly oss: { readonly endpoint: string; readonly bucketUrl: (bucket: string) => string }
  readonly tablestore: { readonly endpoint: string; readonly instance: string }
  /** For the SDKs of the OpenAPI: `endpoint` is a host. */
  readonly sts: OpenApiEndpoint
  readonly fc: OpenApiEndpoint
  readonly mns: { readonly endpoint: string }
  readonly mps: OpenApiEndpoint & { readonly pipelineId: string }
  close(): Promise<void>
}

/** Keys of the account, of a user, or of a session. */
export interface Keys {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

interface OpenApiEndpoint {
  readonly endpoint: string
  readonly protocol: string
}

/** Starts the local cloud, or reads where the real one is. */
export function openTarget(): Promise<Target> {
  return process.env.REMOTE === '1' ? Promise.resolve(remoteTarget()) : localTarget()
}

async function localTarget(): Promise<Target> {
  const dataDir = await mkdtemp(join(tmpdir(), 'contracts-'))
  const local = await startLocal({ port: 0, dataDir, bare: { buckets: ['contracts'], instance: 'contracts' } })
  const { accessKeyId, accessKeySecret, accountId, region, oss, tablestore, sts, fc, mns, mps } = local.cloud
  return {
    isRemote: false,
    keys: { accessKeyId, accessKeySecret },
    accountId,
    region,
    roleArn: `acs:ram::${accountId}:role/contracts`,
    oss: { endpoint: oss.endpoint, bucketUrl: (bucket) => `${oss.endpoint}/${bucket}` },
    tablestore,
    sts: { ...sts, protocol: 'http' },
    fc: { ...fc, protocol: 'http' },
    mns,
    mps: { ...mps, protocol: 'http' },
    async close() {
      await local.close()
      await rm(dataDir, { recursive: true })
    },
  }
}

function remoteTarget(): Target {
  const region = process.env.CLOUD_REGION ?? 'cn-hangzhou'
  const accountId = setting('CLOUD_ACCOUNT_ID')
  const instance = setting('CLOUD_TABLESTORE_INSTANCE')
  const oss = `oss-${region}.aliyuncs.com`
  return {
    isRemote: true,
    keys: { accessKeyId: setting('CLOUD_ACCESS_KEY_ID'), accessKeySecret: setting('CLOUD_ACCESS_KEY_SECRET') },
    accountId,
    region,
    roleArn: setting('CLOUD_ROLE_ARN'),
    oss: { endpoint: `https://${oss}`, bucketUrl: (bucket) => `https://${bucket}.${oss}` },
    tablestore: { endpoint: `https://${instance}.${region}.ots.aliyuncs.com`, instance },
    sts: { endpoint: `sts.${region}.aliyuncs.com`, protocol: 'https' },
    fc: { endpoint: `${accountId}.${region}.fc.aliyuncs.com`, protocol: 'https' },
    mns: { endpoint: `https://${accountId}.mns.${region}.aliyuncs.com` },
    mps: { endpoint: `mts.${region}.aliyuncs.com`, protocol: 'https', pipelineId: setting('CLOUD_MPS_PIPELINE') },
    close: async () => {},
  }
}

function setting(name: string): string {
  const value = process.env[name]
  if (value) return value
  throw new Error(`REMOTE=1 needs ${name}: see test/contracts/target.ts`)
}

/** A name that nothing else has, in small letters and digits. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${Date.now().toString(36)}${randomBytes(4).toString('hex')}`
}
