import { memoryTables } from '../fakes/tables.ts'
import { CONTRACT_INDEX, tablesContract } from './tables.ts'

tablesContract('memory', async () => ({
  client: memoryTables({ indexes: [CONTRACT_INDEX] }),
  settled: async () => {},
}))
