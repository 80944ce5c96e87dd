/** What makes one commit of a callback, on this thread or another. */
export interface Transactor {
  transaction(work: () => void): Promise<void>
  transactionSync(work: () => void): void
  resetReadTxn(): void
}

/** Carries out changes one after another. */
export interface Commits {
  /** Runs `work` alone, after everything asked for earlier; resolves when it is on disk. */
  run<T>(work: () => T): Promise<T>
  /** Resolves when nothing is waiting. */
  idle(): Promise<void>
}

interface Job {
  readonly run: () => void
  readonly settle: () => void
  readonly fail: (error: unknown) => void
}

/** Over this a commit is left to lmdb's own thread, since nothing else happens in the process meanwhile. */
const SLOW_MS = 8

/**
 * All changes that are waiting share one commit, so one that throws must not have written. A commit on this thread costs
 * a single change far less than the way to another thread and back; where the disk is slow it takes that way.
 */
export function openCommits(root: Transactor, failed: () => void): Commits {
  let waiting: Job[] = []
  let draining: Promise<void> | undefined
  let slow = false

  async function commit(jobs: readonly Job[]): Promise<void> {
    const startedAt = performance.now()
    const work = () => {
      for (const job of jobs) job.run()
    }
    try {
      if (slow) await root.transaction(work)
      else root.transactionSync(work)
    } catch (error) {
      failed()
      for (const job of jobs) job.fail(error)
    }
    // Otherwise a read in the same turn may still see what was there before.
    root.resetReadTxn()
    slow = performance.now() - startedAt > SLOW_MS
    for (const job of jobs) job.settle()
  }

  async function drain(): Promise<void> {
    // Whatever else has arrived in this turn of the event loop joins the first commit.
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const jobs = waiting
      waiting = []
      await commit(jobs)
    }
    draining = undefined
  }

  return {
    run(work) {
      return new Promise((resolve, reject) => {
        waiting.push(jobOf(work, resolve, reject))
        draining ??= drain()
      })
    },
    idle: async () => draining,
  }
}

/** lmdb undoes the whole commit when a callback throws; carried out as a value an error undoes only its own change. */
function jobOf<T>(work: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): Job {
  let settle = () => reject(new Error('the change was not carried out'))
  return {
    run() {
      try {
        const value = work()
        settle = () => resolve(value)
      } catch (error) {
        settle = () => reject(error)
      }
    },
    settle: () => settle(),
    fail: reject,
  }
}
