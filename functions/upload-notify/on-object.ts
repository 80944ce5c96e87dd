import * as v from 'valibot'
import { type AcceptDeps, accept } from '../../shared/accept.ts'
import { AppError } from '../../shared/errors.ts'
import { log } from '../../shared/log.ts'
import { discard, type RemovableObjects } from '../../shared/source.ts'

export interface ObjectDeps extends AcceptDeps {
  readonly objects: AcceptDeps['objects'] & RemovableObjects
}

/** The event of an OSS trigger; the key is raw, not URL-encoded. */
const ObjectEvent = v.object({
  events: v.array(v.object({ eventName: v.string(), oss: v.object({ object: v.object({ key: v.string() }) }) })),
})

/** An object was written: the same as `complete`, for uploaders that never said it. */
export async function onObject(event: unknown, deps: ObjectDeps): Promise<void> {
  const { events } = v.parse(ObjectEvent, event)
  const outcomes = await Promise.allSettled(events.map(({ oss }) => look(oss.object.key, deps)))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}

async function look(key: string, deps: ObjectDeps): Promise<void> {
  const uploadId = /^uploads\/([A-Za-z0-9]+)\/source$/.exec(key)?.[1]
  const upload = uploadId === undefined ? undefined : await deps.uploads.find(uploadId)
  if (!upload) return log('warn', 'object of no upload', { key: key.slice(0, 200) })
  // Credentials outlive a cancelled upload by up to an hour; what is written meanwhile belongs to nobody.
  if (upload.state === 'cancelled' || upload.state === 'expired') return discard(key, deps.objects)
  try {
    await accept(upload, deps)
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error
    // An answer for the uploader, who asks for it with `complete`; the reason is on the upload.
    log('info', 'object not accepted', { uploadId, code: error.code, reason: error.message })
  }
}
