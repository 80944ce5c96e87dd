const SOON_MS = 2500
const LATE_MS = 15_000

/** When to look again: soon while there is news, more and more rarely while there is none. */
export function lookAgainMs(quietRounds: number): number {
  return Math.min(LATE_MS, Math.round(SOON_MS * 1.4 ** Math.max(0, quietRounds - 1)))
}
