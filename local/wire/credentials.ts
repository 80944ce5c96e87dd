import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Who is calling: the account itself or a session of a role. */
export interface Identity {
  readonly kind: 'account' | 'session'
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly accountId: string
  /** Role name, sessions only. */
  readonly role?: string
  readonly sessionName?: string
  /** What the session may do (JSON text): the policy given to AssumeRole, or the role's; absent means everything. */
  readonly policy?: string
  /** Milliseconds since the epoch, sessions only. */
  readonly expiresAt?: number
}

/** Why an access key or a token is not accepted; each service words it in its own error codes. */
export type RefusedCredential = 'unknown_key' | 'bad_token' | 'token_expired' | 'token_missing'

export class CredentialError extends Error {
  readonly reason: RefusedCredential
  constructor(reason: RefusedCredential) {
    super(reason)
    this.name = 'CredentialError'
    this.reason = reason
  }
}

export interface SessionCredentials {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface SessionRequest {
  readonly role: string
  readonly sessionName: string
  readonly policy?: string
  readonly durationSeconds: number
}

/** The one account of the local cloud and the sessions it has handed out. */
export interface Credentials {
  readonly accountId: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  /** Looks a caller up; throws `CredentialError`. */
  find(accessKeyId: string, securityToken: string | undefined): Identity
  /** New credentials for a session of a role. */
  issue(request: SessionRequest): SessionCredentials
}

interface TokenBody {
  readonly id: string
  readonly role: string
  readonly name: string
  readonly policy?: string
  readonly exp: number
}

/**
 * Sessions are kept nowhere: the token carries what it grants under an HMAC of the account's secret, and the session's
 * secret key is derived from its id, so that credentials outlive a restart of the local cloud. A session without a policy
 * of its own has its role's, if that is known (JSON text by role name). One that has its own is judged by it alone: that
 * the service would narrow it by the role's too is not done here.
 */
export function openCredentials(
  account: { accountId: string; accessKeyId: string; accessKeySecret: string },
  now: () => number,
  rolePolicies: Readonly<Record<string, string>> = {},
): Credentials {
  const mac = (purpose: string, text: string) =>
    createHmac('sha256', account.accessKeySecret).update(`${purpose}\n${text}`).digest()
  const secretOf = (id: string) => mac('secret', id).toString('base64url').replace(/[-_]/g, 'x').slice(0, 44)

  return {
    ...account,
    find(accessKeyId, securityToken) {
      if (accessKeyId === account.accessKeyId) return withoutToken({ kind: 'account', ...account }, securityToken)
      if (!accessKeyId.startsWith('STS.')) throw new CredentialError('unknown_key')
      if (!securityToken) throw new CredentialError('token_missing')
      const body = readToken(securityToken, mac)
      checkToken(body, accessKeyId, now())
      return {
        kind: 'session',
        accessKeyId,
        accessKeySecret: secretOf(accessKeyId),
        accountId: account.accountId,
        role: body.role,
        sessionName: body.name,
        expiresAt: body.exp,
        ...policyOf(body.policy ?? rolePolicies[body.role]),
      }
    },
    issue(request) {
      const id = `STS.${randomBytes(16).toString('base64url').replace(/[-_]/g, 'x')}`
      const exp = Math.floor(now() / 1000 + request.durationSeconds) * 1000
      const body: TokenBody = {
        id,
        role: request.role,
        name: request.sessionName,
        exp,
        ...(request.policy === undefined ? {} : { policy: request.policy }),
      }
      const text = Buffer.from(JSON.stringify(body)).toString('base64')
      const token = `CAIS${Buffer.from(`${text}.${mac('token', text).toString('base64')}`).toString('base64')}`
      return { accessKeyId: id, accessKeySecret: secretOf(id), securityToken: token, expiresAt: exp }
    },
  }
}

function checkToken({ id, exp }: TokenBody, accessKeyId: string, now: number): void {
  if (id !== accessKeyId) throw new CredentialError('bad_token')
  if (exp <= now) throw new CredentialError('token_expired')
}

function policyOf(policy: string | undefined): { policy?: string } {
  return policy === undefined ? {} : { policy }
}

/** A token belongs to the session that it was issued for, and to nothing else. */
function withoutToken(identity: Identity, securityToken: string | undefined): Identity {
  if (securityToken) throw new CredentialError('bad_token')
  return identity
}

function readToken(token: string, mac: (purpose: string, text: string) => Buffer): TokenBody {
  const [text, sum] = Buffer.from(token.replace(/^CAIS/, ''), 'base64').toString('latin1').split('.')
  if (!text || !sum) throw new CredentialError('bad_token')
  const given = Buffer.from(sum, 'base64')
  const wanted = mac('token', text)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new CredentialError('bad_token')
  return JSON.parse(Buffer.from(text, 'base64').toString()) as TokenBody
}
