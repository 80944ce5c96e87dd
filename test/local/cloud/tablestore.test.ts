import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTablestore } from '../../../local/tablestore/index.ts'
import { openCredentials } from '../../../local/wire/credentials.ts'
import type { LocalServer } from '../../../local/wire/http.ts'
import { openSchema, openTables } from '../../../shared/cloud/tablestore.ts'
import { type Key, type Write, winWrite } from '../../../shared/tables/client.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

const account = { accountId: '1234567890', accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
const credentials = openCredentials(account, Date.now)
const instance = 'yunbo'
const table = 'rows'
let dataDir: string
let server: LocalServer
let proxy: FaultProxy

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cloud-tablestore-'))
  server = await startTablestore({ host: '127.0.0.1', port: 0, dataDir, instance, credentials, now: Date.now })
  proxy = await faultProxy(server.url)
  const schema = openSchema({ endpoint: server.url, instance }, account)
  await schema.create({ table, key: [{ name: 'id', type: 'string' }], ttlSeconds: -1 })
})
afterAll(async () => {
  await proxy.close()
  await server.close()
  await rm(dataDir, { recursive: true })
})

const tables = (keys: { accessKeyId: string; accessKeySecret: string; securityToken?: string } = account) =>
  openTables({ endpoint: proxy.url, instance }, keys, { requestId: 'r-1', baseDelayMs: 1, tries: 3, timeoutMs: 2000 })
const keyOf = (id: string): Key => [['id', id]]
const insert = (id: string): Write => ({ table, key: keyOf(id), expect: 'absent', put: { n: 1 } })

/** An error as the service encodes it: a protobuf message with code and text. */
function failure(code: string): Buffer {
  const field = (tag: number, text: string) => Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text)])
  return Buffer.concat([field(0x0a, code), field(0x12, 'because')])
}

test('a table that exists already is not an error for whoever creates it', async () => {
  const schema = openSchema({ endpoint: server.url, instance }, account)
  await schema.create({ table, key: [{ name: 'id', type: 'string' }], ttlSeconds: -1 })
  expect(await schema.list()).toContain(table)
})

test('credentials of a session work, and are not mixed up with those before', async () => {
  const session = credentials.issue({ role: 'worker', sessionName: 's', durationSeconds: 900 })
  const id = randomUUID()
  expect(await tables(session).write(insert(id))).toBe(true)
  expect(await tables(account).get(table, keyOf(id))).toEqual({ id, n: 1 })
  const wrong = { ...session, accessKeySecret: 'wrong' }
  await expect(tables(wrong).get(table, keyOf(id))).rejects.toMatchObject({ code: 'upstream_failed' })
})

test.each(['OTSServerBusy', 'OTSRowOperationConflict', 'OTSPartitionUnavailable', 'OTSTimeout'])(
  '%s is tried again, for reads and for writes',
  async (code) => {
    const id = randomUUID()
    proxy.next({ status: 503, body: failure(code) }, { status: 503, body: failure(code) })
    expect(await tables().write(insert(id))).toBe(true)
    proxy.next({ status: 503, body: failure(code) })
    expect(await tables().get(table, keyOf(id))).toEqual({ id, n: 1 })
  },
)

test('a service that stays busy is said to be busy, after the tries that were allowed', async () => {
  const busy = { status: 503, body: failure('OTSServerBusy') }
  const before = proxy.seen.length
  proxy.next(busy, busy, busy)
  await expect(tables().write(insert(randomUUID()))).rejects.toMatchObject({ code: 'upstream_busy' })
  expect(proxy.seen.slice(before)).toEqual(['POST /PutRow', 'POST /PutRow', 'POST /PutRow'])
})

test('a refusal is not tried again', async () => {
  const before = proxy.seen.length
  await expect(tables().get('no_such_table', keyOf('x'))).rejects.toMatchObject({
    code: 'upstream_failed',
    message: expect.stringContaining('OTSObjectNotExist'),
  })
  expect(proxy.seen.slice(before)).toEqual(['POST /GetRow'])
})

test('a write whose reply was lost has won, which its mark tells', async () => {
  const id = randomUUID()
  proxy.next('cut after')
  expect(await winWrite(tables(), insert(id))).toBe(true)
  expect(await winWrite(tables(), insert(id))).toBe(false)
})

test('a write that never arrived is made', async () => {
  const id = randomUUID()
  proxy.next('cut before')
  expect(await winWrite(tables(), insert(id))).toBe(true)
})

test('a service that never answers fails within the deadline', async () => {
  const impatient = openTables({ endpoint: proxy.url, instance }, account, {
    requestId: 'r',
    tries: 2,
    baseDelayMs: 1,
    timeoutMs: 50,
  })
  proxy.next('hang', 'hang')
  await expect(impatient.get(table, keyOf('x'))).rejects.toMatchObject({ code: 'upstream_busy' })
})

test('a range longer than one answer may be comes back whole', async () => {
  const name = `wide_${randomUUID().slice(0, 8)}`
  const schema = openSchema({ endpoint: server.url, instance }, account)
  const columns = ['group', 'n']
  await schema.create({
    table: name,
    key: [
      { name: 'group', type: 'string' },
      { name: 'n', type: 'integer' },
    ],
    ttlSeconds: -1,
  })
  const client = tables()
  const text = 'x'.repeat(200_000)
  const rows = Array.from({ length: 30 }, (_, n): Write => {
    const key: Key = [
      ['group', 'a'],
      ['n', n],
    ]
    return { table: name, key, expect: 'any', put: { text } }
  })
  for (let start = 0; start < rows.length; start += 10) await client.writeBatch(rows.slice(start, start + 10))
  const before = proxy.seen.length
  const all = await client.range({ table: name, prefix: [['group', 'a']], keyColumns: columns })
  expect(all.rows.map((row) => row.n)).toEqual(rows.map((_, n) => n))
  expect(all.next).toBeUndefined()
  expect(proxy.seen.length - before).toBeGreaterThan(1)
  const most = await client.range({ table: name, prefix: [['group', 'a']], keyColumns: columns, limit: 25 })
  expect(most.rows).toHaveLength(25)
  expect(most.next).toEqual([
    ['group', 'a'],
    ['n', 25],
  ])
})
