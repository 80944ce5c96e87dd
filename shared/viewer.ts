import { authorizationOf } from './authorization.ts'
import { AppError } from './errors.ts'
import type { HeaderReader } from './plain.ts'

/** Whose session a token is; throws `unauthenticated` or `token_expired`. */
export type VerifySession = (token: string) => Promise<{ readonly accountId: string }>

/** Verifies session tokens; what that takes is loaded with the first one, since most viewers have none. */
export function sessionVerifier(secretKey: string, now: () => number): VerifySession {
  return async (token) => {
    const { sessionTokens } = await import('./auth/session-token.ts')
    return sessionTokens(secretKey).verify(token, now())
  }
}

/**
 * Under which key a viewer's positions are kept: the account of whoever is signed in, or else the id that the client made
 * up. The prefix is ours, so that no client can name the rows of an account. `undefined` without either.
 */
export async function viewerKeyOf(
  request: { readonly headers: HeaderReader },
  viewerId: string | null | undefined,
  verifySession: VerifySession,
): Promise<string | undefined> {
  if (request.headers.has('authorization')) {
    const { accountId } = await verifySession(authorizationOf(request, ['Bearer']).value)
    return `u:${accountId}`
  }
  if (viewerId === null || viewerId === undefined) return undefined
  if (/^[\x21-\x7e]{16,64}$/.test(viewerId)) return `a:${viewerId}`
  throw new AppError('invalid_request', 'viewerId must be 16 to 64 visible ASCII characters')
}
