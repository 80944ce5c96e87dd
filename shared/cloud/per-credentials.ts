import type { Credentials } from '../auth/credentials.ts'

/**
 * Keeps the client of the latest credentials: a role's credentials are the same for hours and then rotate, so one entry
 * per configuration is enough and nothing outlives its token.
 */
export function perCredentials<Config extends object, Client>(
  create: (config: Config, credentials: Credentials) => Client,
): (config: Config, credentials: Credentials) => Client {
  const latest = new Map<string, { readonly identity: string; readonly client: Client }>()
  return (config, credentials) => {
    const place = JSON.stringify(config)
    const identity = JSON.stringify([
      credentials.accessKeyId,
      credentials.accessKeySecret,
      credentials.securityToken ?? '',
    ])
    const known = latest.get(place)
    if (known?.identity === identity) return known.client
    const client = create(config, credentials)
    latest.set(place, { identity, client })
    return client
  }
}
