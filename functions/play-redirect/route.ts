import type { PlayInfo } from '../../shared/api.ts'
import { AppError } from '../../shared/errors.ts'
import { type Answer, okAnswer, type PlainRequest, plainRoutes, problemAnswer } from '../../shared/plain.ts'
import { segmentKey } from '../../shared/plan.ts'
import { loadShown, type Shown } from '../../shared/shown.ts'
import type { Progress } from '../../shared/tables/progress.ts'
import type { Video } from '../../shared/tables/videos.ts'
import { type VerifySession, viewerKeyOf } from '../../shared/viewer.ts'
import type { Playlist, Publication } from './publication.ts'
import { loadPublication, type Shelf, type ShelfTables } from './shelf.ts'

export interface Deps {
  /** Lives as long as the instance. */
  readonly shelf: Shelf
  /** Asked for only when the shelf has no answer, so that a warm redirect never touches a client. */
  tables(): ShelfTables
  /**
   * An absolute URL that reads one object of the output bucket for an hour, signed with this request's credentials; a
   * signature covers the method, so whoever asks by HEAD needs another.
   */
  presign(method: 'GET' | 'HEAD', key: string): string
  readonly verifySession: VerifySession
  /** A new viewing of a playback, signed; no row is written for it. */
  openSession(playbackId: string): string
  now(): number
  /** Origin of API and pages, without a slash at the end. */
  readonly publicUrl: string
}

/** Ten minutes less than the signature lives, so that no player is sent to a URL that is about to end. */
const REDIRECT_CACHE = 'max-age=3000'
const GROWING_CACHE = 'max-age=1'
/** A final playlist never changes; whoever keeps it still asks for each segment here, and learns that it was revoked. */
const FINAL_CACHE = 'max-age=3600'
const SEGMENT = '/play/:playbackId/:rendition/:file{(?:0|[1-9][0-9]{0,8})\\.ts}'

/** `/play/…`: what a viewer fetches. Playlists come from here, segments from OSS. */
export const onRequest = plainRoutes<Deps>((app) => {
  app.get('/healthz/play-redirect', () => okAnswer({ status: 'ok' }))
  app.get(SEGMENT, async (request, deps, { playbackId = '', rendition = '', file = '' }) => {
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET'
    return redirect(method, await shownBy(playbackId, deps), rendition, Number.parseInt(file, 10), deps)
  })
  app.get('/play/:playbackId/:rendition/index.m3u8', (request, deps, { playbackId = '', rendition = '' }) =>
    playlist(request, playbackId, deps, (publication) => publication.media(rendition)),
  )
  app.get('/play/:playbackId/master.m3u8', (request, deps, { playbackId = '' }) =>
    playlist(request, playbackId, deps, (publication) => publication.master()),
  )
  app.get('/play/:playbackId', async (request, deps, { playbackId = '' }) =>
    okAnswer(await playInfo(request, playbackId, deps)),
  )
})

async function shownBy(playbackId: string, deps: Deps): Promise<Shown> {
  const shown = await deps.shelf.shown.get(playbackId, deps.now(), () => loadShown(playbackId, deps.tables()))
  if (shown) return shown
  throw new AppError('playback_not_found', 'There is no such playback, it was revoked, or its video was deleted')
}

function published(shown: Shown, deps: Deps): Promise<Publication> {
  return deps.shelf.publications.get(placeOf(shown), deps.now(), () => loadPublication(shown, deps.tables()))
}

function placeOf({ mediaId, planId }: Shown): string {
  return `${mediaId}/${planId}`
}

/** What was once listed stays listed, so only a segment that is not known yet is worth a look at the tables. */
async function redirect(
  method: 'GET' | 'HEAD',
  shown: Shown,
  rendition: string,
  index: number,
  deps: Deps,
): Promise<Answer> {
  const known = deps.shelf.publications.peek(placeOf(shown))?.listed(rendition) ?? 0
  if (index >= known) {
    const listed = (await published(shown, deps)).listed(rendition) ?? 0
    if (index >= listed) return missing(shown, rendition, index)
  }
  const location = deps.presign(method, segmentKey(shown.mediaId, shown.planId, rendition, index))
  // A cache may freshen what it has for GET out of an answer to HEAD (RFC 9111, 4.3.5); this URL would be of no use there.
  const cacheControl = method === 'GET' ? REDIRECT_CACHE : 'no-store'
  return { status: 302, headers: { location, 'cache-control': cacheControl }, body: '' }
}

function missing(shown: Shown, rendition: string, index: number): Answer {
  const planned = shown.renditions.find(({ name }) => name === rendition)?.segmentCount ?? 0
  if (index >= planned) throw new AppError('segment_not_found', 'The video has no such segment')
  return problemAnswer(new AppError('segment_not_found', 'This segment is still being made'), { 'retry-after': '1' })
}

async function playlist(
  request: PlainRequest,
  playbackId: string,
  deps: Deps,
  choose: (publication: Publication) => Playlist | undefined,
): Promise<Answer> {
  const shown = await shownBy(playbackId, deps)
  const publication = await published(shown, deps)
  if (!publication.playable) return notPlayable(shown, deps)
  const chosen = choose(publication)
  if (!chosen) throw new AppError('not_found', 'The video has no such rendition')
  const headers = { etag: chosen.etag, 'cache-control': chosen.final ? FINAL_CACHE : GROWING_CACHE }
  if (hasAlready(request, chosen.etag)) return { status: 304, headers, body: '' }
  const type = 'application/vnd.apple.mpegurl'
  return { status: 200, headers: { ...headers, 'content-type': type }, body: chosen.text }
}

function hasAlready(request: PlainRequest, etag: string): boolean {
  const known = request.headers.get('if-none-match') ?? ''
  return known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*')
}

/** Until every rendition has its first segment, or for ever when the video could not be made. */
async function notPlayable(shown: Shown, deps: Deps): Promise<Answer> {
  const video = await deps.tables().videos.find(shown.videoId)
  if (video?.derived.status === 'errored') {
    throw new AppError('not_playable', 'The video could not be made, so there is nothing to play')
  }
  const error = new AppError('not_playable', 'The first segments are still being made; ask again in a second')
  return problemAnswer(error, { 'retry-after': '1' })
}

async function playInfo(request: PlainRequest, playbackId: string, deps: Deps): Promise<PlayInfo> {
  const viewerKey = await viewerOf(request, deps)
  const shown = await shownBy(playbackId, deps)
  const { videos, progress } = deps.tables()
  const [video, place] = await Promise.all([
    videos.find(shown.videoId),
    viewerKey === undefined ? undefined : progress.find(viewerKey, shown.videoId),
  ])
  if (!video || video.deletedAt > 0) throw new AppError('playback_not_found', 'The video of this playback was deleted')
  const { durationMs, status, playable, progress: percent } = video.derived
  return {
    ...{ title: video.title, durationMs, status, playable, progress: percent },
    hlsUrl: `${deps.publicUrl}/play/${playbackId}/master.m3u8`,
    ...{ posterUrl: null, storyboardUrl: null },
    ...{ resumeMs: resumeOf(video, place), session: deps.openSession(playbackId), locked: false },
  }
}

/** A session that is over is no reason not to play: such a viewer is a stranger. */
async function viewerOf(request: PlainRequest, deps: Deps): Promise<string | undefined> {
  try {
    return await viewerKeyOf(request, request.query().get('viewerId'), deps.verifySession)
  } catch (error) {
    if (error instanceof AppError && error.status === 401) return undefined
    throw error
  }
}

/** Who has seen the end begins again. */
function resumeOf(video: Video, place: Progress | undefined): number {
  if (!place || place.ended) return 0
  const { durationMs } = video.derived
  return durationMs > 0 && place.positionMs >= durationMs ? 0 : place.positionMs
}
