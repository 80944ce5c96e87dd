import type { SegmentRun } from './tables/segments.ts'

/** How much of one rendition may be served: a gapless beginning. */
export interface Prefix {
  readonly name: string
  /** Stored segments from number 0 on without a gap. */
  readonly count: number
  /** Where that prefix ends, in microseconds from the start. */
  readonly endUs: number
  /** Whether every planned segment is stored. */
  readonly complete: boolean
}

export interface Published {
  readonly prefixes: readonly Prefix[]
  /** Everything before this moment can be played in every rendition; infinite once all renditions are complete. */
  readonly untilUs: number
  /** Stored and planned segments of all renditions together. */
  readonly stored: number
  readonly planned: number
}

/**
 * What may be shown of a media: the minimum over all renditions, sound included, of what each has stored without a gap.
 * A complete rendition does not hold the others back, whatever its length.
 */
export function publishedOf(
  renditions: readonly { readonly name: string; readonly segmentCount: number }[],
  runs: readonly SegmentRun[],
): Published {
  const prefixes = renditions.map((rendition) => prefixOf(rendition, runs))
  const ends = prefixes.map((prefix) => (prefix.complete ? Number.POSITIVE_INFINITY : prefix.endUs))
  return {
    prefixes,
    untilUs: prefixes.length === 0 ? 0 : Math.min(...ends),
    stored: prefixes.reduce((sum, prefix) => sum + prefix.count, 0),
    planned: renditions.reduce((sum, rendition) => sum + rendition.segmentCount, 0),
  }
}

function prefixOf(rendition: { name: string; segmentCount: number }, runs: readonly SegmentRun[]): Prefix {
  const own = runs.filter((run) => run.rendition === rendition.name).sort((a, b) => a.firstSegment - b.firstSegment)
  let count = 0
  let endUs = 0
  for (const run of own) {
    if (run.firstSegment !== count) break
    count += run.count
    for (const duration of run.durationsUs.slice(0, run.count)) endUs += duration
    if (run.count < run.durationsUs.length) break
  }
  return { name: rendition.name, count, endUs, complete: count === rendition.segmentCount }
}
