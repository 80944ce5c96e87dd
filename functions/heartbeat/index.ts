import { playSessions } from '../../shared/auth/play-session.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import type { FcContext } from '../../shared/fc.ts'
import { serveHttp } from '../../shared/fc-server.ts'
import { shownCache } from '../../shared/shown.ts'
import { countersTable } from '../../shared/tables/counters.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { progressTable } from '../../shared/tables/progress.ts'
import { sessionsTable } from '../../shared/tables/sessions.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { sessionVerifier } from '../../shared/viewer.ts'
import { newRecollection } from './record.ts'
import { type Deps, onRequest } from './route.ts'

const config = loadConfig(process.env, 'tablestore', 'secrets')
const verifySession = sessionVerifier(config.secrets.secretKey, Date.now)
const plays = playSessions(config.secrets.secretKey)
const shown = shownCache()
const recollection = newRecollection()

function makeDeps({ requestId, credentials }: FcContext): Deps {
  const client = openTables(config.tablestore, credentials, { requestId })
  return {
    client,
    sessions: sessionsTable(client),
    counters: countersTable(client),
    progress: progressTable(client),
    tables: { playbacks: playbacksTable(client), videos: videosTable(client), media: mediaTable(client) },
    shown,
    recollection,
    verifySession,
    readPlaySession: (token, playbackId) => plays.read(token, playbackId, Date.now()),
    now: Date.now,
  }
}

await serveHttp(makeDeps, onRequest, {
  port: Number(process.env.FC_CUSTOM_LISTEN_PORT ?? 9000),
  accessLog: 'failures',
})
