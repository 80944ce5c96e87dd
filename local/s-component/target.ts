import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import type { Logger } from './steps.ts'

// The vendor's SDK is CommonJS with a `default` of its own, which loaders unwrap differently; `require` does not.
const load = createRequire(import.meta.url)

/** The client of Function Compute's API, version 2023-03-30, with its models. */
export const sdk = load('@alicloud/fc20230330') as typeof import('@alicloud/fc20230330')

/** The local Function Compute that is deployed to. */
export interface Target {
  readonly client: InstanceType<typeof sdk.default>
  readonly accountId: string
  /** What `domainName: auto` stands for. */
  readonly ownDomain: string
  readonly gateway?: string
}

/** Where the settings of a deployment come from. */
export interface Place {
  readonly props: Readonly<Record<string, unknown>>
  readonly baseDir: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the access alias. */
  credential(): Promise<{
    readonly AccountID?: string
    readonly AccessKeyID?: string
    readonly AccessKeySecret?: string
  }>
}

/**
 * Finds the local cloud: `YUNBO_CLOUD` names the `cloud.json` of one that runs, without it the one that `npm start` or
 * `npm run cloud` keep in `.local` is taken; an `endpoint` in the props or `FC_ENDPOINT` goes above both, with the keys
 * of the access alias.
 */
export async function openTarget(place: Place): Promise<Target> {
  const { props, baseDir, env } = place
  const endpoint = props.endpoint ?? env.FC_ENDPOINT
  if (typeof endpoint === 'string' && endpoint !== '') {
    const { AccountID, AccessKeyID, AccessKeySecret } = await place.credential()
    return {
      client: clientOf(endpoint, AccessKeyID, AccessKeySecret),
      accountId: AccountID ?? '',
      ownDomain: new URL(withScheme(endpoint)).hostname,
    }
  }
  const cloud = await readCloud(resolve(baseDir, env.YUNBO_CLOUD ?? '.local/cloud.json'))
  return {
    client: clientOf(cloud.fc.endpoint, cloud.accessKeyId, cloud.accessKeySecret),
    accountId: cloud.accountId,
    ownDomain: new URL(cloud.gateway).hostname,
    gateway: cloud.gateway,
  }
}

interface Cloud {
  readonly gateway: string
  readonly accountId: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly fc: { readonly endpoint: string }
}

async function readCloud(path: string): Promise<Cloud> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new Error(`no local cloud is running: ${path} is not there; start one (npm run cloud) or set YUNBO_CLOUD`)
  })
  return JSON.parse(text) as Cloud
}

function clientOf(endpoint: string, accessKeyId = '', accessKeySecret = '') {
  const { host, protocol } = new URL(withScheme(endpoint))
  type Config = ConstructorParameters<typeof sdk.default>[0]
  const config = { accessKeyId, accessKeySecret, endpoint: host, protocol: protocol.slice(0, -1), readTimeout: 120_000 }
  return new sdk.default(config as Config)
}

function withScheme(endpoint: string): string {
  return endpoint.includes('://') ? endpoint : `http://${endpoint}`
}

/** Where a resource is deployed from and to. */
export interface Scene {
  readonly baseDir: string
  readonly target: Target
  readonly logger: Logger
}

/** What a call gives, or `undefined` where the service says that it does not exist. */
export async function found<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined
    throw error
  }
}

/** Removes something; whether it was there. */
export async function gone(call: Promise<unknown>): Promise<boolean> {
  return (await found(call.then(() => true))) ?? false
}
