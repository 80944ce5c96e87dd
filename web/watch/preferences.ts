import { recall, remember } from '../memory.ts'

/** What a viewer had set last time. */
export interface Preferences {
  readonly volume: number
  readonly muted: boolean
  readonly rate: number
  /** Bits a second, as measured. */
  readonly bandwidth: number | undefined
}

/** Reads what is remembered; what makes no sense is left out. */
export function preferences(): Preferences {
  const bandwidth = numberIn(recall('bandwidth'), 10_000, 1e10)
  return {
    volume: numberIn(recall('volume'), 0, 1) ?? 1,
    muted: recall('muted') === 'true',
    rate: numberIn(recall('rate'), 0.25, 4) ?? 1,
    bandwidth,
  }
}

/** Remembers for the next video. */
export function keepPreferences({ volume, muted, rate, bandwidth }: Preferences): void {
  remember('volume', String(volume))
  remember('muted', String(muted))
  remember('rate', String(rate))
  if (bandwidth !== undefined) remember('bandwidth', String(Math.round(bandwidth)))
}

function numberIn(text: string | null, least: number, most: number): number | undefined {
  const number = text === null || text === '' ? Number.NaN : Number(text)
  return number >= least && number <= most ? number : undefined
}
