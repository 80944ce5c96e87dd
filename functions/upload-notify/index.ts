import { setTimeout as pause } from 'node:timers/promises'
import { sessionTokens } from '../../shared/auth/session-token.ts'
import { uploadTokens } from '../../shared/auth/upload-token.ts'
import { openInvoker } from '../../shared/cloud/invoke.ts'
import { openObjects } from '../../shared/cloud/oss.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { dispatch } from '../../shared/dispatch.ts'
import { drive } from '../../shared/drive.ts'
import { combined, eventHandler, type FcContext, httpHandler } from '../../shared/fc.ts'
import { dueTable } from '../../shared/tables/due.ts'
import { idempotencyTable } from '../../shared/tables/idempotency.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { uploadsTable } from '../../shared/tables/uploads.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { uploadTarget } from '../../shared/upload-target.ts'
import { onObject } from './on-object.ts'
import { type Deps, onRequest } from './route.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'sts', 'invoke', 'site', 'secrets', 'limits')
const sessions = sessionTokens(config.secrets.secretKey)
const tokens = uploadTokens(config.secrets.secretKey)

function makeDeps({ requestId, credentials }: FcContext): Deps {
  const tables = openTables(config.tablestore, credentials, { requestId })
  const objects = openObjects(config.oss, credentials)
  const invoker = openInvoker(config.invoke, credentials)
  const driving = { tables, dispatch: dispatch.bind(undefined, invoker), now: Date.now, pause }
  return {
    uploads: uploadsTable(tables),
    media: mediaTable(tables),
    playbacks: playbacksTable(tables),
    videos: videosTable(tables),
    due: dueTable(tables),
    idempotency: idempotencyTable(tables),
    objects,
    drive: (mediaId) => drive(mediaId, driving),
    verifySession: (token) => sessions.verify(token, Date.now()),
    verifyUploadToken: (token, uploadId) => tokens.verify(token, uploadId, Date.now()),
    grant: (key) => uploadTarget(config, credentials, key),
    now: Date.now,
    maxSourceBytes: config.limits.maxSourceBytes,
    publicUrl: config.site.publicUrl,
  }
}

/** What Function Compute calls, with requests and with events of the source bucket. */
export const handler = combined(httpHandler(makeDeps, onRequest), eventHandler(makeDeps, onObject))
