import { statfsSync } from 'node:fs'
import type { Database, Key } from 'lmdb'

/** What is left on the disk of a folder. */
export interface Room {
  /** Throws ENOSPC when only the reserve is left, which is for what removes and for what is under way. */
  require(): void
  /** Inside a change: keeps a record; a new one only while there is room. */
  put<Value, At extends Key>(database: Database<Value, At>, key: At, value: Value): void
}

/** The reserve: so many bytes, or that part of a disk that is small. */
const RESERVE = { bytes: 32 * 1024 * 1024, part: 0.05 } as const

/**
 * The room for what adds to a folder. lmdb's own answer to a disk without any is now and then the end of the process (it
 * prints the error into too short a buffer), so it is not to find that out.
 */
export function roomIn(folder: string): Room {
  function require(): void {
    const { bavail, blocks, bsize } = statfsSync(folder)
    if (bavail * bsize > Math.min(RESERVE.bytes, blocks * bsize * RESERVE.part)) return
    const message = `no space left on the disk of ${folder}: ${Math.floor((bavail * bsize) / 1024)} KB are kept for removing`
    throw Object.assign(new Error(message), { code: 'ENOSPC' })
  }

  return {
    require,
    put(database, key, value) {
      if (!database.doesExist(key)) require()
      void database.put(key, value)
    },
  }
}
