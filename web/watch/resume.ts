const LEAST_MS = 5000
const LEAST_LEFT_MS = 5000

/** Where to offer to go on: not for the first moments, and not for somebody who has seen all but the last. */
export function resumeAt(resumeMs: number, durationMs: number): number | undefined {
  return resumeMs >= LEAST_MS && durationMs - resumeMs >= LEAST_LEFT_MS ? resumeMs : undefined
}
