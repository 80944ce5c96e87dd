import { type Cache, cache } from './cache.ts'
import type { MediaTable } from './tables/media.ts'
import type { PlaybacksTable } from './tables/playbacks.ts'
import { plannedRenditions, type Rendition } from './tables/renditions.ts'
import type { VideosTable } from './tables/videos.ts'

/** What a public id leads to. */
export interface Shown {
  readonly videoId: string
  readonly mediaId: string
  /** Empty until it is known what will be made. */
  readonly planId: string
  /** 0 until it is known. */
  readonly durationMs: number
  readonly renditions: readonly Rendition[]
}

export interface ShownTables {
  readonly playbacks: PlaybacksTable
  readonly videos: VideosTable
  readonly media: MediaTable
}

/** A revoked playback stops within this. */
const SHOWN_MS = 30_000
/** What has no plan yet may have one at any moment; what does not exist may exist at once. */
const GROWING_MS = 250
const MAX_SHOWN = 5_000

/** What an instance remembers of playbacks; `null` stands for one that shows nothing. */
export function shownCache(): Cache<Shown | null> {
  return cache({ maxWeight: MAX_SHOWN, weigh: () => 1, lifeMs })
}

function lifeMs(shown: Shown | null): number {
  if (!shown) return 0
  return shown.planId === '' ? GROWING_MS : SHOWN_MS
}

/** What a playback shows; `null` when it does not exist, was revoked, or its video was deleted. */
export async function loadShown(playbackId: string, tables: ShownTables): Promise<Shown | null> {
  const playback = await tables.playbacks.find(playbackId)
  if (!playback || playback.revoked) return null
  const { videoId, mediaId } = playback
  const [video, media] = await Promise.all([tables.videos.find(videoId), tables.media.find(mediaId)])
  if (!video || video.deletedAt > 0 || media?.state !== 'live') return null
  // From the plan and not from the rows it leads to: those are made one by one, and half of them are another master.
  const renditions = media.plan ? plannedRenditions(mediaId, media.plan) : []
  return { videoId, mediaId, planId: media.planId, durationMs: media.info?.durationMs ?? 0, renditions }
}
