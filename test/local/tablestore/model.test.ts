import TableStore, { type CellValue, type PrimaryKeyInput } from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { generator } from '../generator.ts'
import { columnsOf, IGNORE, INF_MAX, INF_MIN, int, keyOf, newTable, openService } from './service.ts'

const service = await openService()
afterAll(service.close)

/** Strings whose order in bytes is not that of UTF-16, and that begin one another. */
const NAMES = ['', 'a', 'a\0', 'a\0b', 'a\x01', 'aa', 'é', '\uffee', '🎬', 'z'.repeat(1024)] as const
const NUMBERS = [-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n] as const
const COLUMNS = ['owner', 'n', 'title', 'other'] as const

type Columns = Readonly<Record<string, string | bigint>>
interface Row {
  readonly id: string
  readonly at: bigint
  readonly columns: Columns
}

function compare(a: string | bigint, b: string | bigint): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}

function inOrder(names: readonly string[], rows: readonly Record<string, string | bigint>[]) {
  return [...rows].sort((a, b) => {
    const column = names.find((name) => a[name] !== b[name])
    return column === undefined ? 0 : compare(a[column] ?? '', b[column] ?? '')
  })
}

const wire = (value: string | bigint): CellValue => (typeof value === 'bigint' ? int(value) : value)
const keyInput = ({ id, at }: Pick<Row, 'id' | 'at'>): PrimaryKeyInput => [{ id }, { at: int(at) }]
const attributes = (columns: Columns) => Object.entries(columns).map(([name, value]) => ({ [name]: wire(value) }))

/** All rows of a table or index, page after page. */
async function readAll(
  tableName: string,
  names: readonly string[],
  direction: 'FORWARD' | 'BACKWARD',
  limit: number,
  more: object,
): Promise<Record<string, unknown>[]> {
  const low = names.map((name) => ({ [name]: INF_MIN }))
  const high = names.map((name) => ({ [name]: INF_MAX }))
  let start: object[] | undefined = direction === 'FORWARD' ? low : high
  const found: Record<string, unknown>[] = []
  for (let pages = 0; start !== undefined; pages++) {
    if (pages > 1000) throw new Error('the pages have no end')
    const page: Awaited<ReturnType<typeof service.client.getRange>> = await service.client.getRange({
      tableName,
      direction: TableStore.Direction[direction],
      inclusiveStartPrimaryKey: start,
      exclusiveEndPrimaryKey: direction === 'FORWARD' ? high : low,
      limit,
      ...more,
    } as never)
    expect(page.rows.length).toBeLessThanOrEqual(limit)
    found.push(...page.rows.map((row) => ({ ...keyOf(row), ...columnsOf(row) })))
    const next = page.nextStartPrimaryKey as { name: string; value: unknown }[] | null
    start = next ? next.map(({ name, value }) => ({ [name]: value })) : undefined
  }
  return found
}

test.each([1, 2])(
  'whatever is written in random order, tables and indexes say what a map says (seed %i)',
  async (seed) => {
    const random = generator(seed * 7919)
    const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T
    const [byOwner, byNumber] = [`by_owner_${seed}`, `by_number_${seed}`]
    const table = await newTable(service, {
      tableMeta: {
        primaryKey: [
          { name: 'id', type: 'STRING' },
          { name: 'at', type: 'INTEGER' },
        ],
        definedColumn: [
          { name: 'owner', type: TableStore.DefinedColumnType.DCT_STRING },
          { name: 'n', type: TableStore.DefinedColumnType.DCT_INTEGER },
          { name: 'title', type: TableStore.DefinedColumnType.DCT_STRING },
        ],
      },
      indexMetas: [
        { name: byOwner, primaryKey: ['owner', 'n'], definedColumn: ['title'] },
        { name: byNumber, primaryKey: ['n'], definedColumn: [] },
      ],
    })
    const model = new Map<string, Row>()
    const nameOf = ({ id, at }: Pick<Row, 'id' | 'at'>) => JSON.stringify([id, String(at)])
    const randomColumns = (): Columns =>
      Object.fromEntries(
        COLUMNS.filter(() => random(3) > 0).map((name) => [name, name === 'n' ? pick(NUMBERS) : pick(NAMES)]),
      )

    /** One write and what it does to the model. */
    function randomWrite() {
      const key = { id: pick(NAMES), at: pick(NUMBERS) }
      const old = model.get(nameOf(key))
      const kind = pick(['put', 'put', 'update', 'update', 'delete'] as const)
      if (kind === 'delete')
        return { kind, key, row: undefined, params: { primaryKey: keyInput(key), condition: IGNORE } }
      const columns = randomColumns()
      if (kind === 'put') {
        const params = { primaryKey: keyInput(key), condition: IGNORE, attributeColumns: attributes(columns) }
        return { kind, key, row: { ...key, columns }, params }
      }
      const gone = COLUMNS.filter((name) => !(name in columns) && random(2) === 0)
      const changes = [
        ...(Object.keys(columns).length > 0 ? [{ PUT: attributes(columns) }] : []),
        ...(gone.length > 0 || Object.keys(columns).length === 0
          ? [{ DELETE_ALL: gone.length > 0 ? gone : ['other'] }]
          : []),
      ]
      const left = Object.fromEntries(
        Object.entries({ ...old?.columns, ...columns }).filter(
          ([name]) =>
            !(gone as readonly string[]).includes(name) &&
            (Object.keys(columns).length > 0 || gone.length > 0 || name !== 'other'),
        ),
      )
      const exists = old !== undefined || Object.keys(columns).length > 0
      const params = { primaryKey: keyInput(key), condition: IGNORE, updateOfAttributeColumns: changes }
      return { kind, key, row: exists ? { ...key, columns: left } : undefined, params }
    }

    function remember({ key, row }: ReturnType<typeof randomWrite>): void {
      if (row) model.set(nameOf(key), row)
      else model.delete(nameOf(key))
    }

    async function writeSome(): Promise<void> {
      if (random(3) === 0) {
        const rows = Array.from({ length: 1 + random(20) }, () => {
          const write = randomWrite()
          remember(write)
          const type = write.kind.toUpperCase() as 'PUT' | 'UPDATE' | 'DELETE'
          const { updateOfAttributeColumns, attributeColumns, ...rest } = {
            updateOfAttributeColumns: undefined,
            attributeColumns: undefined,
            ...write.params,
          }
          const columns = updateOfAttributeColumns ?? attributeColumns
          return { type, ...rest, ...(columns === undefined ? {} : { attributeColumns: columns }) }
        })
        const { tables } = await service.client.batchWriteRow({ tables: [{ tableName: table, rows }] } as never)
        expect(tables.flat().every(({ isOk }) => isOk)).toBe(true)
        return
      }
      const write = randomWrite()
      remember(write)
      const params = { tableName: table, ...write.params } as never
      if (write.kind === 'put') await service.client.putRow(params)
      else if (write.kind === 'update') await service.client.updateRow(params)
      else await service.client.deleteRow(params)
    }

    async function check(): Promise<void> {
      const rows = [...model.values()].map(({ id, at, columns }) => ({ ...columns, id, at }))
      const base = inOrder(['id', 'at'], rows)
      const complete = rows.filter(
        (row): row is typeof row & { owner: string; n: bigint } => 'owner' in row && 'n' in row,
      )
      const owned = inOrder(['owner', 'n', 'id', 'at'], complete).map((row) =>
        Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'other')),
      )
      const numbered = inOrder(
        ['n', 'id', 'at'],
        rows.filter((row) => 'n' in row).map((row) => ({ id: row.id, at: row.at, n: (row as { n?: bigint }).n ?? 0n })),
      )
      const limit = 1 + random(9)
      for (const direction of ['FORWARD', 'BACKWARD'] as const) {
        const turn = <T>(list: readonly T[]) => (direction === 'FORWARD' ? [...list] : [...list].reverse())
        expect(await readAll(table, ['id', 'at'], direction, limit, {})).toEqual(turn(base))
        expect(await readAll(byOwner, ['owner', 'n', 'id', 'at'], direction, limit, {})).toEqual(turn(owned))
        expect(await readAll(byNumber, ['n', 'id', 'at'], direction, limit, {})).toEqual(turn(numbered))
        const owner = pick(NAMES)
        const columnFilter = new TableStore.SingleColumnCondition(
          'owner',
          owner,
          TableStore.ComparatorType.EQUAL,
          false,
        )
        const filtered = base.filter((row) => row.owner === owner)
        expect(await readAll(table, ['id', 'at'], direction, limit, { columnFilter })).toEqual(turn(filtered))
      }
    }

    for (let round = 0; round < 6; round++) {
      await service.setIndexLag(round % 2 === 0 ? 0 : 3_600_000)
      for (let n = 0; n < 25; n++) await writeSome()
      if (round === 3) await service.restart()
      await service.setIndexLag(0)
      await check()
    }
  },
)
