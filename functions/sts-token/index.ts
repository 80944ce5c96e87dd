import { sessionTokens } from '../../shared/auth/session-token.ts'
import { uploadTokens } from '../../shared/auth/upload-token.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { httpHandler } from '../../shared/fc.ts'
import { newId } from '../../shared/ids.ts'
import { dueTable } from '../../shared/tables/due.ts'
import { idempotencyTable } from '../../shared/tables/idempotency.ts'
import { uploadsTable } from '../../shared/tables/uploads.ts'
import { uploadTarget } from '../../shared/upload-target.ts'
import { type Deps, onRequest } from './route.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'sts', 'secrets', 'limits')
const sessions = sessionTokens(config.secrets.secretKey)
const tokens = uploadTokens(config.secrets.secretKey)

/** What Function Compute calls. */
export const handler = httpHandler<Deps>(({ requestId, credentials }) => {
  const tables = openTables(config.tablestore, credentials, { requestId })
  return {
    uploads: uploadsTable(tables),
    idempotency: idempotencyTable(tables),
    due: dueTable(tables),
    verifySession: (token) => sessions.verify(token, Date.now()),
    uploadToken: tokens.issue,
    grant: (key) => uploadTarget(config, credentials, key),
    newId,
    now: Date.now,
    ...config.limits,
  }
}, onRequest)
