import { createHmac, timingSafeEqual } from 'node:crypto'
import { deriveKey } from './keys.ts'

/** One viewing, as it was handed out with the play info. */
export interface PlaySession {
  readonly id: string
  readonly issuedAt: number
}

export interface PlaySessions {
  /** A session of one playback; `id` is random. */
  issue(playbackId: string, id: string, nowMs: number): string
  /** `undefined` for any other text, for another playback's session, and for one that is over. */
  read(token: string, playbackId: string, nowMs: number): PlaySession | undefined
}

/** Nobody watches one video longer in one go; after this a beat still keeps the position. */
const LIFE_MS = 24 * 3600 * 1000
/** Two instances' clocks differ by less. */
const SKEW_MS = 5 * 60_000
/** 128 bits: whoever guesses one gains a view. */
const MAC_BYTES = 16

/** Session tokens: id, time of issue, and a MAC over both and the playback, so that handing one out writes no row. */
export function playSessions(secret: string): PlaySessions {
  // Derived with the first session: the first use of HKDF takes longer than all that a redirect does.
  let derived: Buffer | undefined
  const key = () => {
    derived ??= deriveKey(secret, 'play-session')
    return derived
  }
  const mac = (playbackId: string, id: string, issued: string) =>
    createHmac('sha256', key()).update(`${playbackId}\n${id}\n${issued}`).digest().subarray(0, MAC_BYTES)
  return {
    issue(playbackId, id, nowMs) {
      const issued = nowMs.toString(36)
      return `${id}.${issued}.${mac(playbackId, id, issued).toString('base64url')}`
    },
    read(token, playbackId, nowMs) {
      const [, id, issued, sum] = /^([A-Za-z0-9]{16})\.([0-9a-z]{1,11})\.([\w-]{22})$/.exec(token) ?? []
      if (!id || !issued || !sum) return undefined
      if (!timingSafeEqual(Buffer.from(sum, 'base64url'), mac(playbackId, id, issued))) return undefined
      const issuedAt = Number.parseInt(issued, 36)
      return issuedAt > nowMs + SKEW_MS || nowMs > issuedAt + LIFE_MS ? undefined : { id, issuedAt }
    },
  }
}
