import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, get, INF_MAX, INF_MIN, int, keyOf, newTable, openService, put } from './service.ts'

const service = await openService()
afterAll(service.close)

test('tables, rows, versions and indexes are there after a restart', async () => {
  const name = await newTable(service, {
    tableMeta: { definedColumn: [{ name: 'owner', type: TableStore.DefinedColumnType.DCT_STRING }] },
    indexMetas: [{ name: 'kept_index', primaryKey: ['owner'], definedColumn: [] }],
  })
  await put(service, name, [{ id: 'x' }], { owner: 'ann', n: int(9007199254740993n), b: Buffer.from([0, 255]) })
  const before = await service.client.getRow({ tableName: name, primaryKey: [{ id: 'x' }] })
  const described = JSON.stringify(await service.client.describeTable({ tableName: name }))

  await service.restart()

  const after = await service.client.getRow({ tableName: name, primaryKey: [{ id: 'x' }] })
  expect(columnsOf(after.row)).toEqual({ owner: 'ann', n: 9007199254740993n, b: Buffer.from([0, 255]) })
  expect(after.row?.attributes?.map((cell) => String(cell.timestamp))).toEqual(
    before.row?.attributes?.map((cell) => String(cell.timestamp)),
  )
  const withoutId = (text: string) => text.replace(/"RequestId":"[^"]*"/, '')
  expect(withoutId(JSON.stringify(await service.client.describeTable({ tableName: name })))).toBe(withoutId(described))
  const { rows } = await service.client.getRange({
    tableName: 'kept_index',
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ owner: 'ann' }, { id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ owner: 'ann' }, { id: INF_MAX }],
  })
  expect(rows.map(keyOf)).toEqual([{ owner: 'ann', id: 'x' }])
})

test('a table made after a restart shares nothing with one deleted before it', async () => {
  const name = await newTable(service)
  await put(service, name, [{ id: 'x' }], { a: 'old' })
  await service.client.deleteTable({ tableName: name })
  await service.restart()
  const fresh = await newTable(service)
  expect(await get(service, fresh, [{ id: 'x' }])).toBeUndefined()
})

test('every acknowledged write of many is there after a restart', async () => {
  const name = await newTable(service)
  await Promise.all(Array.from({ length: 200 }, (_, at) => put(service, name, [{ id: `${at}` }], { a: `${at}` })))
  await service.restart()
  const { rows } = await service.client.getRange({
    tableName: name,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: [{ id: INF_MIN }],
    exclusiveEndPrimaryKey: [{ id: INF_MAX }],
  })
  expect(rows).toHaveLength(200)
})
