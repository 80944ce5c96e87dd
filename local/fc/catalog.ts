import type { RootDatabase } from 'lmdb'
import type { Room } from '../data/room.ts'

/** Everything that has been deployed: what `s.yaml` declares, and above it what came over the API, which is kept on disk. */
export interface Catalog {
  table<T>(kind: string): Table<T>
  /** Does the work as one change and resolves when it is on disk; what it throws undoes it. */
  commit<T>(work: () => T): Promise<T>
  /** What is made of the records is kept until they change. */
  derived<T>(make: () => T): () => T
}

/** Records of one kind, each under a path of names. */
export interface Table<T> {
  get(...path: readonly string[]): T | undefined
  /** All below a path, in the order of their names. */
  list(...path: readonly string[]): readonly T[]
  /** Keeps a record; only inside `commit`. */
  put(record: T, ...path: readonly string[]): void
  /** Removes a record; what `s.yaml` declares is gone until the next start. Only inside `commit`. */
  remove(...path: readonly string[]): void
  /** Declares a record: it is there until one that is kept hides it, and is not kept itself. */
  declare(record: T, ...path: readonly string[]): void
}

/** Opens the catalog in a database that others use too; its keys begin with `deployed`. */
export function openCatalog(db: RootDatabase, room: Room): Catalog {
  let changes = 0
  return {
    table: <T>(kind: string) => openTable<T>(db, kind, room),
    async commit(work) {
      const result = db.transactionSync(work)
      changes++
      return result
    },
    derived<T>(make: () => T) {
      let made: { readonly at: number; readonly value: T } | undefined
      return () => {
        if (made?.at !== changes) made = { at: changes, value: make() }
        return made.value
      }
    },
  }
}

function openTable<T>(db: RootDatabase, kind: string, room: Room): Table<T> {
  const declared = new Map<string, { path: readonly string[]; record: T }>()
  const key = (path: readonly string[]) => ['deployed', kind, ...path]
  const kept = (path: readonly string[]) => db.get(key(path)) as T | undefined
  return {
    get: (...path) => kept(path) ?? declared.get(nameOf(path))?.record,
    list(...path) {
      const found = new Map<string, T>()
      for (const { path: full, record } of declared.values()) if (isBelow(full, path)) found.set(nameOf(full), record)
      // Names are ASCII, so that everything below a path ends before its successor.
      const range = { start: key(path), end: [...key(path), '\uffff'] }
      for (const { key: at, value } of db.getRange(range)) {
        const full = (at as string[]).slice(2)
        if (isBelow(full, path)) found.set(nameOf(full), value as T)
      }
      return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record)
    },
    put: (record, ...path) => room.put(db, key(path), record),
    remove(...path) {
      declared.delete(nameOf(path))
      db.remove(key(path))
    },
    declare: (record, ...path) => void declared.set(nameOf(path), { path, record }),
  }
}

function isBelow(full: readonly string[], path: readonly string[]): boolean {
  return full.length > path.length && path.every((name, index) => name === full[index])
}

function nameOf(path: readonly string[]): string {
  return path.join('\0')
}
