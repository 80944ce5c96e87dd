import TableStore, { type CellValue, type PrimaryKeyInput } from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import {
  ABSENT,
  columnsOf,
  EXIST,
  get,
  IGNORE,
  INF_MIN,
  int,
  keyOf,
  newTable,
  openService,
  put,
  refused,
  where,
} from './service.ts'

const service = await openService()
afterAll(service.close)
const table = await newTable(service)
let next = 0
const newKey = () => [{ id: `row-${next++}` }]

test('every type comes back as it was written', async () => {
  const key = newKey()
  const columns = { text: '视频 \u0000 end', bytes: Buffer.from([0, 1, 255]), yes: true, no: false, half: 0.5 }
  await put(service, table, key, { ...columns, whole: int(7) })
  expect(await get(service, table, key)).toEqual({ ...columns, whole: 7n })
})

test.each([
  ['the largest integer', 9223372036854775807n],
  ['the smallest integer', -9223372036854775808n],
  ['an integer beyond doubles', 9007199254740993n],
  ['minus one', -1n],
])('%s keeps every bit, as a value and as a key', async (_, value) => {
  const numbers = await newTable(service, { tableMeta: { primaryKey: [{ name: 'n', type: 'INTEGER' }] } })
  await put(service, numbers, [{ n: int(value) }], { v: int(value) })
  const { row } = await service.client.getRow({ tableName: numbers, primaryKey: [{ n: int(value) }] })
  expect(keyOf(row)).toEqual({ n: value })
  expect(await get(service, numbers, [{ n: int(value) }])).toEqual({ v: value })
  expect(await get(service, numbers, [{ n: int(value - (value < 0n ? -1n : 1n)) }])).toBeUndefined()
})

test('a missing row is an empty answer', async () => {
  const { row, consumed } = await service.client.getRow({ tableName: table, primaryKey: newKey() })
  expect(row).toEqual({})
  expect(consumed.capacityUnit).toMatchObject({ read: 1, write: 0 })
})

test('a put replaces the whole row, an update merges into it', async () => {
  const key = newKey()
  await put(service, table, key, { a: 'a', b: 'b' })
  await put(service, table, key, { b: 'B', c: 'c' })
  expect(await get(service, table, key)).toEqual({ b: 'B', c: 'c' })
  await service.client.updateRow({
    tableName: table,
    primaryKey: key,
    condition: IGNORE,
    updateOfAttributeColumns: [{ PUT: [{ d: 'd' }, { c: 'C' }] }, { DELETE_ALL: ['b'] }],
  })
  expect(await get(service, table, key)).toEqual({ c: 'C', d: 'd' })
})

test('a row without attribute columns is a row', async () => {
  const key = newKey()
  await put(service, table, key, {})
  expect(await get(service, table, key)).toEqual({})
  await expect(put(service, table, key, {}, ABSENT)).rejects.toMatchObject(refused('OTSConditionCheckFail'))
})

test('deleting every column leaves the row, deleting columns of no row makes none', async () => {
  const [key, other] = [newKey(), newKey()]
  await put(service, table, key, { a: 'a' })
  for (const primaryKey of [key, other]) {
    await service.client.updateRow({
      tableName: table,
      primaryKey,
      condition: IGNORE,
      updateOfAttributeColumns: [{ DELETE_ALL: ['a'] }],
    })
  }
  expect(await get(service, table, key)).toEqual({})
  expect(await get(service, table, other)).toBeUndefined()
})

test('a deleted row is gone', async () => {
  const key = newKey()
  await put(service, table, key, { a: 'a' })
  await service.client.deleteRow({ tableName: table, primaryKey: key, condition: EXIST })
  expect(await get(service, table, key)).toBeUndefined()
  await expect(service.client.deleteRow({ tableName: table, primaryKey: key, condition: EXIST })).rejects.toMatchObject(
    refused('OTSConditionCheckFail', 'Condition check failed'),
  )
})

test('only the wanted columns are read, and a row with none of them is not there', async () => {
  const key = newKey()
  await put(service, table, key, { a: 'a', b: 'b', c: 'c', d: 'd' })
  expect(await get(service, table, key, { columnsToGet: ['a', 'z'] })).toEqual({ a: 'a' })
  expect(await get(service, table, key, { columnsToGet: ['z'] })).toBeUndefined()
  expect(await get(service, table, key, { columnsToGet: ['id'] })).toEqual({})
  expect(await get(service, table, key, { startColumn: 'b', endColumn: 'd' })).toEqual({ b: 'b', c: 'c' })
})

test('the old versions of a column are kept up to the limit and can be deleted one by one', async () => {
  const versions = await newTable(service, { tableOptions: { maxVersions: 2 } })
  const start = Date.now()
  for (const at of [0, 1, 2]) {
    await service.client.updateRow({
      tableName: versions,
      primaryKey: [{ id: 'x' }],
      condition: IGNORE,
      updateOfAttributeColumns: [{ PUT: [{ a: `v${at}`, timestamp: start + at }] }],
    })
  }
  const read = async (more = {}) =>
    (await service.client.getRow({ tableName: versions, primaryKey: [{ id: 'x' }], maxVersions: 9, ...more })).row
      ?.attributes
  expect((await read())?.map((cell) => [cell.columnValue, Number(String(cell.timestamp))])).toEqual([
    ['v2', start + 2],
    ['v1', start + 1],
  ])
  expect(await read({ maxVersions: 1 })).toMatchObject([{ columnValue: 'v2' }])
  expect(await read({ timeRange: { startTime: start, endTime: start + 2 } })).toMatchObject([{ columnValue: 'v1' }])
  await service.client.updateRow({
    tableName: versions,
    primaryKey: [{ id: 'x' }],
    condition: IGNORE,
    updateOfAttributeColumns: [{ DELETE: [{ a: (start + 2) as never }] }],
  })
  expect(await read()).toMatchObject([{ columnValue: 'v1' }])
})

test('a timestamp further from the clock than the table allows is refused', async () => {
  const attributeColumns = [{ a: 'a', timestamp: Date.now() - 2 * 86_400_000 }]
  await expect(
    service.client.putRow({ tableName: table, primaryKey: newKey(), condition: IGNORE, attributeColumns }),
  ).rejects.toMatchObject(refused('OTSParameterInvalid', 'Invalid timestamp'))
})

test('the written key and the changed columns come back on request', async () => {
  const key = newKey()
  const { row } = await service.client.putRow({
    tableName: table,
    primaryKey: key,
    condition: IGNORE,
    attributeColumns: [{ a: 'a' }],
    returnContent: { returnType: TableStore.ReturnType.Primarykey },
  })
  expect(row).toMatchObject({ primaryKey: [{ name: 'id', value: key[0]?.id }], attributes: [] })
  const updated = await service.client.updateRow({
    tableName: table,
    primaryKey: key,
    condition: IGNORE,
    updateOfAttributeColumns: [{ PUT: [{ b: 'b' }, { c: 'c' }] }],
    returnContent: { returnType: TableStore.ReturnType.AfterModify, returnColumns: ['b'] },
  })
  expect(updated.row?.attributes).toMatchObject([{ columnName: 'b', columnValue: 'b' }])
})

test.each([
  ['a row that must exist and does not', EXIST, false],
  ['a row that must not exist and does', ABSENT, true],
  ['a column of another value', where('v', 'two'), true],
  ['a missing column that must be there', where('w', 'one'), true],
  ['a missing row whose column must be there', where('v', 'one'), false],
  ['a DOUBLE compared with a stored INTEGER', where('n', 1), true],
  ['a DOUBLE that must differ from a stored INTEGER', where('n', 2, TableStore.ComparatorType.NOT_EQUAL), true],
  ['a larger number', where('n', int(1), TableStore.ComparatorType.GREATER_THAN), true],
  ['a smaller string', where('v', 'one', TableStore.ComparatorType.LESS_THAN), true],
])('a write on condition of %s fails and changes nothing', async (_, condition, present) => {
  const key = newKey()
  const columns = { v: 'one', n: int(1) }
  if (present) await put(service, table, key, columns)
  await expect(put(service, table, key, { v: 'written' }, condition)).rejects.toMatchObject(
    refused('OTSConditionCheckFail', 'Condition check failed'),
  )
  expect(await get(service, table, key)).toEqual(present ? { v: 'one', n: 1n } : undefined)
})

const single = (column: string, value: string) =>
  new TableStore.SingleColumnCondition(column, value, TableStore.ComparatorType.EQUAL, false)
const both = (kind: 1 | 2 | 3, ...parts: TableStore.ColumnCondition[]) => {
  const composite = new TableStore.CompositeCondition(kind)
  for (const part of parts) composite.addSubCondition(part)
  return composite
}
const { AND, NOT, OR } = TableStore.LogicalOperator

test.each([
  ['equal strings', single('v', 'one')],
  ['a missing column that may be missing', where('w', 'x', TableStore.ComparatorType.EQUAL, true).columnCondition],
  ['both of two', both(AND, single('v', 'one'), single('u', 'two'))],
  ['one of two', both(OR, single('v', 'no'), single('u', 'two'))],
  ['not one', both(NOT, single('v', 'no'))],
  ['a tree', both(AND, single('v', 'one'), both(NOT, both(OR, single('u', 'no'), single('v', 'no'))))],
  ['three at once', both(AND, single('v', 'one'), single('u', 'two'), both(NOT, single('u', 'one')))],
])('a write on condition of %s takes effect', async (_, condition) => {
  const key = newKey()
  await put(service, table, key, { v: 'one', u: 'two' })
  await put(service, table, key, { v: 'written' }, new TableStore.Condition(0, condition))
  expect(await get(service, table, key)).toEqual({ v: 'written' })
})

test('a condition may look at every version', async () => {
  const versions = await newTable(service, { tableOptions: { maxVersions: 5 } })
  const start = Date.now()
  const attributeColumns = [
    { a: 'old', timestamp: start },
    { a: 'new', timestamp: start + 1 },
  ]
  const write = (latestOnly: boolean) =>
    service.client.updateRow({
      tableName: versions,
      primaryKey: [{ id: 'x' }],
      condition: new TableStore.Condition(
        0,
        new TableStore.SingleColumnCondition('a', 'old', TableStore.ComparatorType.EQUAL, false, latestOnly),
      ),
      updateOfAttributeColumns: [{ PUT: [{ b: 'b' }] }],
    })
  await service.client.putRow({ tableName: versions, primaryKey: [{ id: 'x' }], condition: IGNORE, attributeColumns })
  await expect(write(true)).rejects.toMatchObject(refused('OTSConditionCheckFail'))
  await write(false)
})

test('of fifty writers that expect the same, exactly one wins', async () => {
  const key = newKey()
  await put(service, table, key, { version: int(1), writer: 'nobody' })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, (_, writer) =>
      service.client.updateRow({
        tableName: table,
        primaryKey: key,
        condition: where('version', int(1)),
        updateOfAttributeColumns: [{ PUT: [{ version: int(2) }, { writer: `writer-${writer}` }] }],
      }),
    ),
  )
  const winners = outcomes.flatMap((outcome, writer) => (outcome.status === 'fulfilled' ? [`writer-${writer}`] : []))
  expect(winners).toHaveLength(1)
  expect(await get(service, table, key)).toEqual({ version: 2n, writer: winners[0] })
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refused('OTSConditionCheckFail'))
  }
})

test('of fifty writers that expect no row, exactly one makes it', async () => {
  const key = newKey()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, (_, writer) => put(service, table, key, { writer: int(writer) }, ABSENT)),
  )
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
})

test.each<[string, PrimaryKeyInput, string]>([
  ['a key of another name', [{ other: 'x' }], 'Validate PK name fail. Input: other, Meta: id'],
  ['a key of another type', [{ id: int(1) }], 'Validate PK type fail. Input: VT_INTEGER, Meta: VT_STRING'],
  ['a key with a column too many', [{ id: 'x' }, { more: 'y' }], 'Validate PK size fail. Input: 2, Meta: 1'],
])('%s is OTSInvalidPK for reads and writes', async (_, key, message) => {
  await expect(get(service, table, key)).rejects.toMatchObject(refused('OTSInvalidPK', message))
  await expect(put(service, table, key, { a: 'a' })).rejects.toMatchObject(refused('OTSInvalidPK', message))
})

test.each<[string, PrimaryKeyInput, Record<string, CellValue>, string]>([
  ['a key over 1 KB', [{ id: 'x'.repeat(1025) }], { a: 'a' }, 'exceeds the MaxLength:1024 with CurrentLength:1025.'],
  ['a value over 2 MB', [{ id: 'x' }], { a: 'a'.repeat(2 * 1024 * 1024 + 1) }, 'length of attribute column'],
  ['a column named as the key', [{ id: 'x' }], { id: 'a' }, 'Duplicated attribute column name with primary key'],
  ['a bound as a key', [{ id: INF_MIN }], { a: 'a' }, 'VT_INF_MIN is an invalid type for the primary key.'],
  ['no key', [], { a: 'a' }, 'number of primary key columns must be in range: .1, 4.'],
  ['a column without a name', [{ id: 'x' }], { '': 'a' }, "Invalid column name: ''"],
  ['a column whose name begins with #', [{ id: 'x' }], { '#a': 'a' }, "Invalid column name: '#a'"],
  ['a column with a name over 255 bytes', [{ id: 'x' }], { ['a'.repeat(256)]: 'a' }, 'Invalid column name'],
  ['a column that is not a number', [{ id: 'x' }], { a: Number.NaN }, "NaN can't be set"],
  ['an infinite column', [{ id: 'x' }], { a: Number.POSITIVE_INFINITY }, "Infinity can't be set"],
  [
    'more than 1024 columns',
    [{ id: 'x' }],
    Object.fromEntries(Array.from({ length: 1025 }, (_, at) => [`c${at}`, 'v'])),
    'number of attribute columns',
  ],
])('a row with %s is refused', async (_, key, columns, message) => {
  await expect(put(service, table, key, columns)).rejects.toMatchObject(refused('OTSParameterInvalid', message))
})

test('what is just within the limits is accepted', async () => {
  const key = [{ id: 'x'.repeat(1024) }]
  await put(service, table, key, { a: 'a'.repeat(2 * 1024 * 1024) })
  expect((await get(service, table, key))?.a).toHaveLength(2 * 1024 * 1024)
  await put(service, table, key, Object.fromEntries(Array.from({ length: 1024 }, (_, at) => [`c${at}`, 'v'])))
  expect(Object.keys((await get(service, table, key)) ?? {})).toHaveLength(1024)
})

test.each(['.', ':', "'", '"', '$', '&', '*', '(', ')', '/', '\\', '\n', '\r', ' ', '0', 'a-b'])(
  'a column may be named %j',
  async (name) => {
    const key = newKey()
    await put(service, table, key, { [name]: 'a' })
    expect(await get(service, table, key, { columnsToGet: [name] })).toEqual({ [name]: 'a' })
  },
)

test('two versions written within a millisecond are two', async () => {
  const versions = await newTable(service, { tableOptions: { maxVersions: 100 } })
  for (let count = 0; count < 20; count++) {
    await service.client.updateRow({
      tableName: versions,
      primaryKey: [{ id: 'x' }],
      condition: IGNORE,
      updateOfAttributeColumns: [{ PUT: [{ a: int(count) }] }],
    })
  }
  const { row } = await service.client.getRow({ tableName: versions, primaryKey: [{ id: 'x' }], maxVersions: 100 })
  expect(row?.attributes?.map(({ columnValue }) => Number(String(columnValue)))).toEqual(
    Array.from({ length: 20 }, (_, at) => 19 - at),
  )
})

test('a row whose versions are all outside the wanted time is there without any, unless columns are named', async () => {
  const key = newKey()
  await put(service, table, key, { a: 'a' })
  const timeRange = { startTime: 1, endTime: 2 }
  expect(await get(service, table, key, { timeRange })).toEqual({})
  expect(await get(service, table, key, { timeRange, columnsToGet: ['a'] })).toBeUndefined()
})

test('the first and the last timestamp are kept exactly, one more is refused', async () => {
  const wide = await newTable(service, { tableOptions: { maxTimeDeviation: 9_223_372_036_854 } as never })
  const last = 9_223_372_036_854_774n
  const write = (timestamp: bigint) =>
    service.client.putRow({
      tableName: wide,
      primaryKey: [{ id: 'x' }],
      condition: IGNORE,
      attributeColumns: [{ a: 'a', timestamp: int(timestamp) as never }],
    })
  for (const timestamp of [0n, last]) {
    await write(timestamp)
    const { row } = await service.client.getRow({ tableName: wide, primaryKey: [{ id: 'x' }], maxVersions: 1 })
    expect(BigInt(String(row?.attributes?.[0]?.timestamp))).toBe(timestamp)
  }
  await expect(write(last + 1n)).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'Timestamp must be in range .0, INT64_MAX/1000.'),
  )
})

test('1024 columns can be asked for by name, one more is refused', async () => {
  const columns = Array.from({ length: 1024 }, (_, at) => `c${at}`)
  const key = newKey()
  await put(service, table, key, Object.fromEntries(columns.map((name) => [name, 'v'])))
  const found = await get(service, table, key, { columnsToGet: columns })
  expect(Object.keys(found ?? {})).toHaveLength(1024)
  await expect(get(service, table, key, { columnsToGet: [...columns, 'more'] })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'exceeds the limit, limit count: 1024, column count: 1025'),
  )
})

test('the longest keys are written, read and ordered, also where they begin the same', async () => {
  const names = ['a', 'b', 'c', 'd']
  const wide = await newTable(service, { tableMeta: { primaryKey: names.map((name) => ({ name, type: 'STRING' })) } })
  const keyOf = (last: string) => names.map((name) => ({ [name]: name === 'd' ? last : 'x'.repeat(1024) }))
  const lasts = ['', 'x', ...['a', 'b', 'm', 'z'].map((end) => 'x'.repeat(1023) + end), `${'x'.repeat(1000)}`, 'y']
  for (const last of lasts) await put(service, wide, keyOf(last), { v: last })
  for (const last of lasts) expect(await get(service, wide, keyOf(last))).toEqual({ v: last })
  const read = async (from: string, to: string, direction: 'FORWARD' | 'BACKWARD') => {
    const { rows } = await service.client.getRange({
      tableName: wide,
      direction: TableStore.Direction[direction],
      inclusiveStartPrimaryKey: keyOf(from),
      exclusiveEndPrimaryKey: keyOf(to),
    })
    return rows.map((row) => columnsOf(row)?.v)
  }
  const sorted = [...lasts].sort()
  expect(await read('', 'z', 'FORWARD')).toEqual(sorted)
  expect(await read('z', '', 'BACKWARD')).toEqual(sorted.slice(1).reverse())
  const [low, high] = [`${'x'.repeat(1023)}b`, `${'x'.repeat(1023)}z`]
  expect(await read(low, high, 'FORWARD')).toEqual(sorted.filter((last) => last >= low && last < high))
  expect(await read(high, low, 'BACKWARD')).toEqual(sorted.filter((last) => last > low && last <= high).reverse())
  await service.client.deleteRow({ tableName: wide, primaryKey: keyOf(low), condition: EXIST })
  expect(await get(service, wide, keyOf(low))).toBeUndefined()
})
