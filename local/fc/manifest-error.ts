/** Something in `s.yaml` that Function Compute, or the local part of it, does not take. */
export class ManifestError extends Error {
  /** The same without the name of the file, for what did not come from one. */
  readonly detail: string
  constructor(where: string, expectation: string) {
    super(`s.yaml, ${where}: ${expectation}`)
    this.name = 'ManifestError'
    this.detail = `${where}: ${expectation}`
  }
}

/** The value as a mapping, or a `ManifestError` that says where it was expected. */
export function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ManifestError(where, 'expected a mapping')
  }
  return value as Record<string, unknown>
}

/** The value as a list; absent means empty. */
export function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new ManifestError(where, 'expected a list')
  return value
}

/** The value as text that is not empty. */
export function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new ManifestError(where, 'expected text')
  return value
}

/** The value as an integer between two others; text of digits counts, since `${env()}` gives text. */
export function integer(
  value: unknown,
  where: string,
  [min, max]: readonly [number, number],
  fallback: number,
): number {
  if (value === undefined) return fallback
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    throw new ManifestError(where, `expected an integer from ${min} to ${max}`)
  }
  return number
}

/** The value as one of a few words. */
export function oneOf<T extends string>(value: unknown, where: string, words: readonly T[]): T {
  const found = words.find((word) => word === value)
  if (found === undefined) throw new ManifestError(where, `expected one of ${words.join(', ')}, got ${String(value)}`)
  return found
}
