/** `1:02:03` or `2:03`. */
export function clockText(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  const two = (part: number) => String(part).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']

/** `3.2 MB`; units of 1000, as file managers and network speeds have them. */
export function bytesText(bytes: number, language: string): string {
  const step = Math.min(BYTE_UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)))
  return unitText(bytes / 1000 ** step, BYTE_UNITS[step] ?? 'byte', language, step === 0 ? 0 : 1)
}

/** `3.2 MB/s`. */
export function rateText(bytesPerSecond: number, language: string): string {
  return `${bytesText(bytesPerSecond, language)}/s`
}

/** A rough length of time for a person who waits: `45 sec`, `3 min`, `2 hr`; never zero. */
export function waitText(durationMs: number, language: string): string {
  const seconds = Math.max(1, Math.ceil(durationMs / 1000))
  if (seconds < 60) return unitText(seconds, 'second', language, 0)
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return unitText(minutes, 'minute', language, 0)
  return unitText(minutes / 60, 'hour', language, 1)
}

function unitText(value: number, unit: string, language: string, digits: number): string {
  const options = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: digits } as const
  return new Intl.NumberFormat(language, options).format(value)
}

const AGES: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number])[] = [
  ['year', 31_536_000_000],
  ['month', 2_592_000_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]

/** `3 hours ago`; within the last minute `now`. */
export function agoText(at: number, now: number, language: string): string {
  const passed = Math.max(0, now - at)
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const age = AGES.find(([, ms]) => passed >= ms)
  return age ? relative.format(-Math.floor(passed / age[1]), age[0]) : relative.format(0, 'second')
}

/** The day and the time, in full. */
export function dateText(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' }).format(at)
}

/** `1080p` for what lies down and for what stands; empty while it is not known. */
export function sizeText(width: number, height: number): string {
  const short = Math.min(width, height)
  return short > 0 ? `${short}p` : ''
}
