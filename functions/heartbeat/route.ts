import type { BeatAnswer, ProgressView } from '../../shared/api.ts'
import type { PlaySession } from '../../shared/auth/play-session.ts'
import type { Cache } from '../../shared/cache.ts'
import { AppError } from '../../shared/errors.ts'
import { jsonBody } from '../../shared/http.ts'
import { okAnswer, type PlainRequest, plainRoutes } from '../../shared/plain.ts'
import { loadShown, type Shown, type ShownTables } from '../../shared/shown.ts'
import type { ProgressTable } from '../../shared/tables/progress.ts'
import { type VerifySession, viewerKeyOf } from '../../shared/viewer.ts'
import { beatOf } from './input.ts'
import { type RecordDeps, record } from './record.ts'

export interface Deps extends RecordDeps {
  /** Lives as long as the instance. */
  readonly shown: Cache<Shown | null>
  readonly tables: ShownTables
  readonly progress: Pick<ProgressTable, 'find'>
  readonly verifySession: VerifySession
  /** A session that was handed out for this playback, or `undefined`. */
  readPlaySession(token: string, playbackId: string): PlaySession | undefined
  now(): number
}

/** While it plays; a third of the gap that counts as watched, so that two lost beats lose no time. */
const PLAYING_BEAT_MS = 10_000
const IDLE_BEAT_MS = 60_000

/** `/v1/heartbeats` and `/v1/progress`: where viewers are, and what they have watched. */
export const onRequest = plainRoutes<Deps>((app) => {
  app.get('/healthz/heartbeat', () => okAnswer({ status: 'ok' }))
  // Whatever the content type is: `sendBeacon` can say no other than text/plain without asking first.
  app.post('/v1/heartbeats', async (request, deps) => okAnswer(await takeBeat(request, deps)))
  app.get('/v1/progress', async (request, deps) => okAnswer(await progressOf(request, deps)))
})

async function takeBeat(request: PlainRequest, deps: Deps): Promise<BeatAnswer> {
  const beat = beatOf(await jsonBody(request))
  const { playbackId, sessionId, viewerId, ageMs = 0 } = beat
  const viewerKey = await viewerOf(request, viewerId, deps)
  const shown = await shownBy(playbackId, deps)
  const effectiveAt = Math.max(0, deps.now() - ageMs)
  const session = deps.readPlaySession(sessionId, playbackId)
  await record({ beat, effectiveAt, viewerKey, shown, session }, deps)
  return { nextBeatMs: beat.playing ? PLAYING_BEAT_MS : IDLE_BEAT_MS }
}

async function progressOf(request: PlainRequest, deps: Deps): Promise<ProgressView> {
  const query = request.query()
  const [playbackId, viewerId] = [query.get('playbackId'), query.get('viewerId')]
  if (!playbackId) throw new AppError('invalid_request', 'playbackId is missing')
  const viewerKey = await viewerOf(request, viewerId, deps)
  const { videoId } = await shownBy(playbackId, deps)
  const progress = await deps.progress.find(viewerKey, videoId)
  if (!progress) return { positionMs: 0, updatedAt: null }
  return { positionMs: progress.positionMs, updatedAt: new Date(progress.effectiveAt).toISOString() }
}

async function viewerOf(request: PlainRequest, viewerId: string | null | undefined, deps: Deps): Promise<string> {
  const key = await viewerKeyOf(request, viewerId, deps.verifySession)
  if (key) return key
  throw new AppError('invalid_request', 'viewerId is missing; only who is signed in needs none')
}

async function shownBy(playbackId: string, deps: Deps): Promise<Shown> {
  const shown = await deps.shown.get(playbackId, deps.now(), () => loadShown(playbackId, deps.tables))
  if (shown) return shown
  throw new AppError('playback_not_found', 'There is no such playback, it was revoked, or its video was deleted')
}
