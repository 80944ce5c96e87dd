import { afterAll, expect, test } from 'vitest'
import { ABSENT, columnsOf, EXIST, get, IGNORE, int, newTable, openService, put, refused, where } from './service.ts'

const service = await openService()
afterAll(service.close)
const table = await newTable(service)
const other = await newTable(service)

const row = (id: string, condition = IGNORE, columns: Record<string, string>[] = [{ a: 'a' }]) => ({
  type: 'PUT' as const,
  primaryKey: [{ id }],
  condition,
  attributeColumns: columns,
})

test('each row of a batch has its own outcome, in order', async () => {
  await put(service, table, [{ id: 'there' }], { a: 'old', n: int(1) })
  const { tables } = await service.client.batchWriteRow({
    tables: [
      {
        tableName: table,
        rows: [
          row('new', ABSENT),
          row('there', ABSENT),
          {
            type: 'UPDATE',
            primaryKey: [{ id: 'missing' }],
            condition: where('n', int(1)),
            attributeColumns: [{ PUT: [{ a: 'b' }] }],
          },
          { type: 'DELETE', primaryKey: [{ id: 'nobody' }], condition: EXIST },
          { ...row('x'), primaryKey: [{ wrong: 'x' }] },
        ],
      },
      { tableName: other, rows: [row('there')] },
      { tableName: 'nowhere', rows: [row('there')] },
    ],
  })
  expect(tables.map(({ isOk, errorCode, tableName }) => [tableName, isOk, errorCode])).toEqual([
    [table, true, null],
    [table, false, 'OTSConditionCheckFail'],
    [table, false, 'OTSConditionCheckFail'],
    [table, false, 'OTSConditionCheckFail'],
    [table, false, 'OTSInvalidPK'],
    [other, true, null],
    ['nowhere', false, 'OTSObjectNotExist'],
  ])
  expect(await get(service, table, [{ id: 'new' }])).toEqual({ a: 'a' })
  expect(await get(service, table, [{ id: 'there' }])).toEqual({ a: 'old', n: 1n })
  expect(await get(service, table, [{ id: 'missing' }])).toBeUndefined()
  expect(await get(service, other, [{ id: 'there' }])).toEqual({ a: 'a' })
})

test('rows of several tables are read at once, absent ones as empty answers', async () => {
  await put(service, table, [{ id: 'r1' }], { a: '1', b: '1' })
  await put(service, other, [{ id: 'r2' }], { a: '2' })
  const { tables } = await service.client.batchGetRow({
    tables: [
      { tableName: table, primaryKey: [[{ id: 'r1' }], [{ id: 'none' }], [{ wrong: 'r1' }]], columnsToGet: ['a'] },
      { tableName: other, primaryKey: [[{ id: 'r2' }]] },
      { tableName: 'nowhere', primaryKey: [[{ id: 'r2' }]] },
    ],
  })
  expect(tables.map((rows) => rows.map((each) => (each.isOk ? columnsOf(each) : each.errorCode)))).toEqual([
    [{ a: '1' }, undefined, 'OTSInvalidPK'],
    [{ a: '2' }],
    ['OTSObjectNotExist'],
  ])
})

test('a row may come twice in a batch, but not on a condition', async () => {
  const write = async (condition = IGNORE) => {
    const rows = [row('twice', IGNORE, [{ a: '1' }]), row('twice', condition, [{ a: '2' }])]
    const { tables } = await service.client.batchWriteRow({ tables: [{ tableName: table, rows }] })
    return tables.map((each) => each.errorCode)
  }
  expect(await write()).toEqual([null, null])
  expect(await get(service, table, [{ id: 'twice' }])).toEqual({ a: '2' })
  expect(await write(EXIST)).toEqual(['OTSParameterInvalid', 'OTSParameterInvalid'])
  expect(await write(where('a', '2'))).toEqual(['OTSParameterInvalid', 'OTSParameterInvalid'])
})

const rows = (count: number) => Array.from({ length: count }, (_, at) => row(`bulk-${at}`))

test('200 rows are written and 100 read; one more is refused as a whole', async () => {
  await service.client.batchWriteRow({ tables: [{ tableName: table, rows: rows(200) }] })
  const { tables } = await service.client.batchGetRow({
    tables: [{ tableName: table, primaryKey: rows(100).map((each) => each.primaryKey) }],
  })
  expect(tables[0]?.every((each) => columnsOf(each)?.a === 'a')).toBe(true)
  await expect(service.client.batchWriteRow({ tables: [{ tableName: other, rows: rows(201) }] })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'Rows count exceeds the upper limit'),
  )
  expect(await get(service, other, [{ id: 'bulk-0' }])).toBeUndefined()
  await expect(
    service.client.batchGetRow({
      tables: [{ tableName: table, primaryKey: rows(101).map((each) => each.primaryKey) }],
    }),
  ).rejects.toMatchObject(refused('OTSParameterInvalid', 'Rows count exceeds the upper limit'))
})

test.each([
  ['the same table twice', [rows(1), rows(1)], 'Duplicated table name'],
  ['no rows', [[]], 'No operation is specified for table'],
  ['over 4 MB', [[1, 2, 3].map((at) => row(`${at}`, IGNORE, [{ a: 'a'.repeat(1_500_000) }]))], 'total data size'],
])('a batch with %s is refused', async (_, groups, message) => {
  const tables = groups.map((each) => ({ tableName: table, rows: each }))
  await expect(service.client.batchWriteRow({ tables })).rejects.toMatchObject(refused('OTSParameterInvalid', message))
})

test('a batch with a row that no table could hold is refused as a whole', async () => {
  const tables = [{ tableName: table, rows: [row('fine'), row('x'.repeat(1025))] }]
  await expect(service.client.batchWriteRow({ tables })).rejects.toMatchObject(refused('OTSParameterInvalid'))
  expect(await get(service, table, [{ id: 'fine' }])).toBeUndefined()
})

test('reading nothing at all is refused', async () => {
  await expect(service.client.batchGetRow({ tables: [] })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'No row specified'),
  )
})
