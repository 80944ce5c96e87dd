import TableStore from 'tablestore'
import type { Clients } from './killed-cloud.ts'
import type { Random } from './random.ts'

export const TABLE = 'films'
export const INDEX = 'films_by_owner'

/** What is written to a row: everything in it follows from one number; `undefined` removes it. */
export type Version = number | undefined

export interface RowState {
  /** By the last answer. */
  known: Version
  /** By a request that was not answered. */
  perhaps: Version
}

/** One request: a row, or several in a batch. */
export type Request = readonly { readonly id: string; readonly version: Version }[]

/** The writes of one client, in their order; no two clients write the same row. */
export interface Lane {
  readonly requests: readonly Request[]
  at: number
}

export interface Rows {
  readonly lanes: readonly Lane[]
  readonly states: Map<string, RowState>
}

/** So many writes to fewer rows, a third of them in batches; some rows are removed again. */
export function rowsOf(random: Random, writes: number): Rows {
  const states = new Map<string, RowState>()
  let version = 0
  const lanes = Array.from({ length: 8 }, (_, lane) => {
    const requests: Request[] = []
    for (let left = writes / 8; left > 0; ) {
      const size = Math.min(left, random.next() < 0.05 ? random.between(5, 40) : 1)
      const ids = new Set(Array.from({ length: size }, () => `${lane}-${random.between(1, 150)}`))
      requests.push(
        [...ids].map((id) => {
          version += 1
          states.set(id, { known: undefined, perhaps: undefined })
          return { id, version: random.next() < 0.1 ? undefined : version }
        }),
      )
      left -= ids.size
    }
    return { requests, at: 0 }
  })
  return { lanes, states }
}

export async function makeTable(tables: Clients['tables']): Promise<void> {
  await tables.createTable({
    tableMeta: {
      tableName: TABLE,
      primaryKey: [{ name: 'id', type: TableStore.PrimaryKeyType.STRING }],
      definedColumn: [
        { name: 'owner', type: TableStore.DefinedColumnType.DCT_STRING },
        { name: 'version', type: TableStore.DefinedColumnType.DCT_INTEGER },
      ],
    },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive: -1, maxVersions: 1 },
    indexMetas: [{ name: INDEX, primaryKey: ['owner'], definedColumn: ['version'] }],
  })
}

/** The columns of a version; the text is long enough to be torn, if anything could tear it. */
export function columnsOf(version: number) {
  return { owner: `owner-${version % 7}`, version, text: `${version} `.repeat(100) }
}

/** Goes on with a client's writes to their end, or until the cloud is gone. */
export async function goOn(
  lane: Lane,
  { states }: Rows,
  tables: Clients['tables'],
  answered: () => void,
): Promise<void> {
  for (;;) {
    const request = lane.requests[lane.at]
    if (!request) return
    const written = request.map(({ id, version }) => ({ state: states.get(id), version }))
    for (const { state, version } of written) if (state) state.perhaps = version
    await send(request, tables)
    for (const { state, version } of written) if (state) state.known = version
    lane.at += 1
    answered()
  }
}

const anyway = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)

async function send(request: Request, tables: Clients['tables']): Promise<void> {
  const [first] = request
  if (first && request.length === 1) return sendOne(first, tables)
  const rows = request.map(({ id, version }) => ({
    type: version === undefined ? 'DELETE' : 'PUT',
    condition: anyway,
    primaryKey: [{ id }],
    ...(version === undefined ? {} : { attributeColumns: attributesOf(version) }),
  }))
  const answer = await tables.batchWriteRow({ tables: [{ tableName: TABLE, rows }] } as never)
  const refused = (answer as unknown as { tables: { isOk: boolean }[] }).tables.some(({ isOk }) => !isOk)
  if (refused) throw new Error('a row of a batch was refused')
}

async function sendOne({ id, version }: Request[number], tables: Clients['tables']): Promise<void> {
  const row = { tableName: TABLE, condition: anyway, primaryKey: [{ id }] }
  if (version === undefined) await tables.deleteRow(row)
  else await tables.putRow({ ...row, attributeColumns: attributesOf(version) })
}

function attributesOf(version: number) {
  const { owner, version: number, text } = columnsOf(version)
  return [{ owner }, { version: TableStore.Long.fromNumber(number) }, { text }]
}

/** Every row of a table or an index, as plain values. */
export async function allRows(tables: Clients['tables'], tableName: string, keys: readonly string[]) {
  const found: Record<string, string | number>[] = []
  const bound = (value: unknown) => keys.map((key) => ({ [key]: value }))
  let start: object[] | undefined = bound(TableStore.INF_MIN)
  while (start) {
    const page = await tables.getRange({
      tableName,
      direction: TableStore.Direction.FORWARD,
      inclusiveStartPrimaryKey: start as never,
      exclusiveEndPrimaryKey: bound(TableStore.INF_MAX) as never,
    })
    for (const row of page.rows) {
      const cells = [...(row.primaryKey ?? []), ...(row.attributes ?? [])] as { name?: string; columnName?: string }[]
      found.push(Object.fromEntries(cells.map(namedValue)))
    }
    const next = page.nextStartPrimaryKey as { name: string; value: unknown }[] | null
    start = next?.length ? next.map(({ name, value }) => ({ [name]: value })) : undefined
  }
  return found
}

function namedValue(cell: object): [string, string | number] {
  const { name, columnName, value, columnValue } = cell as Record<string, unknown>
  const found = value ?? columnValue
  return [String(name ?? columnName), typeof found === 'string' ? found : Number(found)]
}
