import TableStore, { type PrimaryKeyInput } from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { ABSENT, get, IGNORE, int, NEXT_NUMBER, newTable, openService, put, refused, where } from './service.ts'

const service = await openService()
afterAll(service.close)
const SCHEMA = {
  tableMeta: {
    primaryKey: [
      { name: 'app', type: 'STRING' as const },
      { name: 'seq', type: 'INTEGER' as const, option: 'AUTO_INCREMENT' as const },
    ],
  },
}
const NEXT: PrimaryKeyInput = [{ app: 'a' }, { seq: NEXT_NUMBER }]

async function append(tableName: string): Promise<bigint> {
  const { row } = await service.client.putRow({
    tableName,
    primaryKey: NEXT,
    condition: IGNORE,
    attributeColumns: [{ body: 'x' }],
    returnContent: { returnType: TableStore.ReturnType.Primarykey },
  })
  return BigInt(String(row?.primaryKey?.[1]?.value))
}

test('numbers only grow, also for writers at once and after a restart, and lead back to the row', async () => {
  const table = await newTable(service, SCHEMA)
  const first = await append(table)
  const burst = await Promise.all(Array.from({ length: 20 }, () => append(table)))
  expect(new Set(burst).size).toBe(20)
  expect(burst.every((number) => number > first)).toBe(true)
  await service.restart()
  service.advance(-3_600_000)
  const after = await append(table)
  service.advance(3_600_000)
  expect(burst.every((number) => number < after)).toBe(true)
  expect(await get(service, table, [{ app: 'a' }, { seq: int(after) }])).toEqual({ body: 'x' })
})

test('the number comes in batches too', async () => {
  const table = await newTable(service, SCHEMA)
  const row = {
    type: 'PUT' as const,
    primaryKey: NEXT,
    condition: IGNORE,
    attributeColumns: [{ body: 'x' }],
    returnContent: { returnType: TableStore.ReturnType.Primarykey },
  }
  const { tables } = await service.client.batchWriteRow({ tables: [{ tableName: table, rows: [row, row] }] })
  const [one, two] = tables.map((each) => BigInt(String(each.primaryKey?.[1]?.value)))
  expect(two).toBeGreaterThan(one ?? 0n)
})

test('an existing row is changed by its number', async () => {
  const table = await newTable(service, SCHEMA)
  const seq = int(await append(table))
  await service.client.updateRow({
    tableName: table,
    primaryKey: [{ app: 'a' }, { seq }],
    condition: IGNORE,
    updateOfAttributeColumns: [{ PUT: [{ confirmed: true }] }],
  })
  expect(await get(service, table, [{ app: 'a' }, { seq }])).toEqual({ body: 'x', confirmed: true })
})

test('nothing can be expected of a row that gets its number now, and it cannot be read or deleted', async () => {
  const table = await newTable(service, SCHEMA)
  await expect(put(service, table, NEXT, { a: 'a' }, ABSENT)).rejects.toMatchObject(refused('OTSParameterInvalid'))
  await expect(put(service, table, NEXT, { a: 'a' }, where('a', 'a'))).rejects.toMatchObject(
    refused('OTSParameterInvalid'),
  )
  await expect(get(service, table, NEXT)).rejects.toMatchObject(refused('OTSParameterInvalid', 'PKAutoIncr'))
  await expect(
    service.client.deleteRow({ tableName: table, primaryKey: NEXT, condition: IGNORE }),
  ).rejects.toMatchObject(refused('OTSParameterInvalid'))
  const plain = await newTable(service)
  await expect(put(service, plain, [{ id: NEXT_NUMBER }], { a: 'a' })).rejects.toMatchObject(refused('OTSInvalidPK'))
})
