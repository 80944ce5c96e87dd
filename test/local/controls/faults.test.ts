import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import TableStore from 'tablestore'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../../local/controls/fault.ts'
import { fc3Sdk, localConfig, stsSdk } from '../fc/sdk.ts'
import { openStage, type Stage } from './stage.ts'

let stage: Stage
let count = 0
/** A name that nothing has had before. */
const fresh = () => `n${++count}`

beforeAll(async () => {
  stage = await openStage()
  await stage.tablestore().createTable({
    tableMeta: { tableName: 'things', primaryKey: [{ name: 'id', type: 'STRING' }] },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive: -1, maxVersions: 1 },
  } as Parameters<TableStore.Client['createTable']>[0])
})
afterEach(async () => {
  stage.local.faults.clear()
  await stage.local.idle()
})
afterAll(() => stage.dispose())

const port = (endpoint: string) => Number(endpoint.split(':')[1])
const sdkConfig = (endpoint: string) => ({
  ...localConfig(port(endpoint), stage.local.cloud),
  readTimeout: 500,
  autoretry: false,
})

async function invoke(name: string, event: object): Promise<void> {
  const client = new fc3Sdk.default(
    sdkConfig(stage.local.cloud.fc.endpoint) as unknown as ConstructorParameters<typeof fc3Sdk.default>[0],
  )
  const headers = new fc3Sdk.InvokeFunctionHeaders({ xFcInvocationType: 'Async' })
  const request = new fc3Sdk.InvokeFunctionRequest({ body: Readable.from([Buffer.from(JSON.stringify(event))]) })
  await client.invokeFunctionWithOptions(
    name,
    request,
    headers,
    {} as Parameters<typeof client.invokeFunctionWithOptions>[3],
  )
}

/** A call of each service with a name of its own, and how to find out whether it has had its effect. */
const OPERATIONS = {
  'oss PutObject': {
    act: (id: string) => stage.oss({ timeout: 500 }).put(`things/${id}`, Buffer.from('x')),
    done: (id: string) => exists(`things/${id}`),
  },
  'tablestore UpdateRow': {
    act: (id: string) => {
      const client = stage.tablestore()
      Reflect.set(Reflect.get(client, 'config'), 'httpOptions', { timeout: 500 })
      return client.updateRow({
        tableName: 'things',
        primaryKey: [{ id }],
        condition: new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null),
        updateOfAttributeColumns: [{ PUT: [{ a: 'a' }] }],
      })
    },
    done: async (id: string) => {
      const { row } = await stage.tablestore().getRow({ tableName: 'things', primaryKey: [{ id }], maxVersions: 1 })
      return (row as { attributes?: unknown[] } | undefined)?.attributes?.length === 1
    },
  },
  'fc InvokeFunction': {
    act: (note: string) => invoke('noter', { note }),
    done: async (note: string) => {
      await stage.local.idle()
      return stage.notes().includes(note)
    },
  },
} as const

async function exists(key: string): Promise<boolean> {
  const { objects } = await stage.oss().listV2({ prefix: key, 'max-keys': '1' }, {})
  return objects?.[0]?.name === key
}

const CASES = Object.keys(OPERATIONS).flatMap((name) =>
  (['before', 'after'] as const).flatMap((when) =>
    (['cut', 'busy', 'hang'] as const).map((outcome) => [name, when, outcome] as const),
  ),
)

describe('the nth call of an operation', () => {
  test.each(CASES)('%s fails %s its effect, by %s', async (name, when, outcome) => {
    const { act, done } = OPERATIONS[name as keyof typeof OPERATIONS]
    const [service, operation] = name.split(' ') as ['oss', string]
    const id = stage.local.faults.add({ fault: 'call', service, operation, when, outcome, nth: 2 })
    const names = [fresh(), fresh(), fresh()] as const
    await act(names[0])
    await expect(act(names[1])).rejects.toThrow()
    await act(names[2])
    expect(stage.local.faults.list()).toMatchObject([{ id, seen: 3, struck: 1 }])
    stage.local.faults.clear()
    expect(await Promise.all(names.map(done))).toEqual([true, when === 'after', true])
  })

  test('busy is said in the words of each service', async () => {
    const { act: put } = OPERATIONS['oss PutObject']
    const { act: update } = OPERATIONS['tablestore UpdateRow']
    stage.local.faults.add({ fault: 'call', when: 'before', outcome: 'busy', times: 100 })
    await expect(put('x')).rejects.toMatchObject({ code: 'ServiceUnavailable', status: 503 })
    await expect(update('x')).rejects.toMatchObject({ message: expect.stringContaining('OTSServerBusy') })
    await expect(invoke('noter', {})).rejects.toMatchObject({ code: 'ServiceUnavailable' })
    const sts = new stsSdk.default(
      sdkConfig(stage.local.cloud.sts.endpoint) as unknown as ConstructorParameters<typeof stsSdk.default>[0],
    )
    await expect(sts.getCallerIdentity()).rejects.toMatchObject({ code: 'ServiceUnavailable' })
  })

  test('of one key alone, as often as asked', async () => {
    const { act } = OPERATIONS['oss PutObject']
    stage.local.faults.add({ fault: 'call', target: 'marked', when: 'before', times: 2 })
    await act('other')
    await expect(act('marked')).rejects.toThrow()
    await expect(act('marked')).rejects.toThrow()
    await act('marked')
  })
})

describe('a kill', () => {
  test('takes an instance after its nth call, which has had its effect', async () => {
    const prefix = `${fresh()}/`
    stage.local.faults.add({ fault: 'kill', function: 'caller', service: 'oss', nth: 3 })
    await invoke('caller', { prefix, count: 5 })
    await stage.local.idle()
    const { objects = [] } = await stage.oss().listV2({ prefix }, {})
    expect(objects.map(({ name }) => name)).toEqual([1, 2, 3].map((n) => `${prefix}${n}`))
    expect(stage.local.instances().map(({ functionName }) => functionName)).not.toContain('caller')
  })

  test('can take what the instance has started and leave the instance', async () => {
    const prefix = `${fresh()}/`
    stage.local.faults.add({ fault: 'kill', function: 'caller', victim: 'children' })
    await invoke('caller', { prefix, count: 1 })
    await stage.local.idle()
    expect(await exists(`${prefix}SIGKILL`)).toBe(true)
  })

  test('is not for calls of anybody else', async () => {
    stage.local.faults.add({ fault: 'kill', function: 'caller' })
    await OPERATIONS['oss PutObject'].act(fresh())
    expect(stage.local.faults.list()).toMatchObject([{ seen: 0 }])
  })
})

describe.each([
  ['event', async (id: string): Promise<void> => void (await stage.oss().put(`outbox/${id}`, Buffer.from('x')))],
  ['invocation', (id: string) => invoke('noter', { note: `outbox/${id}` })],
] as const)('the delivery of an %s', (of, send) => {
  /** Sends three and gives the places of those that arrived, in the order in which they did. */
  async function arrivals(
    fault: Omit<Extract<Fault, { fault: 'delivery' }>, 'fault' | 'of'>,
  ): Promise<{ seen(): number[] }> {
    stage.local.faults.add({ fault: 'delivery', of, ...fault })
    const ids = [fresh(), fresh(), fresh()]
    for (const id of ids) await send(id)
    const seen = (): number[] =>
      stage
        .notes()
        .map((note) => ids.indexOf(note.replace('outbox/', '')))
        .filter((at) => at >= 0)
    await stage.local.idle()
    return { seen }
  }

  test('can be dropped', async () => {
    const { seen } = await arrivals({ outcome: 'drop', nth: 2 })
    expect(seen()).toEqual([0, 2])
  })

  test('can come twice', async () => {
    const { seen } = await arrivals({ outcome: 'duplicate', nth: 2 })
    expect(seen()).toEqual([0, 1, 1, 2])
  })

  test('can be overtaken by the next', async () => {
    const { seen } = await arrivals({ outcome: 'reorder', nth: 2 })
    expect(seen()).toEqual([0, 2, 1])
  })

  test('is not held for ever when nothing follows', async () => {
    const { seen } = await arrivals({ outcome: 'reorder', nth: 3 })
    expect(seen()).toEqual([0, 1, 2])
  })

  test('can be late by the clock', async () => {
    const { seen } = await arrivals({ outcome: 'delay', nth: 2, ms: 3_600_000 })
    expect(seen()).toEqual([0, 2])
    await stage.local.advance(3_600_000)
    await stage.local.idle()
    expect(seen()).toEqual([0, 2, 1])
  })
})

describe('the disk', () => {
  test.each(['write', 'fsync', 'rename'] as const)(
    'fails at %s: the object is as it was, and the next try works',
    async (step) => {
      const key = `disk/${fresh()}`
      const client = stage.oss()
      await client.put(key, Buffer.from('old'))
      stage.local.faults.add({ fault: 'disk', step })
      await expect(client.put(key, Buffer.from('new'))).rejects.toMatchObject({ status: 500, code: 'InternalError' })
      expect((await client.get(key)).content.toString()).toBe('old')
      await client.put(key, Buffer.from('newer'))
      expect((await client.get(key)).content.toString()).toBe('newer')
    },
  )
})

test('a slow network carries so many bytes a second, in both directions, until it is taken away', async () => {
  // Connections that are kept are closed when the network changes under them.
  const client = stage.oss({ agent: new Agent() } as object)
  const bytes = Buffer.alloc(60_000, 'x')
  const took = async (work: () => Promise<unknown>) => {
    const from = performance.now()
    await work()
    return performance.now() - from
  }
  const id = stage.local.faults.add({ fault: 'network', service: 'oss', bytesPerSecond: 100_000 })
  expect(await took(() => client.put('slow', bytes))).toBeGreaterThan(550)
  expect(await took(() => client.get('slow'))).toBeGreaterThan(550)
  expect((await client.get('slow')).content.equals(bytes)).toBe(true)
  stage.local.faults.remove(id)
  expect(await took(() => client.put('slow', bytes))).toBeLessThan(500)
})

test('with a lag, an index follows its table when the clock says so', async () => {
  const client = stage.tablestore()
  await client.createTable({
    tableMeta: {
      tableName: 'listed',
      primaryKey: [{ name: 'id', type: 'STRING' }],
      definedColumn: [{ name: 'by', type: TableStore.DefinedColumnType.DCT_STRING }],
    },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive: -1, maxVersions: 1 },
    indexMetas: [
      {
        name: 'listed_by',
        primaryKey: ['by'],
        definedColumns: [],
        includeBaseData: false,
        indexUpdateMode: 0,
        indexType: 0,
      },
    ],
  } as unknown as Parameters<TableStore.Client['createTable']>[0])
  const condition = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)
  const put = (id: string, by: string) =>
    client.putRow({ tableName: 'listed', primaryKey: [{ id }], condition, attributeColumns: [{ by }] })
  const listed = async () => {
    const { rows } = await client.getRange({
      tableName: 'listed_by',
      direction: TableStore.Direction.FORWARD,
      inclusiveStartPrimaryKey: [{ by: TableStore.INF_MIN }, { id: TableStore.INF_MIN }],
      exclusiveEndPrimaryKey: [{ by: TableStore.INF_MAX }, { id: TableStore.INF_MAX }],
    } as Parameters<TableStore.Client['getRange']>[0])
    return rows.map((row) => (row as { primaryKey: { value: string }[] }).primaryKey.map(({ value }) => value).join())
  }
  await put('1', 'a')
  expect(await listed()).toEqual(['a,1'])
  await stage.local.setIndexLag(60_000)
  await put('1', 'b')
  await put('2', 'c')
  expect(await listed()).toEqual(['a,1'])
  await stage.local.advance(60_000)
  expect(await listed()).toEqual(['b,1', 'c,2'])
  await put('1', 'd')
  await stage.local.setIndexLag(0)
  expect(await listed()).toEqual(['c,2', 'd,1'])
  await put('1', 'e')
  expect(await listed()).toEqual(['c,2', 'e,1'])
})

test.each<[string, object]>([
  ['a kind that there is not', { fault: 'meteor' }],
  ['a name that is not known', { fault: 'disk', step: 'write', often: 3 }],
  ['no time', { fault: 'call', service: 'oss' }],
  ['an nth of 0', { fault: 'disk', step: 'write', nth: 0 }],
  ['a kill of nobody', { fault: 'kill' }],
  ['a rate of nothing', { fault: 'network', service: 'oss', bytesPerSecond: 0 }],
])('a fault with %s is refused', (_what, fault) => {
  expect(() => stage.local.faults.add(fault as Fault)).toThrow(RangeError)
  expect(stage.local.faults.list()).toEqual([])
})
