import TableStore, { type PrimaryKeyInput } from 'tablestore'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import {
  columnsOf,
  field,
  get,
  IGNORE,
  INF_MAX,
  INF_MIN,
  int,
  keyOf,
  newTable,
  openService,
  put,
  refused,
  tableParams,
} from './service.ts'

const service = await openService()
afterAll(service.close)

const DEFINED = [
  { name: 'owner', type: TableStore.DefinedColumnType.DCT_STRING },
  { name: 'listed_at', type: TableStore.DefinedColumnType.DCT_INTEGER },
  { name: 'title', type: TableStore.DefinedColumnType.DCT_STRING },
  { name: 'score', type: TableStore.DefinedColumnType.DCT_DOUBLE },
]
let count = 0

/** A table with one index over owner and listed_at that covers the title. */
async function indexed() {
  const index = `by_owner_${count++}`
  const name = await newTable(service, {
    tableMeta: { definedColumn: DEFINED },
    indexMetas: [{ name: index, primaryKey: ['owner', 'listed_at'], definedColumn: ['title'] }],
  })
  return { name, index }
}

async function entries(index: string, direction: 'FORWARD' | 'BACKWARD' = 'FORWARD') {
  const low: PrimaryKeyInput = [{ owner: INF_MIN }, { listed_at: INF_MIN }, { id: INF_MIN }]
  const high: PrimaryKeyInput = [{ owner: INF_MAX }, { listed_at: INF_MAX }, { id: INF_MAX }]
  const { rows } = await service.client.getRange({
    tableName: index,
    direction,
    inclusiveStartPrimaryKey: direction === 'FORWARD' ? low : high,
    exclusiveEndPrimaryKey: direction === 'FORWARD' ? high : low,
  })
  return rows.map((row) => ({ ...keyOf(row), ...columnsOf(row) }))
}

const update = (tableName: string, id: string, updateOfAttributeColumns: object[]) =>
  service.client.updateRow({ tableName, primaryKey: [{ id }], condition: IGNORE, updateOfAttributeColumns })

test('a row is in the index once every index column exists, under its own key with the covered columns', async () => {
  const { name, index } = await indexed()
  await put(service, name, [{ id: 'v1' }], { owner: 'ann', title: 'one', other: 'not covered' })
  expect(await entries(index)).toEqual([])
  await update(name, 'v1', [{ PUT: [{ listed_at: int(10) }] }])
  expect(await entries(index)).toEqual([{ owner: 'ann', listed_at: 10n, id: 'v1', title: 'one' }])
  expect(await get(service, index, [{ owner: 'ann' }, { listed_at: int(10) }, { id: 'v1' }])).toEqual({ title: 'one' })
})

test('it is found by batches and comes in the order of the index, both ways', async () => {
  const { name, index } = await indexed()
  await put(service, name, [{ id: 'a' }], { owner: 'bob', listed_at: int(2), title: 'x' })
  await put(service, name, [{ id: 'b' }], { owner: 'ann', listed_at: int(3), title: 'y' })
  await put(service, name, [{ id: 'c' }], { owner: 'ann', listed_at: int(-1), title: 'z' })
  expect((await entries(index)).map((entry) => entry.id)).toEqual(['c', 'b', 'a'])
  expect((await entries(index, 'BACKWARD')).map((entry) => entry.id)).toEqual(['a', 'b', 'c'])
  const { tables } = await service.client.batchGetRow({
    tables: [{ tableName: index, primaryKey: [[{ owner: 'bob' }, { listed_at: int(2) }, { id: 'a' }]] }],
  })
  expect(columnsOf(tables[0]?.[0])).toEqual({ title: 'x' })
})

test('it moves when an index column changes and follows covered columns', async () => {
  const { name, index } = await indexed()
  await put(service, name, [{ id: 'v' }], { owner: 'ann', listed_at: int(1), title: 'before' })
  await update(name, 'v', [{ PUT: [{ listed_at: int(2) }] }, { PUT: [{ title: 'after' }] }])
  expect(await entries(index)).toEqual([{ owner: 'ann', listed_at: 2n, id: 'v', title: 'after' }])
  await update(name, 'v', [{ DELETE_ALL: ['title'] }])
  expect(await entries(index)).toEqual([{ owner: 'ann', listed_at: 2n, id: 'v' }])
})

test.each([
  ['an index column is deleted', (name: string) => update(name, 'v', [{ DELETE_ALL: ['listed_at'] }])],
  ['the row is put again without it', (name: string) => put(service, name, [{ id: 'v' }], { owner: 'ann' })],
  [
    'the row is deleted',
    (name: string) => service.client.deleteRow({ tableName: name, primaryKey: [{ id: 'v' }], condition: IGNORE }),
  ],
  [
    'the row is deleted in a batch',
    (name: string) =>
      service.client.batchWriteRow({
        tables: [{ tableName: name, rows: [{ type: 'DELETE', primaryKey: [{ id: 'v' }], condition: IGNORE }] }],
      }),
  ],
])('it leaves when %s', async (_, leave) => {
  const { name, index } = await indexed()
  await put(service, name, [{ id: 'v' }], { owner: 'ann', listed_at: int(1), title: 'x' })
  expect(await entries(index)).toHaveLength(1)
  await leave(name)
  expect(await entries(index)).toEqual([])
})

test('a write that fails its condition leaves the index alone', async () => {
  const { name, index } = await indexed()
  await put(service, name, [{ id: 'v' }], { owner: 'ann', listed_at: int(1), title: 'x' })
  const condition = new TableStore.Condition(TableStore.RowExistenceExpectation.EXPECT_NOT_EXIST, null)
  await expect(put(service, name, [{ id: 'v' }], { owner: 'bob' }, condition)).rejects.toThrow()
  expect(await entries(index)).toMatchObject([{ owner: 'ann' }])
})

test.each([
  [true, 2],
  [false, 1],
])('an index made later, with base data %s, holds %i rows', async (includeBaseData, expected) => {
  const name = await newTable(service, { tableMeta: { definedColumn: DEFINED } })
  await put(service, name, [{ id: 'old' }], { owner: 'ann', listed_at: int(1) })
  const index = `late_${count++}`
  const params = {
    mainTableName: name,
    includeBaseData,
    indexMeta: { name: index, primaryKey: ['owner', 'listed_at'], definedColumn: ['title'], includeBaseData },
  }
  await service.client.createIndex(params)
  await put(service, name, [{ id: 'new' }], { owner: 'ann', listed_at: int(2) })
  expect(await entries(index)).toHaveLength(expected)
  expect(await service.client.describeTable({ tableName: name })).toMatchObject({
    indexMetas: [{ name: index, primaryKey: ['owner', 'listed_at'], definedColumn: ['title'], indexSyncPhase: 'INCR' }],
  })
  await service.client.dropIndex({ mainTableName: name, indexName: index })
  await expect(entries(index)).rejects.toMatchObject(refused('OTSObjectNotExist'))
  expect(await get(service, name, [{ id: 'old' }])).toEqual({ owner: 'ann', listed_at: 1n })
})

test('an index cannot be written, and goes with its table', async () => {
  const { name, index } = await indexed()
  const key = [{ owner: 'ann' }, { listed_at: int(1) }, { id: 'v' }]
  await expect(put(service, index, key, { title: 'x' })).rejects.toMatchObject(
    refused('OTSParameterInvalid', "Can't write index table directly"),
  )
  await service.client.deleteTable({ tableName: name })
  await expect(entries(index)).rejects.toMatchObject(refused('OTSObjectNotExist'))
})

test('a value of another type than its predefined column is refused', async () => {
  const { name } = await indexed()
  await expect(put(service, name, [{ id: 'v' }], { owner: 'ann', listed_at: 1 })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'listed_at'),
  )
  await expect(put(service, name, [{ id: 'v' }], { owner: 'a'.repeat(1025) })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'owner'),
  )
})

const index = (primaryKey: string[], more = {}) => [{ name: 'refused', primaryKey, definedColumn: [], ...more }]

test.each([
  ['over a column that is not defined', { indexMetas: index(['nothing']) }, 'OTSParameterInvalid'],
  ['over a double', { indexMetas: index(['score']) }, 'OTSParameterInvalid'],
  ['over nothing', { indexMetas: index([]) }, 'OTSParameterInvalid'],
  ['over one column twice', { indexMetas: index(['owner', 'owner']) }, 'OTSParameterInvalid'],
  ['on a table of several versions', { indexMetas: index(['owner']), tableOptions: { maxVersions: 2 } }, 'MaxVersions'],
  [
    'on a table whose rows expire',
    { indexMetas: index(['owner']), tableOptions: { timeToLive: 86_400 } },
    'TimeToLive',
  ],
  [
    'that is local and has another partition key',
    { indexMetas: index(['owner'], { indexType: TableStore.IndexType.IT_LOCAL_INDEX }) },
    'first primary key column of a local index',
  ],
  [
    'that is global and changes at once',
    { indexMetas: index(['owner'], { indexUpdateMode: TableStore.IndexUpdateMode.IUM_SYNC_INDEX }) },
    'OTSUnsupportOperation',
  ],
  [
    'over five columns',
    { indexMetas: index(['a', 'b', 'c', 'd', 'e']) },
    'The number of primary key columns must be in range: .1, 4. in index.',
  ],
  [
    'of 33 columns',
    { indexMetas: index(['owner'], { definedColumn: Array.from({ length: 33 }, (_, at) => `c${at}`) }) },
    'The number of attribute columns must be in range: .0, 32. in index.',
  ],
])('an index %s is refused', async (_, change, message) => {
  const params = tableParams('not_made', { ...change, tableMeta: { definedColumn: DEFINED } })
  await expect(service.client.createTable(params)).rejects.toMatchObject(refused(message))
  expect((await service.client.listTable({})).tableNames).not.toContain('not_made')
})

test('a sixth index is over the quota', async () => {
  const name = await newTable(service, { tableMeta: { definedColumn: DEFINED } })
  const create = (at: number) =>
    service.client.createIndex({
      mainTableName: name,
      indexMeta: { name: `${name}_${at}`, primaryKey: ['owner'], definedColumn: [], includeBaseData: false },
    })
  for (let at = 0; at < 5; at++) await create(at)
  await expect(create(5)).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'Number of index per table exceeds the quota:5.'),
  )
})

test('an index definition is judged before its table is looked for', async () => {
  const create = (primaryKey: string[]) =>
    service.client.createIndex({
      mainTableName: 'nowhere',
      indexMeta: { name: 'never_made', primaryKey, definedColumn: [], includeBaseData: false },
    })
  await expect(create(['a', 'b', 'c', 'd', 'e'])).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'The number of primary key columns must be in range: .1, 4. in index.'),
  )
  await expect(create(['a'])).rejects.toMatchObject(refused('OTSObjectNotExist'))
})

test('a local index never lags, and says what it is', async () => {
  const name = await newTable(service, {
    tableMeta: {
      primaryKey: [
        { name: 'owner', type: 'STRING' },
        { name: 'id', type: 'STRING' },
      ],
      definedColumn: [{ name: 'listed_at', type: TableStore.DefinedColumnType.DCT_INTEGER }],
    },
    indexMetas: [
      {
        name: 'local_index',
        primaryKey: ['owner', 'listed_at'],
        definedColumn: [],
        indexType: TableStore.IndexType.IT_LOCAL_INDEX,
        indexUpdateMode: TableStore.IndexUpdateMode.IUM_SYNC_INDEX,
      },
    ] as never,
  })
  onTestFinished(() => service.setIndexLag(0))
  await service.setIndexLag(3_600_000)
  await put(service, name, [{ owner: 'ann' }, { id: 'v' }], { listed_at: int(2) })
  await put(service, name, [{ owner: 'ann' }, { id: 'w' }], { listed_at: int(1) })
  expect(await entries('local_index')).toMatchObject([{ id: 'w' }, { id: 'v' }])
  expect(await service.client.describeTable({ tableName: name })).toMatchObject({
    indexMetas: [{ indexType: 1, indexUpdateMode: 1 }],
  })
})

test('columns are predefined later, indexed, and let go when no index needs them', async () => {
  const name = await newTable(service)
  await put(service, name, [{ id: 'old' }], { owner: 'ann' })
  await put(service, name, [{ id: 'other' }], { owner: int(1) })
  const added = { name: 'AddDefinedColumn', body: definedColumns(name, [['owner', 4]]) }
  expect((await service.post(added.name, added.body)).status).toBe(200)
  const params = {
    mainTableName: name,
    includeBaseData: true,
    indexMeta: { name: `${name}_index`, primaryKey: ['owner'], definedColumn: [], includeBaseData: true },
  }
  await service.client.createIndex(params)
  const { rows } = await service.client.getRange({
    tableName: `${name}_index`,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ owner: INF_MIN }, { id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ owner: INF_MAX }, { id: INF_MAX }],
  })
  expect(rows.map(keyOf)).toEqual([{ owner: 'ann', id: 'old' }])
  const removed = Buffer.concat([field(1, name), field(2, 'owner')])
  const refusal = await service.post('DeleteDefinedColumn', removed)
  expect(refusal.body.toString()).toContain(`is used by index '${name}_index'`)
  await service.client.dropIndex({ mainTableName: name, indexName: `${name}_index` })
  expect((await service.post('DeleteDefinedColumn', removed)).status).toBe(200)
  expect((await service.client.describeTable({ tableName: name })).tableMeta?.definedColumn).toEqual([])
  expect((await service.post('DeleteDefinedColumn', removed)).status).toBe(400)
  expect((await service.post(added.name, definedColumns(name, [['id', 4]]))).status).toBe(400)
})

/** The vendor's client for Node has no such message. */
function definedColumns(tableName: string, columns: readonly (readonly [string, number])[]): Buffer {
  const schemas = columns.map(([name, type]) => field(2, Buffer.concat([field(1, name), Buffer.from([0x10, type])])))
  return Buffer.concat([field(1, tableName), ...schemas])
}
