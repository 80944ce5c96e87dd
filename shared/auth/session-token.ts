import { errors, jwtVerify, SignJWT } from 'jose'
import { AppError } from '../errors.ts'
import { deriveKey } from './keys.ts'

/** Who is signed in. */
export interface Session {
  readonly accountId: string
  readonly username: string
  /** Raised in the account to end every session at once. */
  readonly tokenVersion: number
}

export interface SessionTokens {
  issue(session: Session, nowMs: number): Promise<{ token: string; expiresAt: number }>
  /** Throws `unauthenticated` or `token_expired`. */
  verify(token: string, nowMs: number): Promise<Session>
}

const AUDIENCE = 'yunbo:session'
const ALGORITHM = 'HS256'
const LIFE_SECONDS = 7 * 24 * 3600

/** Session JWTs: one key and one audience of their own, and one algorithm, so that no other token passes as one. */
export function sessionTokens(secret: string): SessionTokens {
  const key = deriveKey(secret, 'session')
  return {
    async issue({ accountId, username, tokenVersion }, nowMs) {
      const issuedAt = Math.floor(nowMs / 1000)
      const token = await new SignJWT({ username, token_version: tokenVersion })
        .setProtectedHeader({ alg: ALGORITHM })
        .setSubject(accountId)
        .setAudience(AUDIENCE)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + LIFE_SECONDS)
        .sign(key)
      return { token, expiresAt: (issuedAt + LIFE_SECONDS) * 1000 }
    },
    async verify(token, nowMs) {
      const payload = await read(token, key, nowMs)
      const { sub, username, token_version: tokenVersion } = payload
      if (!sub || typeof username !== 'string' || typeof tokenVersion !== 'number') throw unauthenticated()
      return { accountId: sub, username, tokenVersion }
    },
  }
}

async function read(token: string, key: Buffer, nowMs: number) {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      audience: AUDIENCE,
      requiredClaims: ['sub', 'exp'],
      currentDate: new Date(nowMs),
    })
    return payload
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw new AppError('token_expired', 'The session is over, sign in again')
    throw unauthenticated(cause)
  }
}

function unauthenticated(cause?: unknown): AppError {
  return new AppError('unauthenticated', 'Expected a session token from POST /v1/sessions', { cause })
}
