/** How fast something grows, over the last seconds only: a connection changes while a file is sent. */
export interface Speedometer {
  /** Tells how much there is by now. */
  note(bytes: number, at: number): void
  /** Bytes a second; 0 until there is enough to tell. */
  rate(at: number): number
  /** Starts anew, as after a pause. */
  reset(): void
}

const WINDOW_MS = 8000
const LEAST_MS = 500

/** Measures over a window of eight seconds. */
export function speedometer(): Speedometer {
  let samples: { bytes: number; at: number }[] = []
  return {
    note(bytes, at) {
      const last = samples.at(-1)
      // A part that is sent again takes back what had been counted of it.
      if (last && bytes < last.bytes) samples = []
      samples = [...samples.filter((sample) => at - sample.at <= WINDOW_MS), { bytes, at }]
    },
    rate(at) {
      const [first] = samples
      const last = samples.at(-1)
      if (!first || !last || at - first.at < LEAST_MS) return 0
      return ((last.bytes - first.bytes) * 1000) / (at - first.at)
    },
    reset() {
      samples = []
    },
  }
}
