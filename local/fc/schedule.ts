import { ManifestError } from './manifest-error.ts'

/** When a timer trigger fires. */
export interface Schedule {
  /** The first time after this one, in milliseconds since the epoch. */
  next(after: number): number
}

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const WEEKDAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN']
const HOUR_MS = 3_600_000
/** February 29 comes at least once in so many hours. */
const HORIZON_MS = 9 * 366 * 24 * HOUR_MS

/**
 * Reads a cron expression of a timer trigger, https://help.aliyun.com/document_detail/171746.html: `@every 5m`, or six
 * fields (seconds, minutes, hours, day of month, month, day of week) in UTC, or in the zone that `CRON_TZ=` names.
 */
export function parseSchedule(expression: string, where: string): Schedule {
  const [, count = '', unit = ''] = /^@every ([1-9]\d{0,5})([smh])$/.exec(expression) ?? []
  if (count !== '') {
    const intervalMs = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
    return { next: (after) => after + intervalMs }
  }
  const [, zone, text = ''] = /^(?:CRON_TZ=(\S+) +)?(.*)$/.exec(expression) ?? []
  const schedule = { next: nextIn(parseFields(text, where), zone === undefined ? () => 0 : offsetIn(zone, where)) }
  if (Number.isNaN(schedule.next(0))) throw new ManifestError(where, `${expression} never comes`)
  return schedule
}

interface Fields {
  readonly second: ReadonlySet<number>
  readonly minute: ReadonlySet<number>
  readonly hour: ReadonlySet<number>
  readonly month: ReadonlySet<number>
  /** Whether a day fits: of both kinds of day, the one that says `*` or `?` counts for nothing. */
  isDay(dayOfMonth: number, weekday: number): boolean
}

function parseFields(text: string, where: string): Fields {
  const parts = text.split(/ +/)
  if (parts.length !== 6) {
    throw new ManifestError(where, 'expected @every followed by a number and s, m or h, or six fields of cron')
  }
  const [second = '', minute = '', hour = '', day = '', month = '', weekday = ''] = parts
  const days = parseField(day, [1, 31], [], where)
  const weekdays = parseField(weekday, [1, 7], WEEKDAYS, where)
  const open = (field: string) => field === '*' || field === '?'
  return {
    second: parseField(second, [0, 59], [], where),
    minute: parseField(minute, [0, 59], [], where),
    hour: parseField(hour, [0, 23], [], where),
    month: parseField(month, [1, 12], MONTHS, where),
    isDay(dayOfMonth, dayOfWeek) {
      if (open(day)) return weekdays.has(dayOfWeek)
      return days.has(dayOfMonth) || (!open(weekday) && weekdays.has(dayOfWeek))
    },
  }
}

/** A list of `*`, `?`, numbers, ranges and names, each with a step or without. */
function parseField(text: string, range: Range, names: readonly string[], where: string): ReadonlySet<number> {
  const values = text.split(',').flatMap((item) => {
    const numbers = parseItem(item, range, names)
    if (numbers) return numbers
    throw new ManifestError(where, `expected a field of cron with values from ${range.join(' to ')}, got ${text}`)
  })
  return new Set(values)
}

type Range = readonly [min: number, max: number]

function parseItem(item: string, range: Range, names: readonly string[]): number[] | undefined {
  const [, start = '', end, step] = /^(\*|\?|\w+)(?:-(\w+))?(?:\/([1-9]\d*))?$/.exec(item) ?? []
  const bounds = boundsOf(start, end, step === undefined ? undefined : range[1], names) ?? range
  const [first, last] = bounds
  if (!(first >= range[0] && last <= range[1] && first <= last)) return undefined
  const every = Number(step ?? 1)
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, index) => first + index * every)
}

/** `undefined` stands for everything; a single value with a step goes on to the end. */
function boundsOf(start: string, end: string | undefined, lastOfStep: number | undefined, names: readonly string[]) {
  if (/^[*?]$/.test(start)) return end === undefined ? undefined : NO_BOUNDS
  const first = numberOf(start, names)
  return [first, end === undefined ? (lastOfStep ?? first) : numberOf(end, names)] as const
}

const NO_BOUNDS = [Number.NaN, Number.NaN] as const

function numberOf(text: string, names: readonly string[]): number {
  const named = names.indexOf(text.toUpperCase())
  return named >= 0 ? named + 1 : /^\d+$/.test(text) ? Number(text) : Number.NaN
}

/** Goes on by hours, minutes and seconds of the zone, never further than to the next change of its clocks can be. */
function nextIn(fields: Fields, offsetAt: (at: number) => number) {
  return (after: number): number => {
    let at = (Math.floor(after / 1000) + 1) * 1000
    while (at < after + HORIZON_MS) {
      const local = at + offsetAt(at)
      const step = missOf(fields, new Date(local))
      if (step === 0) return at
      at += step - (local % step)
    }
    return Number.NaN
  }
}

/** 0 when everything fits; otherwise the unit in which to go on. */
function missOf(fields: Fields, date: Date): number {
  const weekday = date.getUTCDay() || 7
  const isDay = fields.month.has(date.getUTCMonth() + 1) && fields.isDay(date.getUTCDate(), weekday)
  if (!isDay || !fields.hour.has(date.getUTCHours())) return HOUR_MS
  if (!fields.minute.has(date.getUTCMinutes())) return 60_000
  return fields.second.has(date.getUTCSeconds()) ? 0 : 1000
}

/** How far the clocks of a zone are ahead of UTC at a moment; looked up once for each hour. */
function offsetIn(zone: string, where: string): (at: number) => number {
  const format = formatOf(zone, where)
  let hour = Number.NaN
  let offset = 0
  return (at) => {
    if (Math.floor(at / HOUR_MS) === hour) return offset
    hour = Math.floor(at / HOUR_MS)
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day, hour: hours, minute, second } = parts
    offset = Date.UTC(year, month - 1, day, hours, minute, second) - Math.floor(at / 1000) * 1000
    return offset
  }
}

function formatOf(timeZone: string, where: string): Intl.DateTimeFormat {
  const numeric = 'numeric' as const
  const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric, second: numeric }
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields })
  } catch {
    throw new ManifestError(where, `there is no time zone ${timeZone.slice(0, 64)}`)
  }
}
