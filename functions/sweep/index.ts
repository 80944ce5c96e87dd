import { setTimeout as pause } from 'node:timers/promises'
import { openInvoker } from '../../shared/cloud/invoke.ts'
import { openObjects } from '../../shared/cloud/oss.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { dispatch } from '../../shared/dispatch.ts'
import { drive } from '../../shared/drive.ts'
import { eventHandler } from '../../shared/fc.ts'
import { cursorsTable } from '../../shared/tables/cursors.ts'
import { dueTable } from '../../shared/tables/due.ts'
import { eraseRows } from '../../shared/tables/erase.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { progressTable } from '../../shared/tables/progress.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { uploadsTable } from '../../shared/tables/uploads.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { type Deps, onTimer } from './on-timer.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'invoke', 'site', 'limits', 'sweep')

/** What Function Compute calls. */
export const handler = eventHandler<Deps>(({ requestId, credentials }) => {
  const tables = openTables(config.tablestore, credentials, { requestId })
  const invoker = openInvoker(config.invoke, credentials)
  const driving = { tables, dispatch: dispatch.bind(undefined, invoker), now: Date.now, pause }
  return {
    ...config.sweep,
    maxSourceBytes: config.limits.maxSourceBytes,
    publicUrl: config.site.publicUrl,
    budgetMs: 30_000,
    uploads: uploadsTable(tables),
    media: mediaTable(tables),
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    tasks: tasksTable(tables),
    cursors: cursorsTable(tables),
    due: dueTable(tables),
    objects: openObjects(config.oss, credentials),
    drive: (mediaId) => drive(mediaId, driving),
    eraseRows: (mediaId) => eraseRows(tables, 'media_id', mediaId),
    async eraseViewing(videoId) {
      await progressTable(tables).removeAll(videoId)
      await eraseRows(tables, 'video_id', videoId)
    },
    now: Date.now,
  }
}, onTimer)
