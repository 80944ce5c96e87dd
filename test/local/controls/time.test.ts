import TableStore from 'tablestore'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStage, type Stage } from './stage.ts'

const HOUR = 3_600_000
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})
afterAll(() => stage.dispose())

test.each(['built-in', 'custom'] as const)(
  'a %s runtime that is running sees the clock move at once',
  async (which) => {
    const before = await stage.tell(which)
    await stage.local.advance(5 * HOUR)
    const after = await stage.tell(which)
    expect(after.pid).toBe(before.pid)
    expect(after.now - before.now).toBeGreaterThanOrEqual(5 * HOUR)
    expect(Math.abs(after.now - stage.local.now())).toBeLessThan(5000)
    expect(after.date - after.now).toBeLessThan(1000)
    expect(Math.abs(Date.parse(after.text) - after.now)).toBeLessThan(2000)
    // How long something took is not what moves.
    expect(after.worn - before.worn).toBeLessThan(60_000)
  },
)

test('a presigned URL expires as soon as the clock has passed its time', async () => {
  const oss = stage.oss({ authorizationV4: false } as object)
  await oss.put('signed', Buffer.from('x'))
  const url = oss.signatureUrl('signed', { expires: Math.floor((stage.local.now() - Date.now()) / 1000) + 600 })
  expect((await fetch(url)).status).toBe(200)
  await stage.local.advance(HOUR)
  const refused = await fetch(url)
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('Request has expired.')])
})

test('a signature may carry the real time or the moved one, and none between', async () => {
  await stage.local.advance(5 * HOUR)
  const moved = stage.local.now() - Date.now()
  const put = (skewMs: number) => {
    const client = stage.oss()
    Reflect.set(Reflect.get(client, 'options'), 'amendTimeSkewed', skewMs)
    return client.put('skewed', Buffer.from('x'))
  }
  await put(0)
  await put(moved)
  await expect(put(moved / 2)).rejects.toMatchObject({ code: 'RequestTimeTooSkewed' })
  await expect(stage.tablestore().listTable({})).resolves.toBeDefined()
})

test('rows are gone when the clock has passed their time to live', async () => {
  const client = stage.tablestore()
  await createTable(client, 'short', 86_400)
  const row = { tableName: 'short', primaryKey: [{ id: 'x' }] }
  const condition = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)
  await client.putRow({ ...row, condition, attributeColumns: [{ a: 'a' }] })
  await stage.local.advance(23 * HOUR)
  expect((await client.getRow({ ...row, maxVersions: 1 })).row).toMatchObject({ attributes: [{ columnName: 'a' }] })
  await stage.local.advance(2 * HOUR)
  expect((await client.getRow({ ...row, maxVersions: 1 })).row).not.toMatchObject({ attributes: [expect.anything()] })
})

async function createTable(client: TableStore.Client, tableName: string, timeToLive: number): Promise<void> {
  await client.createTable({
    tableMeta: { tableName, primaryKey: [{ name: 'id', type: 'STRING' }] },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive, maxVersions: 1 },
  } as Parameters<TableStore.Client['createTable']>[0])
}
