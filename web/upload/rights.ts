import type { UploadTarget } from '../../shared/api.ts'

/** Rights as they arrived: from when, by our clock, and for how long. */
export interface Granted {
  readonly target: UploadTarget
  readonly at: number
  readonly lifeMs: number
}

/** The rights of one upload, kept fresh. */
export interface Rights {
  /** Rights that are good for now; asks for new ones when four fifths of their life are over. */
  current(): Promise<UploadTarget>
  /** Says that OSS did not accept these, so that the next answer of `current` is another one. */
  refuse(target: UploadTarget): void
}

const FRESH_SHARE = 0.8

/**
 * Hands out rights. Whoever asks while new ones are on their way waits for the same answer: a client that renews in several
 * places at once uses dead ones in the others. The life is what the server says it is, counted from arrival, since the clock
 * of the device may be wrong.
 */
export function rightsOf(first: Granted | undefined, renew: () => Promise<Granted>, now: () => number): Rights {
  let granted = first
  let pending: Promise<Granted> | undefined

  function renewed(): Promise<Granted> {
    pending ??= renew()
      .then((fresh) => {
        granted = fresh
        return fresh
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  return {
    async current() {
      const known = granted
      if (known && ageOf(known, now()) < FRESH_SHARE) return known.target
      if (!known || ageOf(known, now()) >= 1) return (await renewed()).target
      // The old ones still have a fifth of their life: no reason to stop when new ones cannot be had just now.
      return (await renewed().catch(() => known)).target
    },
    refuse(target) {
      if (granted?.target === target) granted = undefined
    },
  }
}

function ageOf({ at, lifeMs }: Granted, now: number): number {
  return lifeMs > 0 ? (now - at) / lifeMs : 1
}

/** Rights out of an answer; without the server's time, the device's clock has to do. */
export function grantedBy(target: UploadTarget, serverNow: number | undefined, now: number): Granted {
  return { target, at: now, lifeMs: Date.parse(target.credentials.expiration) - (serverNow ?? now) }
}
