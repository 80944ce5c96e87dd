/**
 * Names of the wanted settings that are not so: the service answers with more than it was given, so what it adds does
 * not count, in lists neither more nor fewer entries may be there.
 */
export function differences(wanted: Readonly<Record<string, unknown>>, present: unknown): string[] {
  const there = isRecord(present) ? present : {}
  return Object.keys(wanted).filter((name) => !covers(there[name], wanted[name]))
}

/** Whether all that is wanted is there. */
function covers(present: unknown, wanted: unknown): boolean {
  if (wanted === undefined || wanted === null) return true
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(present) &&
      present.length === wanted.length &&
      wanted.every((item, index) => covers(present[index], item))
    )
  }
  if (!isRecord(wanted)) return present === wanted
  return isRecord(present) && Object.entries(wanted).every(([name, item]) => covers(present[name], item))
}

/** Whether two sets of variables are the same. */
export function sameEntries(one: Readonly<Record<string, string>>, other: unknown): boolean {
  if (!isRecord(other)) return Object.keys(one).length === 0
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}

/** An object that is no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
