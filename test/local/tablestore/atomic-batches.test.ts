import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { bodyOf, columnsOf, EXIST, get, IGNORE, INF_MAX, INF_MIN, int, newTable, openService, put } from './service.ts'
import { decodeMessage, encodeMessage, readRecord } from './wire.ts'

const service = await openService()
afterAll(service.close)

const ATTRIBUTE = [{ name: 'v', type: TableStore.DefinedColumnType.DCT_STRING }]
let count = 0

/** A table with an index over `v` and a stream. */
async function ledger() {
  const index = `by_v_${count++}`
  const name = await newTable(service, {
    tableMeta: {
      primaryKey: [
        { name: 'owner', type: 'STRING' },
        { name: 'n', type: 'INTEGER' },
      ],
      definedColumn: ATTRIBUTE,
    },
    indexMetas: [{ name: index, primaryKey: ['v'], definedColumn: [] }],
  })
  await service.client.updateTable({
    tableName: name,
    tableOptions: {},
    streamSpecification: { enableStream: true, expirationTime: 24 },
  } as never)
  return { name, index }
}

const key = (n: number) => [{ owner: 'ann' }, { n: int(n) }]
const putRow = (n: number, v: string, condition = IGNORE) => ({
  type: 'PUT',
  primaryKey: key(n),
  condition,
  attributeColumns: [{ v }],
})
const addOne = (n: number) => ({
  type: 'UPDATE',
  primaryKey: key(n),
  condition: IGNORE,
  attributeColumns: [{ INCREMENT: [{ count: int(1) }] }],
})

/** The vendor's client for Node has no such field: is_atomic = true. */
async function writeTogether(tableName: string, rows: readonly object[], transactionId?: string) {
  const body = bodyOf('batchWriteRow', { tables: [{ tableName, rows }], transactionId })
  const answer = await service.post('BatchWriteRow', Buffer.concat([body, Buffer.from([0x18, 1])]))
  const { tables } = decodeMessage<BatchAnswer>('BatchWriteRowResponse', answer.body)
  return tables[0]?.rows.map(({ isOk, error }) => (isOk ? 'ok' : error?.code)) ?? []
}

interface BatchAnswer {
  readonly tables: readonly {
    readonly rows: readonly { readonly isOk: boolean; readonly error?: { readonly code: string } }[]
  }[]
}

async function start(tableName: string): Promise<string> {
  const started = await service.client.startLocalTransaction({ tableName, primaryKey: [{ owner: 'ann' }] })
  return started.transactionId ?? ''
}

async function valuesOf(tableName: string, more: object = {}) {
  const { rows } = await service.client.getRange({
    tableName,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ owner: 'ann' }, { n: INF_MIN }],
    exclusiveEndPrimaryKey: [{ owner: 'ann' }, { n: INF_MAX }],
    ...more,
  } as never)
  return rows.map((row) => columnsOf(row))
}

async function indexed(index: string) {
  const { rows } = await service.client.getRange({
    tableName: index,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ v: INF_MIN }, { owner: INF_MIN }, { n: INF_MIN }],
    exclusiveEndPrimaryKey: [{ v: INF_MAX }, { owner: INF_MAX }, { n: INF_MAX }],
  })
  return rows.map((row) => row.primaryKey?.map(({ value }) => String(value)).join(' '))
}

async function call<T>(operation: string, message: object): Promise<T> {
  const { body } = await service.post(operation, encodeMessage(`${operation}Request`, message))
  return decodeMessage<T>(`${operation}Response`, body)
}

/** Key number and columns of each record of the table's stream. */
async function recorded(tableName: string) {
  const { streams } = await call<{ streams: { streamId: string }[] }>('ListStream', { tableName })
  const streamId = streams[0]?.streamId
  const { shards } = await call<{ shards: { shardId: string }[] }>('DescribeStream', { streamId })
  const { shardIterator } = await call<{ shardIterator: string }>('GetShardIterator', {
    streamId,
    shardId: shards[0]?.shardId,
  })
  const { streamRecords } = await call<{ streamRecords: { record: Uint8Array }[] }>('GetStreamRecord', {
    shardIterator,
  })
  return streamRecords.map(({ record }) => {
    const { key: columns, cells } = readRecord(Buffer.from(record))
    return `${columns[1]?.value?.readBigInt64LE(1)} ${cells.map(({ name }) => name).join()}`
  })
}

test('an atomic batch that is refused leaves nothing in the transaction that it is part of', async () => {
  const { name, index } = await ledger()
  const transactionId = await start(name)
  expect(await writeTogether(name, [putRow(1, 'kept')], transactionId)).toEqual(['ok'])
  const refusals = await writeTogether(
    name,
    [putRow(1, 'lost'), putRow(2, 'lost'), putRow(3, 'lost', EXIST)],
    transactionId,
  )
  expect(refusals).toEqual(Array(3).fill('OTSConditionCheckFail'))
  expect(await valuesOf(name, { transactionId })).toEqual([{ v: 'kept' }])
  expect(await writeTogether(name, [putRow(2, 'two'), putRow(1, 'one')], transactionId)).toEqual(['ok', 'ok'])
  expect(await valuesOf(name)).toEqual([])
  expect(await recorded(name)).toEqual([])
  await service.client.commitTransaction({ transactionId })
  expect(await valuesOf(name)).toEqual([{ v: 'one' }, { v: 'two' }])
  expect(await indexed(index)).toEqual(['one ann 1', 'two ann 2'])
  expect(await recorded(name)).toEqual(['1 v', '2 v', '1 v'])
})

test('an atomic batch outside of any transaction leaves no row, index row or record when it is refused', async () => {
  const { name, index } = await ledger()
  await put(service, name, key(1), { v: 'old' })
  expect(await writeTogether(name, [putRow(1, 'lost'), putRow(2, 'lost'), putRow(3, 'lost', EXIST)])).toEqual(
    Array(3).fill('OTSConditionCheckFail'),
  )
  expect(await valuesOf(name)).toEqual([{ v: 'old' }])
  expect(await indexed(index)).toEqual(['old ann 1'])
  expect(await recorded(name)).toEqual(['1 v'])
  expect(await writeTogether(name, [putRow(2, 'two'), putRow(1, 'new'), putRow(2, 'three')])).toEqual([
    'ok',
    'ok',
    'ok',
  ])
  expect(await valuesOf(name)).toEqual([{ v: 'new' }, { v: 'three' }])
  expect(await indexed(index)).toEqual(['new ann 1', 'three ann 2'])
  expect(await recorded(name)).toEqual(['1 v', '2 v', '1 v', '2 v'])
})

test.each(['inside of a transaction', 'outside of any'])(
  'rows of an atomic batch see what those before them wrote, %s',
  async (where) => {
    const { name } = await ledger()
    const transactionId = where.startsWith('inside') ? await start(name) : undefined
    const rows = [putRow(1, 'one'), putRow(1, 'two', EXIST), addOne(1), addOne(1)]
    expect(await writeTogether(name, rows, transactionId)).toEqual(Array(4).fill('ok'))
    if (transactionId) await service.client.commitTransaction({ transactionId })
    expect(await get(service, name, key(1))).toEqual({ v: 'two', count: 2n })
  },
)

test('partition keys of bytes that are no text are told apart', async () => {
  const tableName = await newTable(service, { tableMeta: { primaryKey: [{ name: 'b', type: 'BINARY' }] } })
  const rows = [0xfe, 0xff].map((byte) => ({
    type: 'PUT',
    primaryKey: [{ b: Buffer.from([byte]) }],
    condition: IGNORE,
    attributeColumns: [{ v: 'v' }],
  }))
  expect(await writeTogether(tableName, rows)).toEqual(Array(2).fill('OTSDataOutOfRange'))
  expect(await writeTogether(tableName, rows.slice(0, 1))).toEqual(['ok'])
})

test('what is refused does not count for the size of a transaction', async () => {
  const { name } = await ledger()
  const transactionId = await start(name)
  const large = (n: number, condition = IGNORE) => ({
    type: 'PUT',
    primaryKey: key(n),
    condition,
    attributeColumns: [{ big: 'x'.repeat(1_900_000) }],
  })
  for (let round = 0; round < 3; round++) {
    expect(await writeTogether(name, [large(1), large(2, EXIST)], transactionId)).toEqual(
      Array(2).fill('OTSConditionCheckFail'),
    )
    const single = {
      tableName: name,
      primaryKey: key(3),
      condition: EXIST,
      attributeColumns: large(3).attributeColumns,
    }
    await expect(service.client.putRow({ ...single, transactionId })).rejects.toThrow('OTSConditionCheckFail')
  }
  expect(await writeTogether(name, [large(1), large(2)], transactionId)).toEqual(['ok', 'ok'])
  expect(await writeTogether(name, [large(3)], transactionId)).toEqual(['OTSOutOfTransactionDataSizeLimit'])
  await service.client.commitTransaction({ transactionId })
  expect(await valuesOf(name)).toHaveLength(2)
})
