import { setTimeout as pause } from 'node:timers/promises'
import { hashPassword, verifyPassword } from '../../shared/auth/password.ts'
import { sessionTokens } from '../../shared/auth/session-token.ts'
import { openInvoker } from '../../shared/cloud/invoke.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { dispatch } from '../../shared/dispatch.ts'
import { drive } from '../../shared/drive.ts'
import { httpHandler } from '../../shared/fc.ts'
import { newId } from '../../shared/ids.ts'
import { accountsTable } from '../../shared/tables/accounts.ts'
import { countersTable } from '../../shared/tables/counters.ts'
import { dueTable } from '../../shared/tables/due.ts'
import { idempotencyTable } from '../../shared/tables/idempotency.ts'
import { playbacksTable } from '../../shared/tables/playbacks.ts'
import { renditionsTable } from '../../shared/tables/renditions.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { videosTable } from '../../shared/tables/videos.ts'
import { type Deps, onRequest } from './route.ts'

const config = loadConfig(process.env, 'tablestore', 'invoke', 'secrets', 'accounts')
const sessions = sessionTokens(config.secrets.secretKey)

/** What Function Compute calls. */
export const handler = httpHandler<Deps>(({ requestId, credentials }) => {
  const tables = openTables(config.tablestore, credentials, { requestId })
  const invoker = openInvoker(config.invoke, credentials)
  const driving = { tables, dispatch: dispatch.bind(undefined, invoker), now: Date.now, pause }
  return {
    accounts: accountsTable(tables),
    idempotency: idempotencyTable(tables),
    videos: videosTable(tables),
    playbacks: playbacksTable(tables),
    renditions: renditionsTable(tables),
    segments: segmentsTable(tables),
    tasks: tasksTable(tables),
    due: dueTable(tables),
    counters: countersTable(tables),
    drive: (mediaId) => drive(mediaId, driving),
    signup: config.accounts.signup,
    hashPassword,
    verifyPassword,
    openSession: (account) => sessions.issue(account, Date.now()),
    verifySession: (token) => sessions.verify(token, Date.now()),
    newId,
    now: Date.now,
  }
}, onRequest)
