import type { Operations } from '../operation.ts'
import { heartbeat } from './heartbeat.ts'
import { mpsCallback } from './mps-callback.ts'
import { playRedirect } from './play-redirect.ts'
import { stsToken } from './sts-token.ts'
import { uploadNotify } from './upload-notify.ts'
import { videos } from './videos.ts'

/** What is said of each function's routes; a new function is one line here, a new route one entry in its file. */
export const OPERATIONS: Readonly<Record<string, Operations>> = {
  videos,
  'sts-token': stsToken,
  'upload-notify': uploadNotify,
  'play-redirect': playRedirect,
  heartbeat,
  'mps-callback': mpsCallback,
}
