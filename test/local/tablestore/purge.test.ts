import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import TableStore from 'tablestore'
import { expect, onTestFinished, test, vi } from 'vitest'
import { rowKey } from '../../../local/tablestore/rows.ts'
import type { Table } from '../../../local/tablestore/schema.ts'
import { openStore } from '../../../local/tablestore/store.ts'
import { get, IGNORE, int, newTable, openService, put, rowsIn } from './service.ts'
import { decodeMessage, encodeMessage } from './wire.ts'

const DAY_MS = 86_400_000
const KEY = [
  { name: 'owner', type: 'STRING' as const },
  { name: 'n', type: 'INTEGER' as const },
]
const INDEX = 'by_v'

/** A table whose rows live for a day, maybe with an index (which wants a table without updates) and a stream. */
async function expiring(indexed = false) {
  const service = await openService()
  onTestFinished(service.close)
  const table = await newTable(service, {
    tableMeta: {
      primaryKey: KEY,
      definedColumn: [{ name: 'v', type: TableStore.DefinedColumnType.DCT_STRING }],
    },
    tableOptions: { maxVersions: indexed ? 1 : 3 },
    ...(indexed ? { indexMetas: [{ name: INDEX, primaryKey: ['v'], definedColumn: [] }] } : {}),
  })
  const setLife = (timeToLive: number) =>
    service.client.updateTable({ tableName: table, tableOptions: { timeToLive, allowUpdate: !indexed } as never })
  await setLife(86_400)
  return {
    service,
    table,
    key: (n: number) => [{ owner: 'ann' }, { n: int(n) }],
    setLife,
    /** What is on the disk shows again when nothing expires any more. */
    async stored() {
      await setLife(-1)
      return rowsIn(service, table, ['owner', 'n'])
    },
    index: () => rowsIn(service, INDEX, ['v', 'owner', 'n']),
  }
}

/** Rows in batches of 200. */
async function putMany({ service, table, key }: Awaited<ReturnType<typeof expiring>>, count: number, v: string) {
  for (let from = 0; from < count; from += 200) {
    const rows = Array.from({ length: Math.min(200, count - from) }, (_, at) => ({
      type: 'PUT' as const,
      primaryKey: key(from + at),
      condition: IGNORE,
      attributeColumns: [{ v }],
    }))
    await service.client.batchWriteRow({ tables: [{ tableName: table, rows }] })
  }
}

test('what is past its time leaves the disk, many rows of it too, and what is not stays', async () => {
  const { service, table, key, stored, ...rest } = await expiring()
  await putMany({ service, table, key, stored, ...rest }, 700, 'old')
  service.advance(DAY_MS / 2)
  await put(service, table, key(1000), { v: 'young' })
  service.advance(DAY_MS / 2 + 1000)
  await service.purge()
  expect(await stored()).toEqual([{ owner: 'ann', n: 1000n, v: 'young' }])
})

test('without a purge it is still there, which the other tests rest on', async () => {
  const { service, table, key, stored } = await expiring()
  await put(service, table, key(1), { v: 'old' })
  service.advance(2 * DAY_MS)
  expect(await stored()).toHaveLength(1)
})

test('a row keeps those of its cells and versions that are not past their time', async () => {
  const { service, table, key, setLife } = await expiring()
  const update = (columns: Record<string, string>[]) =>
    service.client.updateRow({
      tableName: table,
      primaryKey: key(1),
      condition: IGNORE,
      updateOfAttributeColumns: [{ PUT: columns }],
    })
  await update([{ v: 'oldest' }, { gone: 'gone' }])
  service.advance(DAY_MS / 2)
  await update([{ v: 'older' }])
  await update([{ v: 'young' }, { other: 'other' }])
  service.advance(DAY_MS / 2 + 1000)
  await service.purge()
  await setLife(-1)
  const { row } = await service.client.getRow({ tableName: table, primaryKey: key(1), maxVersions: 3 })
  expect(row?.attributes?.map(({ columnName, columnValue }) => `${columnName} ${columnValue}`)).toEqual([
    'other other',
    'v young',
    'v older',
  ])
})

test.each([0, 3_600_000])(
  'rows of indexes go with those of their table, and streams tell nothing (lag %i)',
  async (lag) => {
    const { service, table, key, setLife, index, stored } = await expiring(true)
    const streamSpecification = { enableStream: true, expirationTime: 24 }
    await put(service, table, key(1), { v: 'old' })
    service.advance(DAY_MS / 2)
    await put(service, table, key(2), { v: 'young' })
    await service.client.updateTable({ tableName: table, tableOptions: {}, streamSpecification } as never)
    await service.setIndexLag(lag)
    service.advance(DAY_MS / 2 + 1000)
    await service.purge()
    await setLife(-1)
    expect(await index()).toHaveLength(lag === 0 ? 1 : 2)
    await service.setIndexLag(0)
    expect(await index()).toEqual([{ v: 'young', owner: 'ann', n: 2n }])
    expect(await stored()).toHaveLength(1)
    const streams = await service.post('ListStream', encodeMessage('ListStreamRequest', { tableName: table }))
    const [stream] = decodeMessage<{ streams: { streamId: string }[] }>('ListStreamResponse', streams.body).streams
    const described = await service.post(
      'DescribeStream',
      encodeMessage('DescribeStreamRequest', { streamId: stream?.streamId }),
    )
    const [shard] = decodeMessage<{ shards: { shardId: string }[] }>('DescribeStreamResponse', described.body).shards
    const at = await service.post(
      'GetShardIterator',
      encodeMessage('GetShardIteratorRequest', { streamId: stream?.streamId, shardId: shard?.shardId }),
    )
    const { shardIterator } = decodeMessage<{ shardIterator: string }>('GetShardIteratorResponse', at.body)
    const read = await service.post('GetStreamRecord', encodeMessage('GetStreamRecordRequest', { shardIterator }))
    expect(decodeMessage<{ streamRecords: object[] }>('GetStreamRecordResponse', read.body).streamRecords).toEqual([])
  },
)

test('a time to live that is raised before the purge saves what it makes visible again', async () => {
  const { service, table, key, setLife, stored } = await expiring()
  await put(service, table, key(1), { v: 'saved' })
  service.advance(2 * DAY_MS)
  await setLife(864_000)
  await service.purge()
  expect(await get(service, table, key(1))).toEqual({ v: 'saved' })
  service.advance(9 * DAY_MS)
  await service.purge()
  expect(await stored()).toEqual([])
})

test('a time to live that is lowered takes effect on a table that was looked through before', async () => {
  const { service, table, key, setLife, stored } = await expiring()
  await setLife(864_000)
  await put(service, table, key(1), { v: 'x' })
  await service.purge()
  service.advance(2 * DAY_MS)
  await service.purge()
  await setLife(86_400)
  await service.purge()
  expect(await stored()).toEqual([])
})

test('a row that is given a time in the past is found too', async () => {
  const { service, table, key, stored } = await expiring()
  await service.purge()
  service.advance(60_000)
  const timestamp = Date.now() - DAY_MS / 2
  await service.client.putRow({
    tableName: table,
    primaryKey: key(1),
    condition: IGNORE,
    attributeColumns: [{ v: 'x', timestamp }],
  })
  await service.purge()
  service.advance(DAY_MS / 2)
  await service.purge()
  expect(await stored()).toEqual([{ owner: 'ann', n: 1n }])
})

test('rows that are written while the purge goes on are all there afterwards', async () => {
  const opened = await expiring()
  await putMany(opened, 600, 'old')
  opened.service.advance(2 * DAY_MS)
  await Promise.all([opened.service.purge(), putMany(opened, 600, 'new'), opened.service.purge()])
  const rows = await opened.stored()
  expect(rows).toHaveLength(600)
  expect(rows.every((row) => 'v' in row && row.v === 'new')).toBe(true)
})

test('a transaction on the partition that is purged commits as if nothing had happened', async () => {
  const { service, table, key, stored, index } = await expiring(true)
  await put(service, table, key(1), { v: 'old' })
  await put(service, table, key(2), { v: 'old' })
  service.advance(2 * DAY_MS)
  const { transactionId } = await service.client.startLocalTransaction({
    tableName: table,
    primaryKey: [{ owner: 'ann' }],
  })
  await service.client.putRow({
    tableName: table,
    primaryKey: key(1),
    condition: IGNORE,
    attributeColumns: [{ v: 'new' }],
    transactionId: transactionId ?? '',
  })
  await service.purge()
  expect(await get(service, table, key(1), { transactionId })).toEqual({ v: 'new' })
  await service.client.commitTransaction({ transactionId: transactionId ?? '' })
  expect(await stored()).toEqual([{ owner: 'ann', n: 1n, v: 'new' }])
  expect(await index()).toEqual([{ v: 'new', owner: 'ann', n: 1n }])
})

test.each(['goes on', 'is started again'])(
  'a purge that the disk stops half-way ends the same when the service %s',
  async (how) => {
    const opened = await expiring(true)
    const { service, stored, index } = opened
    await putMany(opened, 600, 'old')
    service.advance(2 * DAY_MS)
    service.fillDisk(true)
    await expect(service.purge()).rejects.toThrow('no space left')
    service.fillDisk(false)
    if (how !== 'goes on') await service.restart()
    await service.purge()
    expect(await stored()).toEqual([])
    expect(await index()).toEqual([])
  },
)

const KEY_OF_X = [{ name: 'id', value: { type: 'STRING' as const, value: 'x' } }]

/** A store with a clock and one table, whose one row has no cells. */
async function bareStore() {
  const folder = await mkdtemp(join(tmpdir(), 'purge-'))
  const clock = { now: Date.now() }
  const table: Table = {
    id: 1,
    name: 'table',
    key: [{ name: 'id', type: 'STRING', autoIncrement: false }],
    defined: [],
    options: { timeToLive: 86_400, maxVersions: 1, deviationSeconds: 86_400, allowUpdate: true },
    throughput: { read: 0, write: 0 },
    throughputSetAt: 0,
    indexes: [],
  }
  const place = rowKey(table, KEY_OF_X)
  const bare = {
    clock,
    table,
    store: openStore(folder, () => clock.now),
    row: () => bare.store.row(place),
    write: () =>
      bare.store.change((writer) => writer.putRow(place, { key: KEY_OF_X, cells: [], writtenAt: clock.now })),
    async reopen() {
      await bare.store.close()
      bare.store = openStore(folder, () => clock.now)
    },
  }
  await bare.store.change((writer) => writer.saveTable(table))
  onTestFinished(async () => {
    await bare.store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return bare
}

test('it begins when the store is opened, and again every ten minutes', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const bare = await bareStore()
  await bare.write()
  bare.clock.now += 2 * DAY_MS
  await bare.reopen()
  await vi.waitFor(() => expect(bare.row()).toBeUndefined())
  await bare.write()
  bare.clock.now += 2 * DAY_MS
  vi.advanceTimersByTime(9 * 60_000)
  await bare.store.change(() => undefined)
  expect(bare.row()).toBeDefined()
  vi.advanceTimersByTime(60_000)
  await vi.waitFor(() => expect(bare.row()).toBeUndefined())
})

test('a row is judged by the options that its table has in the moment when it would go', async () => {
  const { store, table, clock, row, write } = await bareStore()
  await write()
  clock.now += 2 * DAY_MS
  const longer = { ...table, options: { ...table.options, timeToLive: 864_000 } }
  // The purge has begun with the table as it was before.
  await Promise.all([store.change((writer) => writer.saveTable(longer)), store.purge()])
  expect(row()).toBeDefined()
  const gone = store.change((writer) => writer.dropTable(longer))
  await Promise.all([gone, store.purge()])
  expect(row()).toBeUndefined()
})
