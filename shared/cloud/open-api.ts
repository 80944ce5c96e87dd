import type { Credentials } from '../auth/credentials.ts'

/** Settings that the clients of both generations of the vendor's API SDKs read; each has its own class for them. */
export interface OpenApiConfig {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
  readonly endpoint: string
  readonly protocol: string
  readonly readTimeout: number
  readonly connectTimeout: number
}

/** An endpoint is given to these SDKs as a host; without a protocol they use HTTPS. */
export function openApiConfig(endpoint: string, credentials: Credentials, timeoutMs: number): OpenApiConfig {
  const { host, protocol } = new URL(endpoint)
  const { accessKeyId, accessKeySecret, securityToken } = credentials
  return {
    accessKeyId,
    accessKeySecret,
    ...(securityToken ? { securityToken } : {}),
    endpoint: host,
    protocol: protocol.replace(':', ''),
    readTimeout: timeoutMs,
    connectTimeout: timeoutMs,
  }
}
