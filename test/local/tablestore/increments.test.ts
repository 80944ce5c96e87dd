import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, get, IGNORE, int, newTable, openService, put, refused } from './service.ts'

const service = await openService()
afterAll(service.close)
const table = await newTable(service)

const add = (id: string, by: bigint | number) =>
  service.client.updateRow({
    tableName: table,
    primaryKey: [{ id }],
    condition: IGNORE,
    updateOfAttributeColumns: [{ INCREMENT: [{ n: int(by) }] }],
    returnContent: { returnType: TableStore.ReturnType.AfterModify, returnColumns: ['n'] },
  })

test('a counter starts at nothing, goes up and down, and answers its new value', async () => {
  expect(columnsOf((await add('a', 5)).row)).toEqual({ n: 5n })
  expect(columnsOf((await add('a', -7)).row)).toEqual({ n: -2n })
  expect(await get(service, table, [{ id: 'a' }])).toEqual({ n: -2n })
})

test('a hundred increments at once are all counted', async () => {
  await Promise.all(Array.from({ length: 100 }, () => add('b', 1)))
  expect(await get(service, table, [{ id: 'b' }])).toEqual({ n: 100n })
})

test.each([
  ['a string', 'text', 1n],
  ['a double', 1, 1n],
  ['the largest integer', int(9223372036854775807n), 1n],
  ['the smallest integer', int(-9223372036854775808n), -1n],
])('incrementing %s is refused and changes nothing', async (_, start, by) => {
  await put(service, table, [{ id: 'c' }], { n: start })
  const before = await get(service, table, [{ id: 'c' }])
  await expect(add('c', by)).rejects.toMatchObject(refused('OTSParameterInvalid'))
  expect(await get(service, table, [{ id: 'c' }])).toEqual(before)
})

test('a column cannot be incremented and put in one update', async () => {
  await expect(
    service.client.updateRow({
      tableName: table,
      primaryKey: [{ id: 'd' }],
      condition: IGNORE,
      updateOfAttributeColumns: [{ INCREMENT: [{ n: int(1) }] }, { PUT: [{ n: int(1) }] }],
    }),
  ).rejects.toMatchObject(refused('OTSParameterInvalid'))
})
