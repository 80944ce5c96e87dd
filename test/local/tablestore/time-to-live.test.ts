import TableStore, { type GetRangeParams } from 'tablestore'
import { expect, onTestFinished, test } from 'vitest'
import { ABSENT, get, IGNORE, INF_MAX, INF_MIN, keyOf, newTable, openService, put, refused } from './service.ts'

const DAY_MS = 86_400_000

async function expiring() {
  const service = await openService()
  onTestFinished(service.close)
  return { service, table: await newTable(service, { tableOptions: { timeToLive: 86_400 } }) }
}

test('a row is there until its time is over and then for nobody any more', async () => {
  const { service, table } = await expiring()
  const all: GetRangeParams = {
    tableName: table,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ id: INF_MAX }],
  }
  await put(service, table, [{ id: 'x' }], { a: 'a' })
  await put(service, table, [{ id: 'bare' }], {})
  service.advance(DAY_MS - 60_000)
  expect((await service.client.getRange(all)).rows).toHaveLength(2)
  await expect(put(service, table, [{ id: 'x' }], { a: 'b' }, ABSENT)).rejects.toMatchObject(
    refused('OTSConditionCheckFail'),
  )
  service.advance(120_000)
  expect(await get(service, table, [{ id: 'x' }])).toBeUndefined()
  expect((await service.client.getRange(all)).rows).toEqual([])
  await put(service, table, [{ id: 'x' }], { a: 'again' }, ABSENT)
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ a: 'again' })
})

test('each column has its own age', async () => {
  const { service, table } = await expiring()
  await put(service, table, [{ id: 'x' }], { old: 'old' })
  service.advance(DAY_MS / 2)
  await service.client.updateRow({
    tableName: table,
    primaryKey: [{ id: 'x' }],
    condition: IGNORE,
    updateOfAttributeColumns: [{ PUT: [{ young: 'young' }] }],
  })
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ old: 'old', young: 'young' })
  service.advance(DAY_MS / 2 + 1000)
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ young: 'young' })
})

test('a shorter or endless life takes effect on rows that are there', async () => {
  const { service, table } = await expiring()
  await put(service, table, [{ id: 'x' }], { a: 'a' })
  await service.client.updateTable({ tableName: table, tableOptions: { timeToLive: -1 } })
  service.advance(2 * DAY_MS)
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ a: 'a' })
  await service.client.updateTable({ tableName: table, tableOptions: { timeToLive: 86_400 } })
  expect(await get(service, table, [{ id: 'x' }])).toBeUndefined()
})

test('a column is not given a time that is over for it already', async () => {
  const service = await openService()
  onTestFinished(service.close)
  const table = await newTable(service, {
    tableOptions: { timeToLive: 86_400, maxTimeDeviation: 864_000 } as { timeToLive: number },
  })
  const putAt = (timestamp: number) =>
    service.client.putRow({
      tableName: table,
      primaryKey: [{ id: 'x' }],
      condition: IGNORE,
      attributeColumns: [{ a: 'a', timestamp }],
    })
  await expect(putAt(Date.now() - DAY_MS - 60_000)).rejects.toMatchObject(
    refused('OTSParameterInvalid', 'Invalid timestamp. Cell: a.'),
  )
  await putAt(Date.now() - DAY_MS + 60_000)
  await putAt(Date.now() + 9 * DAY_MS)
})

test('a clock that steps back does not hide what is written next', async () => {
  const { service, table } = await expiring()
  await put(service, table, [{ id: 'x' }], { a: 'first' })
  service.advance(-60_000)
  await service.client.updateRow({
    tableName: table,
    primaryKey: [{ id: 'x' }],
    condition: IGNORE,
    updateOfAttributeColumns: [{ PUT: [{ a: 'second' }] }],
  })
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ a: 'second' })
})

test('what is past its time leaves its indexes with the next write, and comes back in none of them', async () => {
  const service = await openService()
  onTestFinished(service.close)
  const index = 'by_owner'
  const table = await newTable(service, {
    tableMeta: { definedColumn: [{ name: 'owner', type: TableStore.DefinedColumnType.DCT_STRING }] },
    indexMetas: [{ name: index, primaryKey: ['owner'], definedColumn: [] }],
  })
  const setLife = (timeToLive: number, allowUpdate: boolean) =>
    service.client.updateTable({ tableName: table, tableOptions: { timeToLive, allowUpdate } as never })
  await setLife(86_400, false)
  await put(service, table, [{ id: 'replaced' }], { owner: 'old' })
  await put(service, table, [{ id: 'deleted' }], { owner: 'old' })
  service.advance(2 * DAY_MS)
  await put(service, table, [{ id: 'replaced' }], { owner: 'new' })
  await service.client.deleteRow({ tableName: table, primaryKey: [{ id: 'deleted' }], condition: IGNORE })
  await setLife(-1, true)
  const { rows } = await service.client.getRange({
    tableName: index,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ owner: INF_MIN }, { id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ owner: INF_MAX }, { id: INF_MAX }],
  })
  expect(rows.map(keyOf)).toEqual([{ owner: 'new', id: 'replaced' }])
  expect(await get(service, table, [{ id: 'deleted' }])).toBeUndefined()
})
