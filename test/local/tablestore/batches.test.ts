import { afterAll, expect, test } from 'vitest'
import {
  ABSENT,
  bodyOf,
  columnsOf,
  EXIST,
  get,
  IGNORE,
  int,
  newTable,
  openService,
  put,
  refused,
  where,
} from './service.ts'
import { decodeMessage } from './wire.ts'

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

test('a batch that is one writes all of its rows or none, and only of one partition key', async () => {
  const name = await newTable(service, {
    tableMeta: {
      primaryKey: [
        { name: 'owner', type: 'STRING' },
        { name: 'n', type: 'INTEGER' },
      ],
    },
  })
  const write = async (rows: readonly { owner: string; n: number; condition?: typeof IGNORE }[]) => {
    const changes = rows.map(({ owner, n, condition = IGNORE }) => ({
      type: 'PUT',
      primaryKey: [{ owner }, { n: int(n) }],
      condition,
      attributeColumns: [{ v: 'v' }],
    }))
    const body = bodyOf('batchWriteRow', { tables: [{ tableName: name, rows: changes }] })
    // The vendor's client for Node has no such field: is_atomic = true.
    const answer = await service.post('BatchWriteRow', Buffer.concat([body, Buffer.from([0x18, 1])]))
    return decodeMessage<BatchAnswer>('BatchWriteRowResponse', answer.body).tables[0]?.rows ?? []
  }
  const stored = async (owner: string, n: number) =>
    (await get(service, name, [{ owner }, { n: int(n) }])) !== undefined
  expect((await write([1, 2, 2].map((n) => ({ owner: 'ann', n })))).map(({ isOk }) => isOk)).toEqual([true, true, true])
  expect([await stored('ann', 1), await stored('ann', 2)]).toEqual([true, true])
  const refusals = await write([
    { owner: 'ann', n: 3 },
    { owner: 'ann', n: 4, condition: EXIST },
  ])
  expect(refusals).toMatchObject(Array(2).fill({ isOk: false, error: { code: 'OTSConditionCheckFail' } }))
  expect(await stored('ann', 3)).toBe(false)
  const spread = await write([
    { owner: '0', n: 1 },
    { owner: '1', n: 1 },
  ])
  const message = 'Data out of scope of atomic. Atomic PartKey:0. Data PartKey:1'
  expect(spread).toMatchObject(Array(2).fill({ isOk: false, error: { code: 'OTSDataOutOfRange', message } }))
  expect(await stored('0', 1)).toBe(false)
})

interface BatchAnswer {
  readonly tables: readonly { readonly rows: readonly { readonly isOk: boolean }[] }[]
}

test('a table without rows is answered without rows in a batch of reads, and refused in one of writes', async () => {
  const name = await newTable(service)
  const read = await service.client.batchGetRow({ tables: [{ tableName: name, primaryKey: [], maxVersions: 1 }] })
  expect(read.tables).toMatchObject([[]])
  await expect(service.client.batchGetRow({ tables: [] })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'No row specified in the request of BatchGetRow.'),
  )
  await expect(service.client.batchWriteRow({ tables: [{ tableName: name, rows: [] }] })).rejects.toMatchObject(
    refused('OTSParameterInvalid', `No operation is specified for table: '${name}'.`),
  )
})

test('the time of a cell counts for the size of a batch', async () => {
  const name = await newTable(service)
  const write = (spare: number) =>
    service.client.batchWriteRow({
      tables: [
        {
          tableName: name,
          rows: ['a', 'b', 'c'].map((id, at) => ({
            type: 'PUT' as const,
            primaryKey: [{ id }],
            condition: IGNORE,
            attributeColumns: [{ v: 'v'.repeat(1_398_089 + (at === 0 ? spare : 0)), timestamp: Date.now() }],
          })),
        },
      ],
    })
  // Two bytes of the key's name, one of its value, one of the column's name and eight of the time.
  const spare = 4 * 1024 * 1024 - 3 * (1_398_089 + 12)
  await write(spare)
  await expect(write(spare + 1)).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'limit size: 4194304, data size: 4194305.'),
  )
})
