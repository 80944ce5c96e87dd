import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import type { Intercept } from '../wire/intercept.ts'
import { refuseRpcFault, rpcListener } from '../wire/rpc-service.ts'
import { assumeRole, callerIdentity } from './operations.ts'

/*
 * Security Token Service, API 2015-04-01. Gaps, as of 2026-11 (nothing here has been compared with the real service;
 * limits, codes and messages are those of the product's documentation and of the SDKs' tests):
 * By design:
 * - The account's key stands for a RAM user that may assume every role; the service refuses the root account's own key.
 * - Every role of the account exists and trusts everybody in the account. A role that the local RAM has no policy for may
 *   do everything, and every role's longest session is an hour.
 * - A session that assumes another role keeps nothing of its own policy: only the new one counts.
 * Unproven: the order in which the gateway looks at version, action and signature; that a mandatory parameter which is
 *   there and empty counts as missing (AccessKeyId aside, which is then not found).
 * Missing:
 * - ExternalId, SerialNumber and TokenCode are checked for their form and otherwise ignored: there is no trust policy
 *   and no MFA device.
 * - AssumeRoleWithOIDC and AssumeRoleWithSAML are InvalidAction.NotFound. There is no flow control.
 */

/** What STS needs to run. */
export interface StsOptions extends ListenOptions {
  readonly credentials: Credentials
  /** What requests are dated by: the time that is given when missing, else one that may depend on the request's own. */
  nearest?(at: number): number
  readonly intercept?: Intercept
  now(): number
}

/** Starts the token service. */
export function startSts(options: StsOptions): Promise<LocalServer> {
  const { credentials, intercept } = options
  const listener = rpcListener({
    service: 'sts',
    product: 'Sts',
    version: '2015-04-01',
    credentials,
    ...(intercept ? { intercept } : {}),
    now: options.nearest ?? options.now,
    actions: {
      AssumeRole: {
        target: (parameters) => parameters.get('RoleArn') ?? '',
        run: (parameters, identity) => assumeRole(parameters, identity, credentials),
      },
      GetCallerIdentity: { run: (_parameters, identity) => callerIdentity(identity) },
    },
  })
  return listen(listener, { refuse: refuseRpcFault, ...options })
}
