import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { bodyOf, field, get, IGNORE, newTable, openService, put, refused, tableParams } from './service.ts'

const service = await openService()
afterAll(service.close)

test('a table is listed and described as it was created', async () => {
  const name = await newTable(service, {
    tableMeta: {
      primaryKey: [
        { name: 'a', type: 'STRING' },
        { name: 'b', type: 'INTEGER', option: 'AUTO_INCREMENT' },
        { name: 'c', type: 'BINARY' },
      ],
      definedColumn: [{ name: 'kind', type: TableStore.DefinedColumnType.DCT_STRING }],
    },
    tableOptions: { timeToLive: 86_400, maxVersions: 3, maxTimeDeviation: 100_000 },
    reservedThroughput: { capacityUnit: { read: 1, write: 2 } },
  })
  expect((await service.client.listTable({})).tableNames).toContain(name)
  expect(JSON.parse(JSON.stringify(await service.client.describeTable({ tableName: name })))).toMatchObject({
    tableMeta: {
      tableName: name,
      primaryKey: [
        { name: 'a', type: 'STRING' },
        { name: 'b', type: 'INTEGER', option: 'AUTO_INCREMENT' },
        { name: 'c', type: 'BINARY' },
      ],
      definedColumn: [{ name: 'kind', type: 'DCT_STRING' }],
    },
    tableOptions: { timeToLive: 86_400, maxVersions: 3 },
    reservedThroughputDetails: { capacityUnit: { read: 1, write: 2 } },
    tableStatus: 'ACTIVE',
  })
})

test('a second table of the same name is refused and leaves the first alone', async () => {
  const name = await newTable(service)
  await put(service, name, [{ id: 'x' }], { a: 'first' })
  await expect(service.client.createTable(tableParams(name))).rejects.toMatchObject(
    refused('OTSObjectAlreadyExist', 'Requested table already exists'),
  )
  expect(await get(service, name, [{ id: 'x' }])).toEqual({ a: 'first' })
})

test('a deleted table is gone with its rows, also for a new table of the name', async () => {
  const name = await newTable(service)
  await put(service, name, [{ id: 'x' }], { a: 'old' })
  await service.client.deleteTable({ tableName: name })
  await expect(get(service, name, [{ id: 'x' }])).rejects.toMatchObject(refused('OTSObjectNotExist'))
  await service.client.createTable(tableParams(name))
  expect(await get(service, name, [{ id: 'x' }])).toBeUndefined()
})

test('options can be changed one by one', async () => {
  const name = await newTable(service)
  await service.client.updateTable({ tableName: name, tableOptions: { maxVersions: 4 } })
  await service.client.updateTable({
    tableName: name,
    tableOptions: { timeToLive: 90_000 },
    reservedThroughput: { capacityUnit: { read: 0, write: 5 } },
  })
  expect(await service.client.describeTable({ tableName: name })).toMatchObject({
    tableOptions: { timeToLive: 90_000, maxVersions: 4 },
    reservedThroughputDetails: { capacityUnit: { read: 0, write: 5 } },
  })
})

test.each(['describeTable', 'deleteTable'] as const)(
  '%s of a table that is not there is refused',
  async (operation) => {
    await expect(service.client[operation]({ tableName: 'nowhere' })).rejects.toMatchObject(
      refused('OTSObjectNotExist'),
    )
  },
)

test.each([
  ['a name that starts with a digit', '1st', {}, 'Invalid table name'],
  ['a name with a dash', 'a-b', {}, 'Invalid table name'],
  ['no key column', 'bad', { tableMeta: { primaryKey: [] } }, 'number of primary key columns'],
  [
    'five key columns',
    'bad',
    { tableMeta: { primaryKey: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, type: 'STRING' as const })) } },
    'number of primary key columns',
  ],
  [
    'a key column twice',
    'bad',
    { tableMeta: { primaryKey: ['a', 'a'].map((name) => ({ name, type: 'STRING' as const })) } },
    "Duplicated primary key name: 'a'",
  ],
  [
    'an auto-increment partition key',
    'bad',
    { tableMeta: { primaryKey: [{ name: 'a', type: 'INTEGER' as const, option: 1 as const }] } },
    "First primary key can't be auto increment",
  ],
  ['a time to live of nothing', 'bad', { tableOptions: { timeToLive: 0 } }, 'TimeToLive cannot be 0'],
  ['a time to live under a day', 'bad', { tableOptions: { timeToLive: 3600 } }, 'TimeToLive'],
  ['no versions', 'bad', { tableOptions: { maxVersions: 0 } }, 'maximum versions'],
])('a table with %s is refused', async (_, name, change, message) => {
  await expect(service.client.createTable(tableParams(name, change))).rejects.toMatchObject(
    refused('OTSParameterInvalid', message),
  )
  expect((await service.client.listTable({})).tableNames).not.toContain(name)
})

test('the sixty-fifth table is over the quota', async () => {
  const full = await openService()
  try {
    for (let count = 0; count < 64; count++) await newTable(full)
    await expect(newTable(full)).rejects.toMatchObject(refused('OTSQuotaExhausted'))
  } finally {
    await full.close()
  }
})

test.each([
  [
    'search',
    {
      tableName: 't',
      indexName: 'i',
      searchQuery: { query: { queryType: TableStore.QueryType.MATCH_ALL_QUERY } },
      columnToGet: { returnType: TableStore.ColumnReturnType.RETURN_ALL },
    },
  ],
  [
    'createSearchIndex',
    { tableName: 't', indexName: 'i', schema: { fieldSchemas: [{ fieldName: 'a', fieldType: 1, index: true }] } },
  ],
  ['SQLQuery', { query: 'select 1' }],
])('%s, which is missing here, is an error and never a success', async (operation, params) => {
  await expect(service.client.makeRequest(operation, params)).rejects.toMatchObject(refused('OTSUnsupportOperation'))
})

test('there are no search indexes, so their list is empty and each is missing', async () => {
  const tableName = await newTable(service)
  expect(await service.client.makeRequest('listSearchIndex', { tableName })).toMatchObject({ indices: [] })
  for (const operation of ['describeSearchIndex', 'deleteSearchIndex']) {
    await expect(service.client.makeRequest(operation, { tableName, indexName: 'i' })).rejects.toMatchObject(
      refused('OTSObjectNotExist'),
    )
  }
  await expect(service.client.makeRequest('listSearchIndex', { tableName: 'nowhere' })).rejects.toMatchObject(
    refused('OTSObjectNotExist', 'does not exist'),
  )
})

test('what else a table is made with reads back: encryption, the time, and that it has no transactions', async () => {
  const tableName = `e_${Date.now()}`
  const encryption = field(6, Buffer.concat([Buffer.from([0x08, 1, 0x10, 1]), field(3, 'key')]))
  const noTransactions = Buffer.from([0x40, 0])
  const body = Buffer.concat([bodyOf('createTable', tableParams(tableName)), encryption, noTransactions])
  expect((await service.post('CreateTable', body)).status).toBe(200)
  const { body: described } = await service.post('DescribeTable', bodyOf('describeTable', { tableName }))
  expect(described.includes(field(7, Buffer.concat([Buffer.from([0x08, 1, 0x10, 1]), field(3, 'key')])))).toBe(true)
  await expect(service.client.startLocalTransaction({ tableName, primaryKey: [{ id: 'x' }] })).rejects.toMatchObject(
    refused(
      'OTSParameterInvalid',
      'Try to call method using explicit transaction on explicit-transaction-disabled table.',
    ),
  )
})

test.each(['describeTable', 'deleteTable', 'getRow', 'putRow', 'batchGetRow', 'batchWriteRow', 'getRange'])(
  '%s of a name that no table can have says so, whatever else is wrong',
  async (operation) => {
    const tableName = '3t'
    const primaryKey = [{ id: 'x' }]
    const params = {
      tableName,
      primaryKey,
      condition: IGNORE,
      attributeColumns: [],
      direction: 'FORWARD',
      inclusiveStartPrimaryKey: primaryKey,
      exclusiveEndPrimaryKey: primaryKey,
      tables: [
        {
          tableName,
          primaryKey: [primaryKey],
          rows: [{ type: 'PUT', condition: IGNORE, primaryKey, attributeColumns: [] }],
        },
      ],
    }
    await expect(service.client.makeRequest(operation, params)).rejects.toMatchObject(
      refused('OTSParameterInvalid', "Invalid table name: '3t'."),
    )
  },
)
