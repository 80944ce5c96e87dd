import TableStore, { type CellValue, type CreateTableParams, type GetRangeParams, type PutRowParams } from 'tablestore'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  ABSENT,
  columnsOf,
  EXIST,
  IGNORE,
  INF_MAX,
  INF_MIN,
  int,
  keyOf,
  refused,
  where,
} from '../local/tablestore/service.ts'
import { type Keys, openTarget, uniqueName } from './target.ts'

/*
 * What Tablestore promises, as far as rows that many functions change at once stand on it; each test fails where the
 * promise is broken. The address above a test is where the promise is made.
 */
const target = await openTarget()
const client = connect()
afterAll(() => target.close())

type PrimaryKey = PutRowParams['primaryKey']

function connect(keys: Keys = target.keys) {
  const { endpoint, instance } = target.tablestore
  const { accessKeyId, accessKeySecret, securityToken } = keys
  const token = securityToken ? { stsToken: securityToken } : {}
  return new TableStore.Client({
    accessKeyId,
    accessKeySecret,
    ...token,
    endpoint,
    instancename: instance,
    maxRetries: 0,
  })
}

type Changes = Pick<CreateTableParams, 'indexMetas' | 'tableOptions'> & { key?: object[]; columns?: object[] }

/** Makes a table that is gone when the test is over. */
async function table({ key = [{ name: 'id', type: 'STRING' }], columns = [], ...more }: Partial<Changes> = {}) {
  const tableName = uniqueName('t').replace('-', '_')
  await client.createTable({
    tableMeta: { tableName, primaryKey: key, definedColumn: columns },
    tableOptions: { timeToLive: -1, maxVersions: 1 },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    ...more,
  } as CreateTableParams)
  onTestFinished(async () => void (await client.deleteTable({ tableName })))
  // A new table of the service is there some seconds later.
  const first = () => client.getRange({ ...everything(tableName, key.length), limit: 1 })
  if (target.isRemote) await vi.waitFor(first, { timeout: 60_000, interval: 1000 })
  return tableName
}

function everything(tableName: string, columns = 1, names = ['id', 'n']): GetRangeParams {
  const bound = (value: typeof INF_MIN): PrimaryKey => names.slice(0, columns).map((name) => ({ [name]: value }))
  return {
    tableName,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: bound(INF_MIN),
    exclusiveEndPrimaryKey: bound(INF_MAX),
    maxVersions: 1,
  }
}

const id = (value: string): PrimaryKey => [{ id: value }]

function put(tableName: string, primaryKey: PrimaryKey, columns: Record<string, CellValue> = {}, condition = IGNORE) {
  const attributeColumns = Object.entries(columns).map(([name, value]) => ({ [name]: value }))
  return client.putRow({ tableName, primaryKey, condition, attributeColumns })
}

async function read(tableName: string, primaryKey: PrimaryKey) {
  return columnsOf((await client.getRow({ tableName, primaryKey, maxVersions: 1 })).row)
}

// https://help.aliyun.com/zh/tablestore/developer-reference/conditional-update
describe('conditions', () => {
  test('let one of many writers win, and the others know', async () => {
    const name = await table()
    const writers = Array.from({ length: 10 }, (_, n) => put(name, id('row'), { n: int(n) }, ABSENT))
    const results = await Promise.allSettled(writers)
    const winners = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
    expect(winners).toHaveLength(1)
    expect(await read(name, id('row'))).toEqual({ n: BigInt(winners[0] ?? -1) })
    await expect(put(name, id('row'), {}, ABSENT)).rejects.toMatchObject(refused('OTSConditionCheckFail'))
    await expect(put(name, id('other'), {}, EXIST)).rejects.toMatchObject(refused('OTSConditionCheckFail'))
  })

  test('on a column that is missing pass only when that is wanted', async () => {
    const name = await table()
    await put(name, id('row'), { a: 'x' })
    const on = (pass: boolean) => where('missing', 'x', TableStore.ComparatorType.EQUAL, pass)
    await expect(put(name, id('row'), { a: 'y' }, on(false))).rejects.toMatchObject(refused('OTSConditionCheckFail'))
    await put(name, id('row'), { a: 'y' }, on(true))
    expect(await read(name, id('row'))).toEqual({ a: 'y' })
  })
})

describe('rows', () => {
  // https://help.aliyun.com/zh/tablestore/developer-reference/atomic-counters
  test('count exactly, whoever counts', async () => {
    const name = await table()
    const count = () =>
      client.updateRow({
        tableName: name,
        primaryKey: id('counter'),
        condition: IGNORE,
        updateOfAttributeColumns: [{ INCREMENT: [{ n: int(2) }] }],
        returnContent: { returnType: TableStore.ReturnType.AfterModify, returnColumns: ['n'] },
      } as Parameters<typeof client.updateRow>[0])
    const answers = await Promise.all(Array.from({ length: 8 }, count))
    const seen = answers.map(({ row }) => Number(columnsOf({ ...row, primaryKey: [] } as TableStore.Row)?.n))
    expect(seen.toSorted((a, b) => a - b)).toEqual([2, 4, 6, 8, 10, 12, 14, 16])
  })

  // https://help.aliyun.com/zh/tablestore/developer-reference/configure-an-auto-increment-primary-key-column
  test('get a growing number from the service', async () => {
    const number = { name: 'n', type: 'INTEGER', option: 'AUTO_INCREMENT' }
    const name = await table({ key: [{ name: 'id', type: 'STRING' }, number] })
    const numbers = []
    for (let turn = 0; turn < 3; turn += 1) {
      const { row } = await client.putRow({
        tableName: name,
        primaryKey: [{ id: 'a' }, { n: TableStore.PK_AUTO_INCR }],
        condition: IGNORE,
        attributeColumns: [{ turn: int(turn) }],
        returnContent: { returnType: TableStore.ReturnType.Primarykey },
      } as PutRowParams)
      numbers.push(keyOf(row).n as bigint)
    }
    expect(numbers).toEqual(numbers.toSorted((a, b) => (a < b ? -1 : 1)))
    expect(new Set(numbers).size).toBe(3)
  })

  // https://help.aliyun.com/zh/tablestore/product-overview/general-limits
  test.each([
    ['a key of more than 1 KB', (name: string) => put(name, id('k'.repeat(1025)))],
    ['a column of more than 2 MB', (name: string) => put(name, id('row'), { a: 'x'.repeat(2 * 1024 * 1024 + 1) })],
    ['a key that the table does not have', (name: string) => put(name, [{ other: 'x' }])],
  ])('are refused with %s', async (_name, attempt) => {
    const name = await table()
    await expect(attempt(name)).rejects.toMatchObject({ code: 400 })
    const { rows } = await client.getRange(everything(name))
    expect(rows).toEqual([])
  })
})

// https://help.aliyun.com/zh/tablestore/developer-reference/getrange
describe('ranges', () => {
  test('go in the order of the keys, forwards and backwards, page by page', async () => {
    const name = await table()
    const ids = ['', 'B', 'a', 'aa', 'ä', '🎬']
    for (const value of ids.toReversed()) await put(name, id(value), { a: 'x' })
    const order = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await pages(everything(name))).toEqual(order)
    const { inclusiveStartPrimaryKey, exclusiveEndPrimaryKey } = everything(name)
    const backwards = {
      ...everything(name),
      direction: TableStore.Direction.BACKWARD,
      inclusiveStartPrimaryKey: exclusiveEndPrimaryKey,
      exclusiveEndPrimaryKey: inclusiveStartPrimaryKey,
    }
    expect(await pages(backwards)).toEqual(order.toReversed())
    const half = { ...everything(name), inclusiveStartPrimaryKey: id('a'), exclusiveEndPrimaryKey: id('ä') }
    expect(await pages(half)).toEqual(['a', 'aa'])
  })

  async function pages(range: GetRangeParams): Promise<unknown[]> {
    const found: unknown[] = []
    let from: unknown = range.inclusiveStartPrimaryKey
    while (from) {
      const page = await client.getRange({ ...range, inclusiveStartPrimaryKey: from as PrimaryKey, limit: 2 })
      expect(page.rows.length).toBeLessThanOrEqual(2)
      found.push(...page.rows.map((row) => keyOf(row).id))
      const next = page.nextStartPrimaryKey as { name: string; value: string }[] | null
      from = next?.map(({ name, value }) => ({ [name]: value }))
    }
    return found
  }
})

describe('batches', () => {
  // https://help.aliyun.com/zh/tablestore/developer-reference/batchwriterow
  test('tell for each row how it went', async () => {
    const name = await table()
    await put(name, id('there'), { a: 'old' })
    const one = (value: string) => ({
      type: 'PUT',
      condition: ABSENT,
      primaryKey: id(value),
      attributeColumns: [{ a: 'new' }],
    })
    const answer = await client.batchWriteRow({
      tables: [{ tableName: name, rows: [one('new'), one('there')] }],
    } as Parameters<typeof client.batchWriteRow>[0])
    const rows = answer.tables as unknown as { isOk: boolean; errorCode: string | null }[]
    expect(rows.map(({ isOk, errorCode }) => [isOk, errorCode])).toEqual([
      [true, null],
      [false, 'OTSConditionCheckFail'],
    ])
    expect(await read(name, id('there'))).toEqual({ a: 'old' })
    expect(await read(name, id('new'))).toEqual({ a: 'new' })
  })

  // https://help.aliyun.com/zh/tablestore/product-overview/general-limits
  test('of more than 200 rows write nothing', async () => {
    const name = await table()
    const rows = Array.from({ length: 201 }, (_, n) => ({
      type: 'PUT',
      condition: IGNORE,
      primaryKey: id(`r${n}`),
      attributeColumns: [{ a: 'x' }],
    }))
    const batch = { tables: [{ tableName: name, rows }] } as Parameters<typeof client.batchWriteRow>[0]
    await expect(client.batchWriteRow(batch)).rejects.toMatchObject(refused('OTSParameterInvalid'))
    expect((await client.getRange(everything(name))).rows).toEqual([])
  })
})

describe('tables', () => {
  // https://help.aliyun.com/zh/tablestore/developer-reference/data-versions-and-ttl
  test('keep rows for a day at least', async () => {
    const short = table({ tableOptions: { timeToLive: 86_399, maxVersions: 1 } })
    await expect(short).rejects.toMatchObject(refused('OTSParameterInvalid'))
  })

  test('of one name are made once', async () => {
    const tableName = await table()
    const again = client.createTable({
      tableMeta: { tableName, primaryKey: [{ name: 'id', type: 'STRING' }] },
      tableOptions: { timeToLive: -1, maxVersions: 1 },
      reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    } as CreateTableParams)
    await expect(again).rejects.toMatchObject(refused('OTSObjectAlreadyExist'))
  })

  // https://help.aliyun.com/zh/tablestore/developer-reference/global-secondary-index
  test('have indexes that follow them, ordered by the column', async () => {
    const indexName = uniqueName('i').replace('-', '_')
    const indexMetas = [{ name: indexName, primaryKey: ['state'], definedColumn: [] }]
    const columns = [{ name: 'state', type: TableStore.DefinedColumnType.DCT_STRING }]
    const name = await table({ columns, indexMetas } as unknown as Partial<Changes>)
    for (const [value, state] of [
      ['1', 'b'],
      ['2', 'a'],
      ['3', 'b'],
    ] as const)
      await put(name, id(value), { state })
    await put(name, id('1'), { state: 'c' })
    const indexed = async () => {
      const { rows } = await client.getRange(everything(indexName, 2, ['state', 'id']))
      return rows.map((row) => Object.values(keyOf(row)).join(':'))
    }
    await vi.waitFor(async () => expect(await indexed()).toEqual(['a:2', 'b:3', 'c:1']), { timeout: 30_000 })
  })
})

// https://help.aliyun.com/zh/tablestore/developer-reference/configure-local-transaction
test('a transaction is seen whole or not at all', async () => {
  const name = await table({
    key: [
      { name: 'id', type: 'STRING' },
      { name: 'n', type: 'STRING' },
    ],
  })
  const start = async () => {
    const { transactionId } = await client.startLocalTransaction({ tableName: name, primaryKey: id('a') })
    return transactionId
  }
  const write = (transactionId: string, n: string) =>
    client.putRow({
      tableName: name,
      primaryKey: [{ id: 'a' }, { n }],
      condition: IGNORE,
      attributeColumns: [{ v: 'x' }],
      transactionId,
    } as PutRowParams)
  const seen = async () => (await client.getRange(everything(name, 2))).rows.length
  const dropped = await start()
  await write(dropped, '1')
  expect(await seen()).toBe(0)
  // The client reads the answer as if it were the request, and may fail over that.
  await client.abortTransaction({ transactionId: dropped }).catch(() => undefined)
  const kept = await start()
  await write(kept, '1')
  await write(kept, '2')
  expect(await seen()).toBe(0)
  await client.commitTransaction({ transactionId: kept })
  expect(await seen()).toBe(2)
})

test.each([
  ['a wrong secret', () => ({ ...target.keys, accessKeySecret: 'wrong' })],
  ['keys that nobody has', () => ({ accessKeyId: 'LTAInobody', accessKeySecret: 'x' })],
  ['a token that nobody issued', () => ({ ...target.keys, accessKeyId: 'STS.nobody', securityToken: 'x' })],
])('%s opens nothing', async (_name, keys) => {
  await expect(connect(keys()).listTable({})).rejects.toMatchObject({ code: 403 })
})
