import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from '../errors.ts'
import { deriveKey } from './keys.ts'

export interface UploadTokens {
  /** The right to drive one upload until it expires; sent as `Authorization: Upload <token>`. */
  issue(uploadId: string, expiresAtMs: number): string
  /** Throws `unauthenticated` or `token_expired`. */
  verify(token: string, uploadId: string, nowMs: number): void
}

/** Upload tokens: the expiry and a MAC over it and the upload's id, which the path names anyway. */
export function uploadTokens(secret: string): UploadTokens {
  const key = deriveKey(secret, 'upload')
  const mac = (uploadId: string, expiry: string) => createHmac('sha256', key).update(`${uploadId}\n${expiry}`).digest()
  return {
    issue(uploadId, expiresAtMs) {
      const expiry = Math.ceil(expiresAtMs / 1000).toString(36)
      return `${expiry}.${mac(uploadId, expiry).toString('base64url')}`
    },
    verify(token, uploadId, nowMs) {
      const [, expiry, sum] = /^([0-9a-z]{1,10})\.([\w-]{43})$/.exec(token) ?? []
      if (!expiry || !sum || !timingSafeEqual(Buffer.from(sum, 'base64url'), mac(uploadId, expiry))) {
        throw new AppError('unauthenticated', 'Expected the upload token of this upload')
      }
      if (Number.parseInt(expiry, 36) * 1000 <= nowMs) {
        throw new AppError('token_expired', 'The upload token has expired')
      }
    },
  }
}
