import { openCallbacks } from '../../shared/cloud/callback.ts'
import { openObjects } from '../../shared/cloud/oss.ts'
import { openTables } from '../../shared/cloud/tablestore.ts'
import { loadConfig } from '../../shared/config.ts'
import { eventHandler, type FcContext } from '../../shared/fc.ts'
import { newId } from '../../shared/ids.ts'
import { mediaTable } from '../../shared/tables/media.ts'
import { segmentsTable } from '../../shared/tables/segments.ts'
import { tasksTable } from '../../shared/tables/tasks.ts'
import { taskMessageOf } from '../../shared/task-message.ts'
import { confidential } from './environment.ts'
import { mediaTools } from './ffmpeg.ts'
import { type Deps, onTask } from './on-task.ts'
import { openOutputs, openSources } from './storage.ts'

const config = loadConfig(process.env, 'oss', 'tablestore', 'site', 'secrets', 'ffmpeg', 'limits')
// A minute less than the platform allows, so that the reason is recorded by us.
const deadlineMs = (Number(process.env.FC_TIMEOUT ?? 7200) - 60) * 1000
// ffmpeg inherits this process's environment and reads a stranger's file.
for (const name of confidential(process.env)) delete process.env[name]
// Static builds crash when glibc loads a character-set module of the system for the text fields of MPEG-TS.
process.env.GCONV_PATH = '/nonexistent'

const tools = mediaTools({ ...config.ffmpeg, env: process.env })
const { limits } = config
const sourceLimits = {
  maxPixels: limits.maxSourcePixels,
  maxStreams: limits.maxSourceStreams,
  maxDurationMs: limits.maxSourceDurationMs,
}
const callbacks = openCallbacks({ ...config.site, ...config.secrets })

function makeDeps({ requestId, credentials }: FcContext): Deps {
  const tables = openTables(config.tablestore, credentials, { requestId })
  const objects = openObjects(config.oss, credentials)
  return {
    tasks: tasksTable(tables),
    media: mediaTable(tables),
    segments: segmentsTable(tables),
    sources: openSources(objects),
    outputs: openOutputs(objects),
    tools,
    threads: config.ffmpeg.threads,
    deadlineMs,
    sourceLimits,
    notify: (mediaId) => callbacks.notifyTranscode({ mediaId }),
    owner: `${requestId}:${newId()}`,
    now: Date.now,
  }
}

/** What Function Compute calls. */
export const handler = eventHandler(makeDeps, (event, deps: Deps) => onTask(taskMessageOf(event), deps))
