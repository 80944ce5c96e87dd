import type { RootDatabase } from 'lmdb'
import { transact } from '../data/database.ts'
import type { Transactor } from './commits.ts'
import { TablestoreError } from './errors.ts'

/** Commits that are carried out whole or leave nothing: neither on disk nor in memory. */
export interface Attempts extends Transactor {
  /**
   * Runs one change inside of a commit. A refusal comes before anything is written; any other error may come half-way, so
   * that nothing of the commit may stay.
   */
  run<T>(work: () => T): T
  /** Inside a change: what takes back something that it has done in memory. */
  onUndo(back: () => void): void
  /** After a commit that failed: takes back, the last first. */
  undo(): void
}

/** What `beforeCommit` throws fails the commit, as a disk that is full would. */
export function openAttempts(root: RootDatabase, beforeCommit: () => void): Attempts {
  let backs: (() => void)[] = []
  let broken: { readonly error: unknown } | undefined

  const whole = (jobs: () => void) => () => {
    backs = []
    broken = undefined
    jobs()
    if (broken) throw (broken as { readonly error: unknown }).error
    beforeCommit()
  }

  return {
    transaction: (jobs) => transact(root, whole(jobs)),
    transactionSync: (jobs) => root.transactionSync(whole(jobs)),
    resetReadTxn: () => root.resetReadTxn(),
    run(work) {
      try {
        return work()
      } catch (error) {
        if (!(error instanceof TablestoreError)) broken ??= { error }
        throw error
      }
    },
    onUndo: (back) => void backs.push(back),
    undo() {
      for (const back of backs.splice(0).reverse()) back()
    },
  }
}
