import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { startTablestore } from '../../local/tablestore/index.ts'
import { openCredentials } from '../../local/wire/credentials.ts'
import type { LocalServer } from '../../local/wire/http.ts'
import { openSchema, openTables } from '../../shared/cloud/tablestore.ts'
import { CONTRACT_SCHEMA, tablesContract } from './tables.ts'

const account = { accountId: '1234567890', accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
const instance = 'yunbo'
let dataDir: string
let server: LocalServer

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tables-contract-'))
  const credentials = openCredentials(account, Date.now)
  server = await startTablestore({ host: '127.0.0.1', port: 0, dataDir, instance, credentials, now: Date.now })
  const schema = openSchema({ endpoint: server.url, instance }, account)
  for (const definition of CONTRACT_SCHEMA) await schema.create(definition)
})
afterAll(async () => {
  await server.close()
  await rm(dataDir, { recursive: true })
})

tablesContract('the vendor SDK and the local service', async () => ({
  client: openTables({ endpoint: server.url, instance }, account, { requestId: 'r-1' }),
  settled: async () => {},
}))
