import type { Invoker } from './cloud/invoke.ts'
import { invocationId, type TaskMessage } from './plan.ts'

/** Hands one attempt of a task to the function that does its kind of work; a repeat finds it taken, which is as good. */
export async function dispatch(invoker: Invoker, message: TaskMessage): Promise<void> {
  const worker = message.kind === 'check' ? 'hls-index' : 'ffmpeg-transcode'
  await invoker.invokeAsync(worker, message, { taskId: invocationId(message) })
}
