import TableStore, { type GetRangeParams, type PrimaryKeyInput } from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, IGNORE, INF_MAX, INF_MIN, int, keyOf, newTable, openService, put, refused } from './service.ts'

const service = await openService()
afterAll(service.close)

const table = await newTable(service, {
  tableMeta: {
    primaryKey: [
      { name: 'p', type: 'STRING' },
      { name: 'n', type: 'INTEGER' },
    ],
  },
})
const ROWS: [string, bigint][] = [
  ['', 0n],
  ['a', -9223372036854775808n],
  ['a', -5n],
  ['a', 0n],
  ['a', 7n],
  ['a', 9223372036854775807n],
  ['a\u0000', 1n],
  ['a\u0000b', 1n],
  ['a\u0001', 1n],
  ['ab', 1n],
  ['b', 1n],
  ['é', 1n],
  ['视', 1n],
  ['𠀀', 1n],
]
for (const [p, n] of [...ROWS].reverse()) await put(service, table, [{ p }, { n: int(n) }], { v: `${p}/${n}` })

const at = (p: unknown, n: unknown) => [{ p }, { n: typeof n === 'bigint' ? int(n) : n }] as PrimaryKeyInput
const LOWEST = at(INF_MIN, INF_MIN)
const HIGHEST = at(INF_MAX, INF_MAX)

function range(start: PrimaryKeyInput, end: PrimaryKeyInput, more: Partial<GetRangeParams> = {}) {
  const direction = TableStore.Direction.FORWARD
  return service.client.getRange({
    tableName: table,
    direction,
    inclusiveStartPrimaryKey: start,
    exclusiveEndPrimaryKey: end,
    ...more,
  })
}
const found = (rows: TableStore.Row[]) => rows.map(keyOf).map(({ p, n }) => [p, n])
const BACKWARD = { direction: TableStore.Direction.BACKWARD }

test('a whole table comes in the order of its keys: strings by byte, integers by value', async () => {
  const { rows, nextStartPrimaryKey } = await range(LOWEST, HIGHEST)
  expect(found(rows)).toEqual(ROWS)
  expect(nextStartPrimaryKey).toBeNull()
  expect(columnsOf(rows[2])).toEqual({ v: 'a/-5' })
})

test('and in the opposite order backwards', async () => {
  const { rows } = await range(HIGHEST, LOWEST, BACKWARD)
  expect(found(rows)).toEqual([...ROWS].reverse())
})

test.each<[string, PrimaryKeyInput, PrimaryKeyInput, object, number, number]>([
  ['one partition', at('a', INF_MIN), at('a', INF_MAX), {}, 1, 6],
  ['from a key that is there to one that is not', at('a', -5n), at('a', 8n), {}, 2, 5],
  ['up to, without, its end', at('a', -5n), at('a', 7n), {}, 2, 4],
  ['between two partitions', at('a', INF_MAX), at('b', INF_MIN), {}, 6, 10],
])('a range of %s', async (_, start, end, more, from, to) => {
  expect(found((await range(start, end, more)).rows)).toEqual(ROWS.slice(from, to))
})

test('a backward range has its start and lacks its end', async () => {
  expect(found((await range(at('a', 7n), at('a', -5n), BACKWARD)).rows)).toEqual([ROWS[4], ROWS[3]])
  expect(found((await range(at('a', INF_MAX), at('a', INF_MIN), BACKWARD)).rows)).toEqual(ROWS.slice(1, 6).reverse())
})

test.each([
  ['forward', {}, LOWEST, HIGHEST, ROWS],
  ['backward', BACKWARD, HIGHEST, LOWEST, [...ROWS].reverse()],
])('pages follow each other %s without loss or repetition', async (_, more, start, end, expected) => {
  const seen: unknown[] = []
  const sizes: number[] = []
  let from: PrimaryKeyInput | undefined = start
  while (from) {
    const page: TableStore.GetRangeResult = await range(from, end, { ...more, limit: 3 })
    seen.push(...found(page.rows))
    sizes.push(page.rows.length)
    from = page.nextStartPrimaryKey?.map(({ name, value }) => ({ [name]: value }))
  }
  expect(seen).toEqual(expected)
  expect(sizes).toEqual([3, 3, 3, 3, 2])
})

test('a page that ends with the range has no continuation', async () => {
  const { nextStartPrimaryKey } = await range(LOWEST, HIGHEST, { limit: ROWS.length })
  expect(nextStartPrimaryKey).toBeNull()
})

test('columns and a filter narrow what is returned, and the filter sees only those columns', async () => {
  const equal = (column: string, value: string) =>
    new TableStore.SingleColumnCondition(column, value, TableStore.ComparatorType.EQUAL, false)
  const columnFilter = equal('v', 'ab/1')
  expect(found((await range(LOWEST, HIGHEST, { columnFilter })).rows)).toEqual([['ab', 1n]])
  expect((await range(LOWEST, HIGHEST, { columnFilter, columnsToGet: ['p'] })).rows).toEqual([])
  expect((await range(LOWEST, HIGHEST, { columnsToGet: ['nothing'] })).rows).toEqual([])
})

test('a filter may be on a column of the key', async () => {
  const below = (n: bigint) =>
    new TableStore.SingleColumnCondition('n', int(n), TableStore.ComparatorType.LESS_THAN, true)
  const all = found((await range(LOWEST, HIGHEST)).rows)
  const expected = all.filter(([, n]) => (n as bigint) < 1n)
  expect(expected.length).toBeLessThan(all.length)
  expect(found((await range(LOWEST, HIGHEST, { columnFilter: below(1n) })).rows)).toEqual(expected)
  expect((await range(LOWEST, HIGHEST, { columnFilter: below(-(2n ** 63n)) })).rows).toEqual([])
})

test('a page filter keeps some columns of each row', async () => {
  const wide = await newTable(service)
  await put(service, wide, [{ id: 'x' }], { a: '1', b: '2', c: '3', d: '4' })
  const { row } = await service.client.getRow({
    tableName: wide,
    primaryKey: [{ id: 'x' }],
    columnFilter: new TableStore.ColumnPaginationFilter(2, 1),
  })
  expect(columnsOf(row)).toEqual({ b: '2', c: '3' })
})

test.each<[string, PrimaryKeyInput, PrimaryKeyInput, object, string]>([
  ['upside down', HIGHEST, LOWEST, {}, 'Begin key must less than end key in FORWARD'],
  ['upside down backward', LOWEST, HIGHEST, BACKWARD, 'Begin key must more than end key in BACKWARD'],
  ['of nothing', at('a', 1n), at('a', 1n), {}, 'Begin key must less than end key in FORWARD'],
  ['with a limit below one', LOWEST, HIGHEST, { limit: -1 }, 'limit must be greater than 0'],
])('a range %s is refused', async (_, start, end, more, message) => {
  await expect(range(start, end, more)).rejects.toMatchObject(refused('OTSParameterInvalid', message))
})

test('33 conditions in one filter are too many, with the one that combines them', async () => {
  const columnFilter = new TableStore.CompositeCondition(TableStore.LogicalOperator.AND)
  for (let count = 0; count < 32; count++) {
    columnFilter.addSubCondition(new TableStore.SingleColumnCondition('v', 'x', TableStore.ComparatorType.EQUAL))
  }
  await expect(range(LOWEST, HIGHEST, { columnFilter })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'count of filter exceeds'),
  )
})

test('a call returns at most 5000 rows, and scans no more for a filter that nothing passes', async () => {
  const many = await newTable(service, { tableMeta: { primaryKey: [{ name: 'n', type: 'INTEGER' }] } })
  for (let start = 0; start < 5200; start += 200) {
    const rows = Array.from({ length: 200 }, (_, offset) => ({
      type: 'PUT' as const,
      primaryKey: [{ n: int(start + offset) }],
      condition: IGNORE,
      attributeColumns: [{ a: 'a' }],
    }))
    await service.client.batchWriteRow({ tables: [{ tableName: many, rows }] })
  }
  const exclusiveEndPrimaryKey: PrimaryKeyInput = [{ n: INF_MAX }]
  const all = { tableName: many, direction: TableStore.Direction.FORWARD, exclusiveEndPrimaryKey }
  const first = await service.client.getRange({ ...all, inclusiveStartPrimaryKey: [{ n: INF_MIN }] })
  expect(first.rows).toHaveLength(5000)
  expect(String(first.nextStartPrimaryKey?.[0]?.value)).toBe('5000')
  const rest = await service.client.getRange({ ...all, inclusiveStartPrimaryKey: [{ n: int(5000) }] })
  expect(rest.rows).toHaveLength(200)
  const none = await service.client.getRange({
    ...all,
    inclusiveStartPrimaryKey: [{ n: INF_MIN }],
    columnFilter: new TableStore.SingleColumnCondition('a', 'b', TableStore.ComparatorType.EQUAL, false),
  })
  expect(none.rows).toEqual([])
  expect(String(none.nextStartPrimaryKey?.[0]?.value)).toBe('5000')
})

test('a call returns at most 4 MB', async () => {
  const big = await newTable(service)
  for (let count = 0; count < 6; count++) await put(service, big, [{ id: `${count}` }], { a: 'a'.repeat(1_000_000) })
  const { rows, nextStartPrimaryKey } = await service.client.getRange({
    tableName: big,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ id: INF_MAX }],
  })
  expect(rows).toHaveLength(4)
  expect(nextStartPrimaryKey).toEqual([{ name: 'id', value: '4' }])
})
