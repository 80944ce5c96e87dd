import { openCallbacks } from '../../shared/cloud/callback.ts'
import { openObjects } from '../../shared/cloud/oss.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { eventHandler } from '../../shared/fc.ts'
import { newId } from '../../shared/ids.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { renditionsTable } from '../../shared/tables/renditions.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { type Deps, onCheck } from './on-check.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'site', 'secrets')
const callbacks = openCallbacks({ ...config.site, ...config.secrets })

/** What Function Compute calls. */
export const handler = eventHandler<Deps>(({ requestId, credentials }) => {
  const tables = openTables(config.tablestore, credentials, { requestId })
  return {
    tasks: tasksTable(tables),
    media: mediaTable(tables),
    renditions: renditionsTable(tables),
    segments: segmentsTable(tables),
    objects: openObjects(config.oss, credentials),
    notify: (mediaId) => callbacks.notifyTranscode({ mediaId }),
    owner: `${requestId}:${newId()}`,
    now: Date.now,
  }
}, onCheck)
