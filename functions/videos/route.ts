import type { VideoView } from '../../shared/api.ts'
import { authorizationOf } from '../../shared/authorization.ts'
import { AppError } from '../../shared/errors.ts'
import { jsonBody, list, ok } from '../../shared/http.ts'
import { idempotencyKeyOf, refuseOtherBody } from '../../shared/idempotency.ts'
import { routes } from '../../shared/routes.ts'
import type { CountersTable } from '../../shared/tables/counters.ts'
import type { Rendition, RenditionsTable } from '../../shared/tables/renditions.ts'
import type { SegmentRun, SegmentsTable } from '../../shared/tables/segments.ts'
import type { Video } from '../../shared/tables/videos.ts'
import { type AccountDeps, signIn, signUp } from './accounts.ts'
import { rename } from './change.ts'
import { cursorOf, placeOf } from './cursor.ts'
import { type RemoveDeps, remove } from './remove.ts'
import { type RestoreDeps, restore } from './restore.ts'
import { viewOf } from './view.ts'

export interface Deps extends AccountDeps, RemoveDeps, RestoreDeps {
  readonly counters: Pick<CountersTable, 'views'>
  readonly renditions: Pick<RenditionsTable, 'all'>
  readonly segments: Pick<SegmentsTable, 'all'>
  /** Whose session this is, by its signature alone: no table is read; throws `AppError`. */
  verifySession(token: string): Promise<{ readonly accountId: string }>
}

const MAX_PAGE = 100
const USUAL_PAGE = 20

/** The management API: accounts, sessions and the videos of whoever is signed in. */
export const onRequest = routes<Deps>((app) => {
  app.get('/healthz/videos', () => ok({ status: 'ok' }))
  app.post('/v1/accounts', async (c) => {
    const key = idempotencyKeyOf(c.req.raw)
    return ok(await signUp(await jsonBody(c.req.raw), key, c.env), { status: 201 })
  })
  app.post('/v1/sessions', async (c) => ok(await signIn(await jsonBody(c.req.raw), c.env), { status: 201 }))
  app.get('/v1/videos', async (c) => page(await ownerOf(c.req.raw, c.env), new URL(c.req.url).searchParams, c.env))
  app.get('/v1/videos/:id', async (c) => ok(await view(await wanted(c.req, c.env), c.env)))
  app.patch('/v1/videos/:id', async (c) => {
    const video = await wanted(c.req, c.env)
    return ok(await view(await rename(video, await jsonBody(c.req.raw), c.env.videos), c.env))
  })
  app.delete('/v1/videos/:id', async (c) => {
    await remove(await wanted(c.req, c.env), c.env)
    return new Response(null, { status: 204 })
  })
  app.post('/v1/videos/:id/restore', async (c) => {
    const video = await ownVideo(c.req.param('id'), await ownerOf(c.req.raw, c.env), c.env)
    await refuseOtherBody(c.req.raw, `${video.videoId}#restore`, c.env)
    return ok(await view(await restore(video, c.env), c.env))
  })
})

async function wanted(request: { raw: Request; param(name: 'id'): string }, deps: Deps): Promise<Video> {
  return videoOf(request.param('id'), await ownerOf(request.raw, deps), deps)
}

async function ownerOf(request: Request, deps: Deps): Promise<string> {
  return (await deps.verifySession(authorizationOf(request, ['Bearer']).value)).accountId
}

/** Somebody else's video, and a deleted one, are answered as if they did not exist. */
async function videoOf(videoId: string, ownerId: string, deps: Deps): Promise<Video> {
  const video = await ownVideo(videoId, ownerId, deps)
  if (video.deletedAt === 0) return video
  throw notFound()
}

async function ownVideo(videoId: string, ownerId: string, deps: Deps): Promise<Video> {
  const video = await deps.videos.find(videoId)
  if (video?.ownerId === ownerId) return video
  throw notFound()
}

function notFound(): AppError {
  return new AppError('video_not_found', 'There is no such video, or it belongs to somebody else')
}

/** Newest first. A page may be shorter than `limit`, or empty, and still have a cursor. */
async function page(ownerId: string, query: URLSearchParams, deps: Deps): Promise<Response> {
  const limit = limitOf(query.get('limit'))
  const cursor = query.get('cursor')
  const from = cursor === null ? undefined : placeOf(cursor, ownerId)
  const { videos, next } = await deps.videos.listByOwner(ownerId, limit, from)
  return list(await viewsOf(videos, deps), cursorOf(next))
}

function limitOf(text: string | null): number {
  if (text === null) return USUAL_PAGE
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_PAGE) return limit
  throw new AppError('invalid_request', `limit must be a whole number from 1 to ${MAX_PAGE}`)
}

async function view(video: Video, deps: Deps): Promise<VideoView> {
  const [shown] = await viewsOf([video], deps)
  return shown ?? viewOf(video, [], [], 0)
}

async function viewsOf(videos: readonly Video[], deps: Deps): Promise<VideoView[]> {
  const [counts, rows] = await Promise.all([
    deps.counters.views(videos.map(({ videoId }) => videoId)),
    Promise.all(videos.map((video) => rowsOf(video, deps))),
  ])
  return videos.map((video, index) => viewOf(video, ...(rows[index] ?? NO_ROWS), counts[index] ?? 0))
}

const NO_ROWS: readonly [Rendition[], SegmentRun[]] = [[], []]

/** Before there is a plan there are no rows, and those of a ready video say nothing that is not known. */
async function rowsOf({ derived, mediaId }: Video, deps: Deps): Promise<[Rendition[], SegmentRun[]]> {
  if (derived.engine === '') return [[], []]
  const runs = derived.status === 'ready' ? [] : deps.segments.all(mediaId)
  return Promise.all([deps.renditions.all(mediaId), runs])
}
