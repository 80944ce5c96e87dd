import { newRecollection } from '../../../functions/heartbeat/record.ts'
import { type Deps, onRequest } from '../../../functions/heartbeat/route.ts'
import type { Beat } from '../../../shared/api.ts'
import { playSessions } from '../../../shared/auth/play-session.ts'
import { AppError } from '../../../shared/errors.ts'
import type { MediaInfo } from '../../../shared/plan.ts'
import { shownCache } from '../../../shared/shown.ts'
import { countersTable, shardOf } from '../../../shared/tables/counters.ts'
import { mediaTable } from '../../../shared/tables/media.ts'
import { playbacksTable } from '../../../shared/tables/playbacks.ts'
import { progressTable } from '../../../shared/tables/progress.ts'
import { sessionsTable } from '../../../shared/tables/sessions.ts'
import { videosTable } from '../../../shared/tables/videos.ts'
import { askPlain } from '../../fakes/plain.ts'
import { memoryTables, type TableOperation } from '../../fakes/tables.ts'
import { smallPlan } from '../../shared/plans.ts'

export const START = Date.UTC(2030, 0, 1)
export const PLAY = 'play000000000001'
export const VIEWER = 'viewer-0000000000000001'
const [videoId, mediaId] = ['video00000000001', 'media00000000001']
const INDEX = { table: 'progress', index: 'progress_by_video', columns: ['video_id', 'viewer_key'] }

export interface WorldOptions {
  readonly durationMs?: number
  /** How many instances take turns at the beats. */
  readonly instances?: number
  readonly onOperation?: (operation: TableOperation) => void | Promise<void>
}

/** A public video of a minute, a clock, and as many instances of the function as wanted. */
export async function newWorld({ durationMs = 60_000, instances = 1, onOperation }: WorldOptions = {}) {
  let now = START
  let ids = 0
  const client = memoryTables({ indexes: [INDEX], ...(onOperation ? { onOperation } : {}) })
  /** Requests: a batch is one. */
  const requests: string[] = []
  const counted: typeof client = { ...client }
  for (const kind of ['get', 'getBatch', 'range', 'write', 'writeBatch'] as const) {
    Reflect.set(counted, kind, (...args: unknown[]) => {
      requests.push(kind)
      return Reflect.apply(client[kind], client, args)
    })
  }
  const tables = { playbacks: playbacksTable(client), videos: videosTable(client), media: mediaTable(client) }
  const plays = playSessions('a secret of some length, for tests')
  const shared = {
    client: counted,
    sessions: sessionsTable(counted),
    counters: countersTable(counted),
    progress: progressTable(counted),
    tables: { playbacks: playbacksTable(counted), videos: videosTable(counted), media: mediaTable(counted) },
    async verifySession(token: string) {
      if (!token.startsWith('session-of-')) throw new AppError('unauthenticated', 'Expected a session token')
      return { accountId: token.slice('session-of-'.length) }
    },
    readPlaySession: (token: string, playbackId: string) => plays.read(token, playbackId, now),
    now: () => now,
  }
  const all: Deps[] = Array.from({ length: instances }, () => ({
    ...shared,
    shown: shownCache(),
    recollection: newRecollection(),
  }))

  await tables.media.create({ mediaId, sourceKey: 'k', sourceEtag: 'E', sizeBytes: 1, crc64: '1' })
  await tables.media.savePlan(mediaId, smallPlan(), { durationMs } as MediaInfo)
  await tables.playbacks.create({ playbackId: PLAY, videoId, mediaId, policy: 'public', revoked: false })
  const video = { videoId, ownerId: 'ann', mediaId, title: 'Summer', sourceContext: '', classId: '', sizeBytes: 1 }
  await tables.videos.create({ ...video, playbackIds: [PLAY], sourceKey: 'k', createdAt: 1 })

  async function ask(path: string, init: RequestInit = {}, instance = 0) {
    const deps = all[instance]
    if (!deps) throw new Error(`expected an instance ${instance}`)
    const response = await askPlain(onRequest, new Request(`http://api${path}`, init), deps)
    return { status: response.status, ...(JSON.parse(await response.text()) as { data: Record<string, unknown> }) }
  }

  return {
    client,
    tables,
    requests,
    ask,
    now: () => now,
    /** The clock of all instances. */
    at(ms: number) {
      now = START + ms
    },
    /** A session as the play info hands it out. */
    newSession(playbackId = PLAY) {
      ids += 1
      return plays.issue(playbackId, `S${String(ids).padStart(15, '0')}`, now)
    },
    beat: (part: Partial<Beat>, init: RequestInit = {}, instance = 0) =>
      ask('/v1/heartbeats', { method: 'POST', body: JSON.stringify({ ...usual, ...part }), ...init }, instance),
    /** A viewer's position. */
    async position(viewerId = VIEWER) {
      return (await ask(`/v1/progress?playbackId=${PLAY}&viewerId=${viewerId}`)).data
    },
    async views() {
      return (await countersTable(client).views([videoId]))[0]
    },
    /** Views of so many others. */
    async others(count: number) {
      const ids = Array.from({ length: count }, (_, n) => `another-${n}`)
      for (let shard = 0; shard < 8; shard += 1) {
        const mine = ids.filter((id) => shardOf(id) === shard)
        await countersTable(client).count(videoId, shard, mine)
      }
    },
    sessions: () => client.rows('sessions'),
    progress: () => client.rows('progress'),
    removeAll: () => progressTable(client).removeAll(videoId),
  }
}

const usual: Beat = {
  playbackId: PLAY,
  sessionId: 'a session of nobody',
  viewerId: VIEWER,
  seq: 1,
  positionMs: 0,
  event: 'timeupdate',
  playing: true,
}
