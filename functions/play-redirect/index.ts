import { presignUrl } from '../../shared/auth/oss-url.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { type FcContext, serveHttp } from '../../shared/fc.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { type Deps, onRequest } from './route.ts'
import { newShelf, type ShelfTables } from './shelf.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'site')
const place = { ...config.oss, endpoint: config.oss.publicEndpoint }
const shelf = newShelf()

function makeDeps({ requestId, credentials }: FcContext): Deps {
  const sign = { method: 'GET', expiresSeconds: 3600 } as const
  return {
    shelf,
    tables: () => tablesOf(requestId, credentials),
    presign: (key) => presignUrl(place, credentials, { ...sign, key, nowMs: Date.now() }),
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
  }
}

await serveHttp(makeDeps, onRequest, { port: Number(process.env.FC_CUSTOM_LISTEN_PORT ?? 9000) })
