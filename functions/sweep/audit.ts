import type { CursorsTable } from '../../shared/tables/cursors.ts'
import type { DueTable, Ref } from '../../shared/tables/due.ts'
import type { Media, MediaTable } from '../../shared/tables/media.ts'
import type { TasksTable } from '../../shared/tables/tasks.ts'
import type { Upload, UploadsTable } from '../../shared/tables/uploads.ts'
import type { Video, VideosTable } from '../../shared/tables/videos.ts'

export interface AuditDeps {
  readonly videos: Pick<VideosTable, 'page'>
  readonly media: Pick<MediaTable, 'find' | 'page' | 'videoIds'>
  readonly uploads: Pick<UploadsTable, 'find' | 'page'>
  readonly tasks: Pick<TasksTable, 'all'>
  readonly cursors: CursorsTable
  readonly due: DueTable
  readonly objects: {
    folders(prefix: string, from: string, limit: number): Promise<{ names: string[]; next: string | undefined }>
  }
  now(): number
  readonly purgeAfterMs: number
  readonly purgeWaitMs: number
  readonly auditEveryMs: number
}

/** How much is looked at in one run. */
const SLICE = 50
/** How late a look may be before its hint counts as lost. */
const GRACE_MS = 600_000
const CURSOR = 'audit'

interface Slice {
  readonly refs: readonly Ref[]
  readonly next: string | undefined
}

const PARTS: readonly ((from: string, deps: AuditDeps) => Promise<Slice>)[] = [
  sliceOfVideos,
  sliceOfMedia,
  sliceOfUploads,
  sliceOfOutputs,
  sliceOfSources,
]

/**
 * A slow walk through everything, one slice a run and one round a day: finds what no hint leads to, because a hint was lost
 * or something was left behind that should not be, and leaves one. It changes nothing by itself. The place is saved after
 * the hints, so a crash repeats a slice and skips none.
 */
export async function audit(deps: AuditDeps): Promise<number> {
  const now = deps.now()
  const saved = (await deps.cursors.find(CURSOR)) ?? { part: 0, from: '', startedAt: now }
  const isOver = saved.part >= PARTS.length
  if (isOver && now < saved.startedAt + deps.auditEveryMs) return 0
  const { part, from, startedAt } = isOver ? { part: 0, from: '', startedAt: now } : saved
  const slice = await PARTS[part]?.(from, deps)
  for (const ref of slice?.refs ?? []) await deps.due.put(ref, now)
  const next = slice?.next
  await deps.cursors.save(CURSOR, { part: next === undefined ? part + 1 : part, from: next ?? '', startedAt })
  return slice?.refs.length ?? 0
}

async function sliceOfVideos(from: string, deps: AuditDeps): Promise<Slice> {
  const { videos, next } = await deps.videos.page(from, SLICE)
  const lost = await selected(videos, (video) => isVideoLost(video, deps))
  return { refs: lost.map(({ videoId }) => `video#${videoId}` as const), next }
}

async function isVideoLost(video: Video, deps: AuditDeps): Promise<boolean> {
  const before = deps.now() - GRACE_MS
  if (video.deletedAt > 0) return Math.max(video.purgingAt, video.deletedAt + deps.purgeAfterMs) < before
  if (video.derived.status !== 'processing' || video.createdAt > before) return false
  const tasks = await deps.tasks.all(video.mediaId)
  return tasks.every((task) => task.state !== 'running' || task.leaseUntil < before)
}

async function sliceOfMedia(from: string, deps: AuditDeps): Promise<Slice> {
  const { media, next } = await deps.media.page(from, SLICE)
  const lost = await selected(media, (one) => isMediaLost(one, deps))
  return { refs: lost.map(({ mediaId }) => `media#${mediaId}` as const), next }
}

async function isMediaLost(media: Media, deps: AuditDeps): Promise<boolean> {
  if (media.state !== 'live') return media.emptiedAt === 0 || isPast(media.emptiedAt + deps.purgeWaitMs, deps)
  return (await deps.media.videoIds(media.mediaId)).length === 0
}

async function sliceOfUploads(from: string, deps: AuditDeps): Promise<Slice> {
  const { uploads, next } = await deps.uploads.page(from, SLICE)
  const lost = uploads.filter((upload) => isUploadLost(upload, deps))
  return { refs: lost.map(({ uploadId }) => `upload#${uploadId}` as const), next }
}

function isUploadLost({ state, createdAt, expiresAt }: Upload, deps: AuditDeps): boolean {
  if (state === 'done') return false
  if (state === 'verifying') return isPast(createdAt, deps)
  if (state === 'waiting' || state === 'uploading') return isPast(expiresAt, deps)
  return isPast(expiresAt + Math.max(deps.purgeAfterMs, deps.purgeWaitMs), deps)
}

async function sliceOfOutputs(from: string, deps: AuditDeps): Promise<Slice> {
  const { names, next } = await deps.objects.folders('m/', from, SLICE)
  const orphans = await selected(names, async (mediaId) => (await deps.media.find(mediaId)) === undefined)
  return { refs: orphans.map((mediaId) => `media#${mediaId}` as const), next }
}

async function sliceOfSources(from: string, deps: AuditDeps): Promise<Slice> {
  const { names, next } = await deps.objects.folders('uploads/', from, SLICE)
  const orphans = await selected(names, async (uploadId) => (await deps.uploads.find(uploadId)) === undefined)
  return { refs: orphans.map((uploadId) => `upload#${uploadId}` as const), next }
}

function isPast(at: number, deps: AuditDeps): boolean {
  return at + GRACE_MS < deps.now()
}

async function selected<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<T[]> {
  const answers = await Promise.all(items.map(test))
  return items.filter((_, index) => answers[index])
}
