import type {
  Comparison,
  Expect,
  Key,
  RangeRequest,
  Row,
  TableClient,
  Test,
  Value,
  Write,
} from '../../shared/tables/client.ts'

/** One call as a test sees it; every row of a batch counts as an operation of its own. */
export interface TableOperation {
  readonly kind: 'get' | 'getBatch' | 'range' | 'write' | 'writeBatch'
  readonly table: string
  /** `before` and `after` the effect. */
  readonly phase: 'before' | 'after'
  /** Counts operations from 0. */
  readonly index: number
  readonly write?: Write
}

export interface MemoryTablesOptions {
  /** All key columns of the index: the indexed ones, then the table's own. */
  readonly indexes?: readonly { readonly table: string; readonly index: string; readonly columns: readonly string[] }[]
  /** To throw here is to die before or after the effect; to await lets a test interleave callers. */
  readonly onOperation?: (operation: TableOperation) => void | Promise<void>
}

/** The in-memory TableClient, with a look inside for tests. */
export interface MemoryTables extends TableClient {
  /** Every row of a table, in key order. */
  rows(table: string): Row[]
  /** The whole content as plain data, to compare end states. */
  dump(): Record<string, Row[]>
}

interface Entry {
  readonly key: Key
  row: Row
}

/** Tablestore as the tables use it, in a Map; held to `test/contracts/tables.ts`. */
export function memoryTables(options: MemoryTablesOptions = {}): MemoryTables {
  const store = memoryStore(options.indexes ?? [])
  let operations = 0
  let writers = 0

  async function observed<T>(operation: Omit<TableOperation, 'phase' | 'index'>, effect: () => T): Promise<T> {
    const index = operations++
    await options.onOperation?.({ ...operation, phase: 'before', index })
    const result = effect()
    await options.onOperation?.({ ...operation, phase: 'after', index })
    return result
  }

  return {
    get: (table, key) => observed({ kind: 'get', table }, () => store.find(table, key)),
    write: (write) => observed({ kind: 'write', table: write.table, write }, () => store.apply(write)),
    async writeBatch(writes) {
      checkBatch(writes)
      const results: boolean[] = []
      for (const write of writes) {
        results.push(await observed({ kind: 'writeBatch', table: write.table, write }, () => store.apply(write)))
      }
      return results
    },
    getBatch: (table, keys) => observed({ kind: 'getBatch', table }, () => keys.map((key) => store.find(table, key))),
    range: (request) => observed({ kind: 'range', table: request.table }, () => store.page(request)),
    newWriter: () => `memory:${writers++}`,
    rows: store.rows,
    dump: store.dump,
  }
}

function memoryStore(indexes: NonNullable<MemoryTablesOptions['indexes']>) {
  const tables = new Map<string, Map<string, Entry>>()
  const shapes = new Map<string, string>()

  function open(table: string, columns: readonly string[]): Map<string, Entry> {
    const shape = columns.join(', ')
    const known = shapes.get(table) ?? shape
    if (known !== shape) throw new Error(`key of ${table} is (${known}), not (${shape})`)
    shapes.set(table, shape)
    const rows = tables.get(table) ?? new Map<string, Entry>()
    tables.set(table, rows)
    return rows
  }

  function find(table: string, key: Key): Row | undefined {
    const row = open(table, columnsOf(key)).get(identity(key))?.row
    return row && { ...row }
  }

  function apply(write: Write): boolean {
    check(write)
    const rows = open(write.table, columnsOf(write.key))
    const id = identity(write.key)
    const stored = rows.get(id)?.row
    if (!holds(write.expect, stored)) return false
    if ('delete' in write) rows.delete(id)
    else rows.set(id, { key: write.key, row: written(write, stored) })
    return true
  }

  function source(request: RangeRequest): Entry[] {
    const definition = indexes.find((index) => index.index === request.table)
    if (!definition) return [...open(request.table, request.keyColumns).values()]
    const base = [...(tables.get(definition.table)?.values() ?? [])]
    return base.flatMap(({ row }) => indexEntry(row, definition.columns))
  }

  function rows(table: string): Row[] {
    const entries = [...(tables.get(table)?.values() ?? [])]
    return entries.sort((a, b) => compareKeys(a.key, b.key)).map((entry) => ({ ...entry.row }))
  }

  const dump = () => Object.fromEntries([...tables.keys()].sort().map((table) => [table, rows(table)]))
  return { find, apply, rows, dump, page: (request: RangeRequest) => pageOf(source(request), request) }
}

function pageOf(entries: readonly Entry[], request: RangeRequest): { rows: Row[]; next: Key | undefined } {
  if (request.limit !== undefined && request.limit < 1) throw new Error('limit must be at least 1')
  const sign = request.reverse ? -1 : 1
  const inRange = entries
    .filter((entry) => request.prefix.every(([column, value]) => entry.row[column] === value))
    .filter((entry) => !request.from || sign * compareKeys(entry.key, request.from) >= 0)
    .sort((a, b) => sign * compareKeys(a.key, b.key))
  const rows = inRange.slice(0, request.limit)
  return { rows: rows.map((entry) => ({ ...entry.row })), next: inRange[rows.length]?.key }
}

function written(write: Write, stored: Row | undefined): Row {
  const key = Object.fromEntries(write.key)
  if ('put' in write) return { ...key, ...write.put }
  if ('delete' in write) return key
  const kept = Object.entries(stored ?? key).filter(([column]) => !write.remove?.includes(column))
  return { ...Object.fromEntries(kept), ...write.update }
}

function holds(expect: Expect, row: Row | undefined): boolean {
  if (expect === 'any') return true
  if (expect === 'absent') return row === undefined
  if (row === undefined) return false
  return expect === 'present' || expect.every((test) => passes(test, row))
}

function passes(test: Test, row: Row): boolean {
  if (!('anyOf' in test)) return compares(test, row[test.column])
  if (test.anyOf.some((tests) => tests.length === 0) || test.anyOf.length === 0) {
    throw new Error('a condition must test something')
  }
  return test.anyOf.some((tests) => tests.every((each) => compares(each, row[each.column])))
}

function compares(test: Comparison, stored: Value | undefined): boolean {
  if (stored === undefined || typeof stored !== typeof test.value) return false
  const order = compareValues(stored, test.value)
  switch (test.op) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

function check(write: Write): void {
  const values = 'put' in write ? write.put : 'update' in write ? write.update : {}
  for (const [column, value] of [...write.key, ...Object.entries(values)]) {
    const fits = typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
    if (!fits) throw new Error(`${write.table}.${column} must be a string, a boolean or a whole number`)
  }
  const keyed = write.key.find(([column]) => column in values)
  if (keyed) throw new Error(`${write.table}.${keyed[0]} is a key column and cannot be an attribute`)
  if ('update' in write && Object.keys(values).length + (write.remove?.length ?? 0) === 0) {
    throw new Error(`an update of ${write.table} must change something`)
  }
}

function checkBatch(writes: readonly Write[]): void {
  if (writes.length > 200) throw new Error('a batch holds at most 200 writes')
  const rows = new Set(writes.map((write) => `${write.table} ${identity(write.key)}`))
  if (rows.size !== writes.length) throw new Error('a batch writes a row at most once')
}

function indexEntry(row: Row, columns: readonly string[]): Entry[] {
  const key = columns.flatMap((column) => {
    const value = row[column]
    return value === undefined || typeof value === 'boolean' ? [] : [[column, value] as const]
  })
  return key.length === columns.length ? [{ key, row: Object.fromEntries(key) }] : []
}

function compareKeys(a: Key, b: Key): number {
  for (const [position, [, value]] of a.entries()) {
    const other = b[position]
    if (!other) return 1
    const order = compareValues(value, other[1])
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Strings are ordered by their UTF-8 bytes, as the service does. */
function compareValues(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return Number(a) - Number(b)
}

function columnsOf(key: Key): string[] {
  return key.map(([column]) => column)
}

function identity(key: Key): string {
  return JSON.stringify(key.map(([, value]) => value))
}
