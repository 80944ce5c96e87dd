import * as v from 'valibot'
import type { TaskMessage } from './plan.ts'

const TaskMessageSchema = v.object({
  mediaId: v.string(),
  planId: v.string(),
  taskId: v.string(),
  kind: v.picklist(['probe', 'copy', 'video', 'audio', 'check']),
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
})

/** Reads the message that names one attempt of a task; throws when it is not one. */
export function taskMessageOf(event: unknown): TaskMessage {
  return v.parse(TaskMessageSchema, event)
}
