import { presignUrl } from '../../shared/auth/oss-url.ts'
import { playSessions } from '../../shared/auth/play-session.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import type { FcContext } from '../../shared/fc.ts'
import { serveHttp } from '../../shared/fc-server.ts'
import { newId } from '../../shared/ids.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { progressTable } from '../../shared/tables/progress.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { sessionVerifier } from '../../shared/viewer.ts'
import { type Deps, onRequest } from './route.ts'
import { newShelf, type ShelfTables } from './shelf.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'site', 'secrets')
const place = { ...config.oss, endpoint: config.oss.publicEndpoint }
const shelf = newShelf()
const verifySession = sessionVerifier(config.secrets.secretKey, Date.now)
const plays = playSessions(config.secrets.secretKey)

function makeDeps({ requestId, credentials }: FcContext): Deps {
  return {
    shelf,
    tables: () => tablesOf(requestId, credentials),
    presign: (method, key) => presignUrl(place, credentials, { method, key, expiresSeconds: 3600, nowMs: Date.now() }),
    verifySession,
    openSession: (playbackId) => plays.issue(playbackId, newId(), Date.now()),
    now: Date.now,
    publicUrl: config.site.publicUrl,
  }
}

function tablesOf(requestId: string, credentials: FcContext['credentials']): ShelfTables {
  const tables = openTables(config.tablestore, credentials, { requestId })
  return {
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    media: mediaTable(tables),
    segments: segmentsTable(tables),
    progress: progressTable(tables),
  }
}

await serveHttp(makeDeps, onRequest, {
  port: Number(process.env.FC_CUSTOM_LISTEN_PORT ?? 9000),
  accessLog: 'failures',
})
