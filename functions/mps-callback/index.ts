import { setTimeout as pause } from 'node:timers/promises'
import { routeKey, verifyInternal } from '../../shared/auth/internal.ts'
import { TRANSCODE_CALLBACK_PATH } from '../../shared/cloud/callback.ts'
import { openInvoker } from '../../shared/cloud/invoke.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { dispatch } from '../../shared/dispatch.ts'
import { drive } from '../../shared/drive.ts'
import { combined, eventHandler, type FcContext, httpHandler } from '../../shared/fc.ts'
import { noncesTable } from '../../shared/tables/nonces.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { onFailure } from './on-failure.ts'
import { onRequest } from './route.ts'

const config = loadConfig(process.env, 'tablestore', 'invoke', 'secrets')
const key = routeKey(config.secrets.secretKey, TRANSCODE_CALLBACK_PATH)

function makeDeps({ requestId, credentials }: FcContext) {
  const tables = openTables(config.tablestore, credentials, { requestId })
  const invoker = openInvoker(config.invoke, credentials)
  const driving = { tables, dispatch: dispatch.bind(undefined, invoker), now: Date.now, pause }
  return {
    verify: (query: URLSearchParams, body: string) => verifyInternal({ key, query, body }, Date.now()),
    spend: (nonce: string) => noncesTable(tables).spend('internal', TRANSCODE_CALLBACK_PATH, nonce, Date.now()),
    drive: (mediaId: string) => drive(mediaId, driving),
    tasks: tasksTable(tables),
  }
}

/** What Function Compute calls: with notices over HTTP, and with attempts whose worker died. */
export const handler = combined(httpHandler(makeDeps, onRequest), eventHandler(makeDeps, onFailure))
