/** One piece of a file; the numbers of OSS start at 1. */
export interface Part {
  readonly number: number
  readonly start: number
  readonly end: number
}

/** A piece that OSS has acknowledged. */
export interface StoredPart {
  readonly number: number
  readonly etag: string
  readonly size: number
}

const MIB = 1024 * 1024
const WANTED_PARTS = 1000

/**
 * Pieces are small, since what is under way is lost when a page is closed, but there are about a thousand at most: OSS allows
 * 10,000, of at least 100 KB each (https://help.aliyun.com/zh/oss/developer-reference/uploadpart).
 */
export function partSizeFor(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / WANTED_PARTS / MIB)) * MIB
}

/** The pieces of a file, in order. */
export function partsOf(sizeBytes: number, partSizeBytes: number): Part[] {
  const count = Math.max(1, Math.ceil(sizeBytes / partSizeBytes))
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * partSizeBytes,
    end: Math.min(sizeBytes, (index + 1) * partSizeBytes),
  }))
}

/** What of the stored pieces is of this plan; a piece of another length belongs to another file or another cut. */
export function usableParts(plan: readonly Part[], stored: readonly StoredPart[]): StoredPart[] {
  const sizes = new Map(plan.map(({ number, start, end }) => [number, end - start]))
  const usable = stored.filter(({ number, size }) => sizes.get(number) === size)
  return [...new Map(usable.map((part) => [part.number, part])).values()].sort((a, b) => a.number - b.number)
}

/** What is still to be sent. */
export function missingParts(plan: readonly Part[], stored: readonly StoredPart[]): Part[] {
  const done = new Set(usableParts(plan, stored).map(({ number }) => number))
  return plan.filter(({ number }) => !done.has(number))
}
