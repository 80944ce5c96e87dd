import { expect, test } from 'vitest'
import { type TableClient, winWrite } from '../../../shared/tables/client.ts'
import { memoryTables } from '../../fakes/tables.ts'

const create = { table: 'accounts', key: [['username_key', 'ann']], expect: 'absent', put: { n: 1 } } as const

/** Loses the answer of the first write after its effect and repeats it, as a client with retries does. */
function repeating(tables: TableClient): TableClient {
  return {
    ...tables,
    write: async (write) => {
      await tables.write(write)
      return tables.write(write)
    },
  }
}

test('a write whose first answer was lost is known to have won', async () => {
  expect(await winWrite(repeating(memoryTables()), create)).toBe(true)
})

test('a write that came second is known to have lost', async () => {
  const tables = memoryTables()
  await winWrite(tables, create)
  expect(await winWrite(repeating(tables), create)).toBe(false)
})
