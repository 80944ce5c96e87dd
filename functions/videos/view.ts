import type { RenditionView, VideoView } from '../../shared/api.ts'
import { type Prefix, publishedOf } from '../../shared/published.ts'
import type { Rendition } from '../../shared/tables/renditions.ts'
import type { SegmentRun } from '../../shared/tables/segments.ts'
import type { Video } from '../../shared/tables/videos.ts'

/** A video as its owner sees it; of one that is ready, `runs` are not needed. */
export function viewOf(
  video: Video,
  renditions: readonly Rendition[],
  runs: readonly SegmentRun[],
  views: number,
): VideoView {
  const { status, playable, progress, durationMs, width, height, engine, engineReason, error } = video.derived
  return {
    videoId: video.videoId,
    title: video.title,
    ...{ status, playable, progress, durationMs, width, height },
    engine: engine === '' ? null : { name: engine, reason: engineReason },
    renditions: renditionViews(renditions, status === 'ready' ? undefined : runs),
    playbacks: video.playbackIds.map((playbackId) => ({ playbackId, policy: 'public' as const })),
    coverUrl: null,
    views,
    source: { sizeBytes: video.sizeBytes, key: video.sourceKey },
    sourceContext: video.sourceContext,
    classId: video.classId,
    error: error ?? null,
    createdAt: new Date(video.createdAt).toISOString(),
  }
}

/** Without runs, everything is known to be stored. */
function renditionViews(renditions: readonly Rendition[], runs: readonly SegmentRun[] | undefined): RenditionView[] {
  const prefixes = runs && publishedOf(renditions, runs).prefixes
  return renditions.map((rendition, index) => {
    const { name, width, height, maxBandwidth: bandwidth, codecs } = rendition
    const state = prefixes ? stateOf(prefixes[index]) : 'ready'
    return { name, width, height, bandwidth, codecs, state }
  })
}

function stateOf(prefix: Prefix | undefined): RenditionView['state'] {
  if (prefix?.complete) return 'ready'
  return prefix && prefix.count > 0 ? 'processing' : 'waiting'
}
