import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, get, IGNORE, INF_MAX, INF_MIN, int, newTable, openService, put, refused } from './service.ts'

const service = await openService()
afterAll(service.close)

const KEY = [
  { name: 'owner', type: 'STRING' as const },
  { name: 'n', type: 'INTEGER' as const },
]
const newLedger = () => newTable(service, { tableMeta: { primaryKey: KEY } })
const at = (owner: string, n: number) => [{ owner }, { n: int(n) }]

async function start(tableName: string, owner = 'ann'): Promise<string> {
  const { transactionId } = await service.client.startLocalTransaction({ tableName, primaryKey: [{ owner }] })
  return transactionId ?? ''
}

function putIn(transactionId: string, tableName: string, primaryKey: ReturnType<typeof at>, v: string) {
  return service.client.putRow({ tableName, primaryKey, condition: IGNORE, attributeColumns: [{ v }], transactionId })
}

async function range(tableName: string, more: object = {}, backward = false) {
  const low = [{ owner: 'ann' }, { n: INF_MIN }]
  const high = [{ owner: 'ann' }, { n: INF_MAX }]
  const { rows } = await service.client.getRange({
    tableName,
    direction: backward ? TableStore.Direction.BACKWARD : TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: backward ? high : low,
    exclusiveEndPrimaryKey: backward ? low : high,
    ...more,
  } as never)
  return rows.map((row) => columnsOf(row)?.v)
}

const GONE = refused('OTSSessionNotExist', 'Session not exist or may be timeout.')
const CONFLICT = refused('OTSRowOperationConflict', 'Data is being modified by the other request.')

test('what a transaction writes is seen by its own reads, and by all when it is committed', async () => {
  const table = await newLedger()
  for (const n of [1, 2, 4]) await put(service, table, at('ann', n), { v: `old ${n}` })
  const transactionId = await start(table)
  await putIn(transactionId, table, at('ann', 2), 'new 2')
  await putIn(transactionId, table, at('ann', 3), 'new 3')
  await service.client.deleteRow({ tableName: table, primaryKey: at('ann', 4), condition: IGNORE, transactionId })
  await service.client.batchWriteRow({
    tables: [
      {
        tableName: table,
        rows: [{ type: 'PUT', primaryKey: at('ann', 5), condition: IGNORE, attributeColumns: [{ v: 'new 5' }] }],
      },
    ],
    transactionId,
  } as never)
  const expected = ['old 1', 'new 2', 'new 3', 'new 5']
  expect(await range(table, { transactionId })).toEqual(expected)
  expect(await range(table, { transactionId }, true)).toEqual([...expected].reverse())
  expect(await get(service, table, at('ann', 2), { transactionId })).toEqual({ v: 'new 2' })
  expect(await get(service, table, at('ann', 4), { transactionId })).toBeUndefined()
  expect(await range(table)).toEqual(['old 1', 'old 2', 'old 4'])
  await service.client.commitTransaction({ transactionId })
  expect(await range(table)).toEqual(expected)
  await expect(service.client.commitTransaction({ transactionId })).rejects.toMatchObject(GONE)
})

test('of an aborted transaction nothing is left, and neither of one that a restart ends', async () => {
  const table = await newLedger()
  for (const end of [(transactionId: string) => service.client.abortTransaction({ transactionId }), service.restart]) {
    const transactionId = await start(table)
    await putIn(transactionId, table, at('ann', 1), 'never')
    await end(transactionId)
    expect(await range(table)).toEqual([])
    await expect(service.client.abortTransaction({ transactionId })).rejects.toMatchObject(GONE)
    await expect(putIn(transactionId, table, at('ann', 1), 'late')).rejects.toMatchObject(GONE)
    await put(service, table, at('bob', 1), { v: 'free' })
  }
})

test('a committed transaction is there after a restart, in its indexes too', async () => {
  const table = await newTable(service, {
    tableMeta: { primaryKey: KEY, definedColumn: [{ name: 'v', type: TableStore.DefinedColumnType.DCT_STRING }] },
    indexMetas: [{ name: 'by_value', primaryKey: ['v'], definedColumn: [] }],
  })
  await put(service, table, at('ann', 1), { v: 'one' })
  const transactionId = await start(table)
  await putIn(transactionId, table, at('ann', 1), 'two')
  const indexed = async () => {
    const { rows } = await service.client.getRange({
      tableName: 'by_value',
      direction: TableStore.Direction.FORWARD,
      inclusiveStartPrimaryKey: [{ v: INF_MIN }, { owner: INF_MIN }, { n: INF_MIN }],
      exclusiveEndPrimaryKey: [{ v: INF_MAX }, { owner: INF_MAX }, { n: INF_MAX }],
    })
    return rows.map((row) => row.primaryKey?.[0]?.value)
  }
  expect(await indexed()).toEqual(['one'])
  await service.client.commitTransaction({ transactionId })
  await service.restart()
  expect(await range(table)).toEqual(['two'])
  expect(await indexed()).toEqual(['two'])
})

test('a partition key is taken by one transaction, others are free', async () => {
  const table = await newLedger()
  const transactionId = await start(table)
  await expect(start(table)).rejects.toMatchObject(CONFLICT)
  await expect(put(service, table, at('ann', 9), { v: 'x' })).rejects.toMatchObject(CONFLICT)
  await put(service, table, at('bob', 9), { v: 'x' })
  const other = await start(table, 'cid')
  await service.client.abortTransaction({ transactionId: other })
  await service.client.abortTransaction({ transactionId })
  await put(service, table, at('ann', 9), { v: 'x' })
})

test('a transaction is over after sixty seconds', async () => {
  const table = await newLedger()
  const transactionId = await start(table)
  await putIn(transactionId, table, at('ann', 1), 'x')
  service.advance(59_000)
  await putIn(transactionId, table, at('ann', 2), 'x')
  service.advance(1_100)
  await expect(service.client.commitTransaction({ transactionId })).rejects.toMatchObject(GONE)
  await put(service, table, at('ann', 1), { v: 'free' })
  expect(await range(table)).toEqual(['free'])
})

test('conditions and increments in a transaction see what it has written', async () => {
  const table = await newLedger()
  const transactionId = await start(table)
  const increment = () =>
    service.client.updateRow({
      tableName: table,
      primaryKey: at('ann', 1),
      condition: IGNORE,
      updateOfAttributeColumns: [{ INCREMENT: [{ count: int(1) }] }],
      transactionId,
    } as never)
  await increment()
  await increment()
  await expect(
    service.client.putRow({
      tableName: table,
      primaryKey: at('ann', 1),
      condition: new TableStore.Condition(TableStore.RowExistenceExpectation.EXPECT_NOT_EXIST, null),
      attributeColumns: [{ v: 'x' }],
      transactionId,
    }),
  ).rejects.toMatchObject(refused('OTSConditionCheckFail'))
  await service.client.commitTransaction({ transactionId })
  expect(await get(service, table, at('ann', 1))).toEqual({ count: 2n })
})

test('rows and ranges outside of the partition key are refused', async () => {
  const table = await newLedger()
  const transactionId = await start(table)
  await expect(putIn(transactionId, table, at('bob', 1), 'x')).rejects.toMatchObject(refused('OTSDataOutOfRange'))
  await expect(get(service, table, at('bob', 1), { transactionId })).rejects.toMatchObject(refused('OTSDataOutOfRange'))
  const everything = {
    transactionId,
    inclusiveStartPrimaryKey: [{ owner: INF_MIN }, { n: INF_MIN }],
    exclusiveEndPrimaryKey: [{ owner: INF_MAX }, { n: INF_MAX }],
  }
  await expect(range(table, everything)).rejects.toMatchObject(refused('OTSDataOutOfRange'))
  const other = await newLedger()
  await expect(putIn(transactionId, other, at('ann', 1), 'x')).rejects.toMatchObject(refused('OTSDataOutOfRange'))
})

test('more than 4 MB in a transaction are refused, and what was written before stays', async () => {
  const table = await newLedger()
  const transactionId = await start(table)
  const large = 'x'.repeat(2_000_000)
  await putIn(transactionId, table, at('ann', 1), large)
  await putIn(transactionId, table, at('ann', 2), large)
  await expect(putIn(transactionId, table, at('ann', 3), large)).rejects.toMatchObject(
    refused('OTSOutOfTransactionDataSizeLimit'),
  )
  await service.client.commitTransaction({ transactionId })
  expect(await range(table)).toHaveLength(2)
})

test('what a transaction that is being committed is given in the meantime is not lost without a word', async () => {
  const table = await newLedger()
  for (let round = 0; round < 10; round++) {
    const transactionId = await start(table, `owner ${round}`)
    const commit = service.client.commitTransaction({ transactionId })
    const writes = Array.from({ length: 5 }, (_, n) => putIn(transactionId, table, at(`owner ${round}`, n), 'x'))
    const outcomes = await Promise.allSettled(writes)
    await commit
    for (const [n, outcome] of outcomes.entries()) {
      const found = await get(service, table, at(`owner ${round}`, n))
      expect(found).toEqual(outcome.status === 'fulfilled' ? { v: 'x' } : undefined)
    }
  }
})

test.each([
  ['two key columns', { primaryKey: at('ann', 1) }, 'StartLocalTransaction support only one primary key.'],
  ['a key of another name', { primaryKey: [{ other: 'ann' }] }, 'Validate PK name fail'],
  ['no table', { tableName: '' }, "Invalid table name: ''."],
  ['a table that is not there', { tableName: 'nowhere' }, 'OTSObjectNotExist'],
])('a transaction for %s is refused', async (_, change, message) => {
  const params = { tableName: await newLedger(), primaryKey: [{ owner: 'ann' }], ...change }
  await expect(service.client.startLocalTransaction(params)).rejects.toMatchObject(refused(message))
})

test('a table can be made without transactions, and an auto-increment one has none', async () => {
  const auto = await newTable(service, {
    tableMeta: { primaryKey: [KEY[0], { name: 'n', type: 'INTEGER', option: 'AUTO_INCREMENT' }] as never },
  })
  await expect(start(auto)).rejects.toMatchObject(refused('OTSParameterInvalid', 'auto increment'))
  await expect(service.client.commitTransaction({ transactionId: '' })).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'TransactionID is invalid.'),
  )
})
