import { type Cache, cache } from '../../shared/cache.ts'
import { type Shown, type ShownTables, shownCache } from '../../shared/shown.ts'
import type { ProgressTable } from '../../shared/tables/progress.ts'
import type { SegmentsTable } from '../../shared/tables/segments.ts'
import { type Publication, publicationOf } from './publication.ts'

export interface ShelfTables extends ShownTables {
  readonly segments: SegmentsTable
  readonly progress: Pick<ProgressTable, 'find'>
}

/** What one instance remembers between requests. */
export interface Shelf {
  readonly shown: Cache<Shown | null>
  readonly publications: Cache<Publication>
}

/** How long a finished video's list of segments counts as fresh. */
const FINAL_MS = 30_000
/**
 * What may change at any moment is asked for four times a second and instance, however many are watching. The last check
 * of a video takes longer, so that its playlists are final wherever it is said to be ready.
 */
const GROWING_MS = 250
/** Lengths, sizes and playlist lines take about 60 bytes a segment. */
const MAX_SEGMENTS = 1_000_000

/** An instance's memory, empty. */
export function newShelf(): Shelf {
  return {
    shown: shownCache(),
    publications: cache({
      maxWeight: MAX_SEGMENTS,
      weigh: ({ segments }) => segments + 10,
      lifeMs: ({ final }) => (final ? FINAL_MS : GROWING_MS),
    }),
  }
}

/** What is published of it now. */
export async function loadPublication(shown: Shown, tables: ShelfTables): Promise<Publication> {
  const runs = await tables.segments.all(shown.mediaId)
  return publicationOf(
    shown.renditions,
    runs.filter((run) => run.planId === shown.planId),
  )
}
