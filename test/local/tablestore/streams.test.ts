import { randomUUID } from 'node:crypto'
import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { EXIST, IGNORE, int, newTable, openService, put, tableParams } from './service.ts'
import { decodeMessage, encodeMessage, readRecord } from './wire.ts'

const service = await openService()
afterAll(service.close)

/** Calls an operation that the vendor's client for Node has the messages of, and no method. */
async function call<T>(operation: string, message: object): Promise<T> {
  const { status, body } = await service.post(operation, encodeMessage(`${operation}Request`, message))
  if (status !== 200) throw new Error(body.toString())
  return decodeMessage<T>(`${operation}Response`, body)
}

interface Records {
  streamRecords: { actionType: number; record: Buffer }[]
  nextShardIterator: string
}

async function withStream(): Promise<string> {
  const tableName = `s_${randomUUID().replaceAll('-', '')}`
  const streamSpecification = { enableStream: true, expirationTime: 24 }
  await service.client.createTable({ ...tableParams(tableName), streamSpecification } as never)
  return tableName
}

async function streamOf(tableName: string) {
  const { streams } = await call<{ streams: { streamId: string; tableName: string }[] }>('ListStream', { tableName })
  const streamId = streams[0]?.streamId ?? ''
  const described = await call<{ shards: { shardId: string }[] }>('DescribeStream', { streamId })
  return { streams, streamId, described, shardId: described.shards[0]?.shardId ?? '' }
}

async function beginning(tableName: string): Promise<string> {
  const { streamId, shardId } = await streamOf(tableName)
  return (await call<{ shardIterator: string }>('GetShardIterator', { streamId, shardId })).shardIterator
}

const read = (shardIterator: string, limit?: number) =>
  call<Records>('GetStreamRecord', { shardIterator, ...(limit ? { limit } : {}) })

test('a stream is listed and described while it is switched on', async () => {
  const table = await newTable(service)
  const described = () => service.client.describeTable({ tableName: table }) as Promise<{ streamDetails?: object }>
  expect((await described()).streamDetails).toMatchObject({ enableStream: false })
  expect(await call('ListStream', { tableName: table })).toEqual({ streams: [] })
  const set = (enableStream: boolean) =>
    service.client.updateTable({
      tableName: table,
      tableOptions: {},
      streamSpecification: { enableStream, expirationTime: 48 },
    } as never)
  await set(true)
  const { streams, streamId, described: stream } = await streamOf(table)
  expect(streams).toMatchObject([{ streamId, tableName: table }])
  expect(stream).toMatchObject({ streamId, tableName: table, expirationTime: 48, streamStatus: 2 })
  expect((await described()).streamDetails).toMatchObject({ enableStream: true, streamId, expirationTime: 48 })
  await service.restart()
  expect((await streamOf(table)).streamId).toBe(streamId)
  await set(false)
  expect(await call('ListStream', { tableName: table })).toEqual({ streams: [] })
  await expect(call('DescribeStream', { streamId })).rejects.toThrow('OTSObjectNotExist')
})

test('each write is told once, in order, as it was asked for, and by one who waits for it', async () => {
  const table = await withStream()
  let iterator = await beginning(table)
  const next = async () => {
    const { streamRecords, nextShardIterator } = await read(iterator)
    iterator = nextShardIterator
    return streamRecords.map(({ actionType, record }) => ({ actionType, ...readRecord(record) }))
  }
  expect(await next()).toEqual([])
  const primaryKey = [{ id: 'x' }]
  await put(service, table, primaryKey, { dropped: 'abc', emptied: true, changed: int(1) })
  const [written, ...others] = await next()
  expect(others).toEqual([])
  expect(written).toMatchObject({ actionType: 1, key: [{ name: 'id' }] })
  expect(written?.cells.map(({ name, op }) => [name, op])).toEqual([
    ['dropped', undefined],
    ['emptied', undefined],
    ['changed', undefined],
  ])
  const timestamp = written?.cells[0]?.timestamp ?? 0n
  expect(Math.abs(Number(timestamp) - Date.now())).toBeLessThan(60_000)
  await service.client.updateRow({
    tableName: table,
    primaryKey,
    condition: IGNORE,
    updateOfAttributeColumns: [
      { DELETE: [{ dropped: int(timestamp) as never }] },
      { DELETE_ALL: ['emptied'] },
      { PUT: [{ changed: 3.5 }] },
      { INCREMENT: [{ count: int(2) }] },
    ],
  })
  await service.client.deleteRow({ tableName: table, primaryKey, condition: EXIST })
  await expect(service.client.deleteRow({ tableName: table, primaryKey, condition: EXIST })).rejects.toThrow()
  const [updated, deleted, ...rest] = await next()
  expect(rest).toEqual([])
  expect(updated).toMatchObject({ actionType: 2 })
  expect(updated?.cells).toMatchObject([
    { name: 'dropped', op: 3, timestamp },
    { name: 'emptied', op: 1 },
    { name: 'changed', value: Buffer.from('010000000000000c40', 'hex') },
    { name: 'count', value: Buffer.from('000200000000000000', 'hex') },
  ])
  expect(deleted).toMatchObject({ actionType: 3, key: [{ name: 'id' }], cells: [] })
  expect((deleted?.sequence ?? 0n) > (updated?.sequence ?? 0n)).toBe(true)
  expect(await next()).toEqual([])
})

test('a reader goes on where it stopped, page by page and after a restart', async () => {
  const table = await withStream()
  for (let count = 0; count < 5; count++) await put(service, table, [{ id: `${count}` }], { v: int(count) })
  const seen: string[] = []
  let iterator = await beginning(table)
  for (let page = 0; page < 4; page++) {
    const { streamRecords, nextShardIterator } = await read(iterator, 2)
    seen.push(...streamRecords.map(({ record }) => readRecord(record).key[0]?.value?.subarray(5).toString() ?? ''))
    iterator = nextShardIterator
    if (page === 1) await service.restart()
  }
  expect(seen).toEqual(['0', '1', '2', '3', '4'])
})

test('what is older than the stream keeps is gone', async () => {
  const table = await withStream()
  await put(service, table, [{ id: 'old' }], { v: 'v' })
  service.advance(23 * 3_600_000)
  await put(service, table, [{ id: 'new' }], { v: 'v' })
  expect((await read(await beginning(table))).streamRecords).toHaveLength(2)
  service.advance(2 * 3_600_000)
  expect((await read(await beginning(table))).streamRecords).toHaveLength(1)
})

test('a transaction and a batch that is one are told row by row once they are carried out', async () => {
  const table = await withStream()
  const { transactionId } = await service.client.startLocalTransaction({ tableName: table, primaryKey: [{ id: 'x' }] })
  await service.client.putRow({
    tableName: table,
    primaryKey: [{ id: 'x' }],
    condition: IGNORE,
    attributeColumns: [{ v: 'v' }],
    transactionId,
  })
  expect((await read(await beginning(table))).streamRecords).toEqual([])
  await service.client.commitTransaction({ transactionId })
  await service.client.batchWriteRow({
    tables: [
      {
        tableName: table,
        rows: ['y', 'z'].map((id) => ({
          type: 'PUT' as const,
          primaryKey: [{ id }],
          condition: IGNORE,
          attributeColumns: [{ v: 'v' }],
        })),
      },
    ],
  })
  expect((await read(await beginning(table))).streamRecords).toHaveLength(3)
})

test.each([
  ['DescribeStream', { streamId: 'none' }, 'OTSObjectNotExist'],
  ['GetShardIterator', { streamId: 'none', shardId: 'none' }, 'OTSObjectNotExist'],
  ['GetStreamRecord', { shardIterator: 'none' }, 'OTSParameterInvalid'],
  ['ListStream', { tableName: 'nowhere' }, 'OTSObjectNotExist'],
])('%s of what is not there is refused', async (operation, message, code) => {
  await expect(call(operation, message)).rejects.toThrow(code)
})

test('a table is cut between partition keys, and a small one not at all', async () => {
  const table = await newTable(service, { tableMeta: { primaryKey: [{ name: 'n', type: 'INTEGER' }] } })
  const compute = (splitSize: number, splitSizeUnitInByte: number) =>
    call<{ splitPoints: Buffer[]; locations: { location: string; repeat: string }[] }>('ComputeSplitPointsBySize', {
      tableName: table,
      splitSize,
      splitSizeUnitInByte,
    })
  const unit = 1024 * 1024
  const empty = await compute(1, unit)
  expect(empty).toMatchObject({
    splitPoints: [],
    locations: [{ repeat: '1' }],
    consumed: { capacityUnit: { read: 1 } },
  })
  expect(empty.locations[0]?.location).toHaveLength(32)
  for (let n = 0; n < 5; n++) await put(service, table, [{ n: int(n) }], { v: 'v'.repeat(600_000) })
  const { splitPoints, locations } = await compute(1, unit)
  const points = splitPoints.map((bytes) => {
    const stream = new TableStore.PlainBufferInputStream(bytes)
    return Number(String(new TableStore.PlainBufferCodedInputStream(stream).readRow().primaryKey[0]?.value))
  })
  expect(points).toEqual([2, 4])
  expect(locations).toMatchObject([{ repeat: '3' }])
  await expect(compute(0, unit)).rejects.toThrow('The split_size should be greater than 0.')
  await expect(compute(1, unit - 1)).rejects.toThrow('split_size_unit_in_byte should be greater equal than: 1048576')
})
