import TableStore from 'tablestore'
import { describe, expect, onTestFinished, test } from 'vitest'
import { get, IGNORE, int, newTable, openService, refused, rowsIn } from './service.ts'
import { decodeMessage, encodeMessage, readRecord } from './wire.ts'

const FAILED = refused('OTSInternalServerError')
const HOUR_MS = 3_600_000

async function ledger(isSlow: boolean) {
  const service = await openService()
  onTestFinished(service.close)
  if (isSlow) service.slowDisk()
  const table = await newTable(service, {
    tableMeta: {
      primaryKey: [
        { name: 'owner', type: 'STRING' },
        { name: 'n', type: 'INTEGER' },
      ],
      definedColumn: [{ name: 'v', type: TableStore.DefinedColumnType.DCT_STRING }],
    },
    indexMetas: [{ name: 'by_v', primaryKey: ['v'], definedColumn: [] }],
  })
  await service.client.updateTable({
    tableName: table,
    tableOptions: {},
    streamSpecification: { enableStream: true, expirationTime: 24 },
  } as never)
  const key = (n: number) => [{ owner: 'ann' }, { n: int(n) }]
  async function call<T>(operation: string, message: object): Promise<T> {
    const { body } = await service.post(operation, encodeMessage(`${operation}Request`, message))
    return decodeMessage<T>(`${operation}Response`, body)
  }
  const recorded = async () => {
    const { streams } = await call<{ streams: { streamId: string }[] }>('ListStream', { tableName: table })
    const streamId = streams[0]?.streamId
    const { shards } = await call<{ shards: { shardId: string }[] }>('DescribeStream', { streamId })
    const shardId = shards[0]?.shardId
    const { shardIterator } = await call<{ shardIterator: string }>('GetShardIterator', { streamId, shardId })
    const { streamRecords } = await call<{ streamRecords: { record: Uint8Array }[] }>('GetStreamRecord', {
      shardIterator,
    })
    return streamRecords.map(({ record }) => {
      const { key: columns, sequence } = readRecord(Buffer.from(record))
      return { n: columns[1]?.value?.readBigInt64LE(1), sequence }
    })
  }
  return {
    service,
    table,
    key,
    recorded,
    rows: () => rowsIn(service, table, ['owner', 'n']),
    index: () => rowsIn(service, 'by_v', ['v', 'owner', 'n']),
    put: (n: number, v: string, transactionId?: string) =>
      service.client.putRow({
        tableName: table,
        primaryKey: key(n),
        condition: IGNORE,
        attributeColumns: [{ v }],
        ...(transactionId ? { transactionId } : {}),
      }),
    start: async () => {
      const started = await service.client.startLocalTransaction({ tableName: table, primaryKey: [{ owner: 'ann' }] })
      return started.transactionId ?? ''
    },
    /** Everything fails that happens meanwhile. */
    async whileFull(work: () => Promise<unknown>) {
      service.fillDisk(true)
      await expect(work()).rejects.toMatchObject(FAILED)
      service.fillDisk(false)
    },
  }
}

describe.each([
  ['on this thread', false],
  ["on lmdb's own", true],
])('a commit that fails %s', (_, isSlow) => {
  test('leaves no row, index row or record, and what comes next is whole', async () => {
    const { service, put, rows, index, recorded, whileFull } = await ledger(isSlow)
    await put(1, 'one')
    await whileFull(() => put(1, 'lost'))
    await whileFull(async () => {
      const [one, other] = await Promise.allSettled([put(2, 'lost'), put(3, 'lost')])
      expect(one.status).toBe('rejected')
      if (other.status === 'rejected') throw other.reason
    })
    await put(4, 'four')
    const state = async () => [await rows(), await index(), (await recorded()).map(({ n }) => n)]
    const before = await state()
    expect(before).toEqual([
      [
        { owner: 'ann', n: 1n, v: 'one' },
        { owner: 'ann', n: 4n, v: 'four' },
      ],
      [
        { v: 'four', owner: 'ann', n: 4n },
        { v: 'one', owner: 'ann', n: 1n },
      ],
      [1n, 4n],
    ])
    await service.restart()
    expect(await state()).toEqual(before)
  })

  test('forgets no change of an index that was waiting, and keeps none that was refused', async () => {
    const { service, put, index, whileFull } = await ledger(isSlow)
    await service.setIndexLag(HOUR_MS)
    await put(1, 'one')
    await whileFull(() => put(2, 'lost'))
    await put(3, 'three')
    service.advance(HOUR_MS + 1000)
    await whileFull(index)
    const expected = [
      { v: 'one', owner: 'ann', n: 1n },
      { v: 'three', owner: 'ann', n: 3n },
    ]
    expect(await index()).toEqual(expected)
    await service.restart()
    expect(await index()).toEqual(expected)
  })

  test('leaves the clock of streams as it was', async () => {
    const { service, put, recorded, whileFull } = await ledger(isSlow)
    service.advance(HOUR_MS)
    await whileFull(() => put(1, 'lost'))
    service.advance(-HOUR_MS)
    await put(2, 'two')
    const [record] = await recorded()
    expect(Math.abs(Number((record?.sequence ?? 0n) / 1000n) - Date.now())).toBeLessThan(HOUR_MS / 2)
  })

  test('leaves the lag of indexes as it was', async () => {
    const { service, put, index } = await ledger(isSlow)
    await service.setIndexLag(HOUR_MS)
    await put(1, 'one')
    service.fillDisk(true)
    await expect(service.setIndexLag(0)).rejects.toThrow('no space left')
    service.fillDisk(false)
    await put(2, 'two')
    expect(await index()).toEqual([])
    await service.setIndexLag(0)
    expect(await index()).toHaveLength(2)
  })

  test('leaves tables as they were', async () => {
    const { service, table, whileFull, put } = await ledger(isSlow)
    const { client } = service
    await put(1, 'one')
    const names = async () => (await client.listTable({})).tableNames
    const before = await client.describeTable({ tableName: table })
    await whileFull(() => newTable(service))
    await whileFull(() => client.deleteTable({ tableName: table }))
    const streamSpecification = { enableStream: false }
    const noStream = { tableName: table, tableOptions: {}, streamSpecification } as never
    await whileFull(() => client.updateTable(noStream))
    await whileFull(() => client.dropIndex({ mainTableName: table, indexName: 'by_v' }))
    expect(await names()).toEqual([table])
    const after = await client.describeTable({ tableName: table })
    expect({ ...after, RequestId: '' }).toEqual({ ...before, RequestId: '' })
    expect(await get(service, 'by_v', [{ v: 'one' }, { owner: 'ann' }, { n: int(1) }])).toEqual({})
  })

  test('leaves a transaction open, without what was not acknowledged', async () => {
    const { service, put, start, rows, whileFull } = await ledger(isSlow)
    const transactionId = await start()
    await put(1, 'one', transactionId)
    await whileFull(() => put(1, 'lost', transactionId))
    await whileFull(() => put(2, 'lost', transactionId))
    await whileFull(() => service.client.commitTransaction({ transactionId }))
    await whileFull(() => service.client.abortTransaction({ transactionId }))
    await expect(put(3, 'other')).rejects.toMatchObject(refused('OTSRowOperationConflict'))
    expect(await rows()).toEqual([])
    await put(4, 'four', transactionId)
    await service.client.commitTransaction({ transactionId })
    const expected = [
      { owner: 'ann', n: 1n, v: 'one' },
      { owner: 'ann', n: 4n, v: 'four' },
    ]
    expect(await rows()).toEqual(expected)
    await put(3, 'free')
    await service.restart()
    expect(await rows()).toHaveLength(3)
  })

  test('gives back to a transaction the room that it would have taken', async () => {
    const { service, table, key, start, rows, whileFull } = await ledger(isSlow)
    const transactionId = await start()
    const attributeColumns = [{ large: 'x'.repeat(1_900_000) }]
    const putLarge = (n: number) =>
      service.client.putRow({
        tableName: table,
        primaryKey: key(n),
        condition: IGNORE,
        attributeColumns,
        transactionId,
      })
    for (let n = 1; n <= 3; n++) await whileFull(() => putLarge(n))
    await putLarge(1)
    await putLarge(2)
    await service.client.commitTransaction({ transactionId })
    expect(await rows()).toHaveLength(2)
  })
})
