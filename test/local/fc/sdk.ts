import { createRequire } from 'node:module'

/*
 * The vendor's SDKs are CommonJS with a `default` of their own, which test runners and Node unwrap differently; asked
 * for with `require` they look the same everywhere.
 */
const load = createRequire(import.meta.url)

/** The STS SDK. */
export const stsSdk = load('@alicloud/sts20150401') as typeof import('@alicloud/sts20150401')

/** The Function Compute 3.0 SDK. */
export const fc3Sdk = load('@alicloud/fc20230330') as typeof import('@alicloud/fc20230330')

/** The Function Compute 2.0 SDK. */
export const fc2Sdk = load('@alicloud/fc-open20210406') as typeof import('@alicloud/fc-open20210406')

/** Keys as the SDKs want them. */
export interface Keys {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

/** Configuration that all SDKs take: a local endpoint over plain HTTP. */
export function localConfig(port: number, keys: Keys) {
  const { accessKeyId, accessKeySecret, securityToken } = keys
  const token = securityToken === undefined ? {} : { securityToken }
  return { accessKeyId, accessKeySecret, ...token, endpoint: `localhost:${port}`, protocol: 'http' }
}
