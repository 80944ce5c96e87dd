import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb'

/**
 * Opens a database of lmdb for changes that go through `transact`, or through `transactionSync`. What is committed is on
 * the disk.
 */
export function openDatabase(options: RootDatabaseOptionsWithPath): RootDatabase {
  // With either of the two, a disk that is full would end the process: flushes that overlap break off, and the batches of
  // a turn make a promise of which nobody hears that it is rejected.
  return open({ ...options, overlappingSync: false, eventTurnBatching: false })
}

/**
 * Runs a change whose writes are kept all, or none if it throws or cannot be committed. Changes that are asked for at once
 * share a commit; they run one after another, in the order in which they were asked for.
 */
export async function transact<Result>(root: RootDatabase, change: () => Result): Promise<Result> {
  try {
    // Of any other transaction on lmdb's own thread, what a callback wrote before it threw is committed.
    return await root.childTransaction(change)
  } catch (error) {
    heedCause(error)
    throw error
  }
}

/** lmdb hands the cause over as a promise of its own, which would otherwise be rejected before nobody. */
function heedCause(error: unknown): void {
  if (!(error instanceof Error && 'commitError' in error)) return
  Promise.resolve(error.commitError).catch(() => undefined)
}
