import type { FetchRecord } from './records.ts'
import { bucketRange, existingBucket, objectKey, type Tables } from './tables.ts'

/** How a fetch ended. */
export type FetchOutcome = Pick<FetchRecord, 'state' | 'error'>

/** Tasks that bring objects from elsewhere, and what became of them. */
export interface Fetches {
  find(bucket: string, id: string): FetchRecord | undefined
  /** Keeps a task, then runs it in the background; `run` must not reject. */
  start(
    bucket: string,
    id: string,
    task: FetchRecord,
    run: (signal: AbortSignal) => Promise<FetchOutcome>,
  ): Promise<void>
  /** Gives up what still runs. */
  close(): Promise<void>
}

/** The fetches of a store. */
export function openFetches(tables: Tables): Fetches {
  const running = new Map<string, Promise<void>>()
  const stop = new AbortController()
  const keep = (bucket: string, id: string, task: FetchRecord) =>
    tables.transaction(() => {
      existingBucket(tables, bucket)
      void tables.fetches.put(objectKey({ bucket, key: id }), task)
    })
  return {
    find(bucket, id) {
      const task = tables.fetches.get(objectKey({ bucket, key: id }))
      if (task?.state !== 'Running' || running.has(id)) return task
      return { ...task, state: 'Failed', error: 'The service ended before the fetch did.' }
    },
    async start(bucket, id, task, run) {
      await keep(bucket, id, task)
      const done = run(stop.signal)
        .then((outcome) => keep(bucket, id, { ...task, ...outcome }))
        // The bucket is gone, and with it whoever could ask.
        .catch(() => {})
        .finally(() => running.delete(id))
      running.set(id, done)
    },
    async close() {
      stop.abort()
      await Promise.all(running.values())
    },
  }
}

/** Forgets the tasks of a bucket, within a transaction. */
export function forgetFetches(tables: Tables, bucket: string): void {
  for (const key of tables.fetches.getKeys(bucketRange(bucket, '', Buffer.alloc(0)))) void tables.fetches.remove(key)
}
