import type { Database } from 'lmdb'
import type { IndexChange } from './indexes.ts'
import { packRow, unpackRow } from './rows.ts'

/** Changes of indexes that wait for their time; kept on disk, so that a crash loses none. */
export interface IndexLag {
  /** Inside a change: carries changes out, or keeps them for later. */
  add(changes: readonly IndexChange[]): void
  /** Whether a change is waiting whose time has come. */
  isBehind(): boolean
  /** Inside a change: carries out what is due. */
  catchUp(): void
  /** Inside a change: sets the lag; without any, nothing waits any more. Gives what takes it back. */
  set(ms: number): () => void
  /** After a commit that failed: what waits is what is stored. */
  reload(): void
}

interface Late {
  readonly dueAt: number
  readonly key: Buffer
  readonly row: Buffer | undefined
}

/** Opens what waits; order is kept, so that a shorter lag does not let a later change overtake an earlier one. */
export function openIndexLag(
  db: Database<Late, number>,
  now: () => number,
  apply: (change: IndexChange) => void,
): IndexLag {
  const load = () => [...db.getRange({})].map(({ key: id, value: { dueAt } }) => ({ id, dueAt }))
  let waiting = load()
  let lagMs = 0

  function carryOut(count: number): void {
    for (const { id } of waiting.splice(0, count)) {
      const late = db.get(id)
      db.remove(id)
      if (late) apply({ key: Buffer.from(late.key), row: late.row && unpackRow(Buffer.from(late.row)) })
    }
  }

  return {
    add(changes) {
      if (lagMs === 0 && waiting.length === 0) {
        for (const change of changes) apply(change)
        return
      }
      const dueAt = Math.max(now() + lagMs, waiting.at(-1)?.dueAt ?? 0)
      for (const { key, row } of changes) {
        const id = (waiting.at(-1)?.id ?? 0) + 1
        waiting.push({ id, dueAt })
        db.put(id, { dueAt, key, row: row && packRow(row) })
      }
    },
    isBehind: () => waiting[0] !== undefined && waiting[0].dueAt <= now(),
    catchUp() {
      const time = now()
      const still = waiting.findIndex(({ dueAt }) => dueAt > time)
      carryOut(still < 0 ? waiting.length : still)
    },
    set(ms) {
      const before = lagMs
      lagMs = ms
      if (ms === 0) carryOut(waiting.length)
      return () => {
        lagMs = before
      }
    },
    reload() {
      waiting = load()
    },
  }
}
