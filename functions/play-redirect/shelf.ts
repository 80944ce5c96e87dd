import type { MediaTable } from '../../shared/tables/media.ts'
import type { PlaybacksTable } from '../../shared/tables/playbacks.ts'
import { plannedRenditions, type Rendition } from '../../shared/tables/renditions.ts'
import type { SegmentsTable } from '../../shared/tables/segments.ts'
import type { VideosTable } from '../../shared/tables/videos.ts'
import { type Cache, cache } from './cache.ts'
import { type Publication, publicationOf } from './publication.ts'

/** What a public id leads to. */
export interface Shown {
  readonly videoId: string
  readonly mediaId: string
  /** Empty until it is known what will be made. */
  readonly planId: string
  readonly renditions: readonly Rendition[]
}

export interface ShelfTables {
  readonly playbacks: PlaybacksTable
  readonly videos: VideosTable
  readonly media: MediaTable
  readonly segments: SegmentsTable
}

/** What one instance remembers between requests. */
export interface Shelf {
  readonly shown: Cache<Shown | null>
  readonly publications: Cache<Publication>
}

/** A revoked playback stops within this. */
const SHOWN_MS = 30_000
/** What may change at any moment is asked for once a second and instance, however many are watching. */
const GROWING_MS = 1_000
const MAX_SHOWN = 5_000
/** Lengths, sizes and playlist lines take about 60 bytes a segment. */
const MAX_SEGMENTS = 1_000_000

/** An instance's memory, empty. */
export function newShelf(): Shelf {
  return {
    shown: cache({
      maxWeight: MAX_SHOWN,
      weigh: () => 1,
      lifeMs: (shown) => (shown?.planId ? SHOWN_MS : GROWING_MS),
    }),
    publications: cache({
      maxWeight: MAX_SEGMENTS,
      weigh: ({ segments }) => segments + 10,
      lifeMs: ({ final }) => (final ? SHOWN_MS : GROWING_MS),
    }),
  }
}

/** What a playback shows; `null` when it does not exist, was revoked, or its video was deleted. */
export async function loadShown(playbackId: string, tables: ShelfTables): Promise<Shown | null> {
  const playback = await tables.playbacks.find(playbackId)
  if (!playback || playback.revoked) return null
  const { videoId, mediaId } = playback
  const [video, media] = await Promise.all([tables.videos.find(videoId), tables.media.find(mediaId)])
  if (!video || video.deletedAt > 0 || media?.state !== 'live') return null
  // From the plan and not from the rows it leads to: those are made one by one, and half of them are another master.
  const renditions = media.plan ? plannedRenditions(mediaId, media.plan) : []
  return { videoId, mediaId, planId: media.planId, renditions }
}

/** What is published of it now. */
export async function loadPublication(shown: Shown, tables: ShelfTables): Promise<Publication> {
  const runs = await tables.segments.all(shown.mediaId)
  return publicationOf(
    shown.renditions,
    runs.filter((run) => run.planId === shown.planId),
  )
}
