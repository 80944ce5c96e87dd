import fc from 'fast-check'
import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { bodyOf, get, IGNORE, INF_MAX, INF_MIN, int, newTable, openService, put, tableParams } from './service.ts'

const service = await openService()
afterAll(service.close)
const table = await newTable(service)
const PUT = bodyOf('putRow', {
  tableName: table,
  primaryKey: [{ id: 'x' }],
  condition: IGNORE,
  attributeColumns: [{ a: 'value' }],
})
const ROW = Buffer.from(TableStore.PlainBufferBuilder.serializeForPutRow([{ id: 'x' }], [{ a: 'value' }]))

/** The put with a spoilt row in place of the good one; lengths stay as they are. */
function withRow(spoil: (row: Buffer) => void): Buffer {
  const body = Buffer.from(PUT)
  spoil(body.subarray(body.indexOf(ROW), body.indexOf(ROW) + ROW.length))
  return body
}

test('the untouched body is accepted', async () => {
  expect((await service.post('PutRow', PUT)).status).toBe(200)
  expect(await get(service, table, [{ id: 'x' }])).toEqual({ a: 'value' })
})

const valueAt = ROW.indexOf('value')

test.each<[string, Buffer, string]>([
  ['half a protobuf', PUT.subarray(0, PUT.length / 2), 'Failed to parse the ProtoBuf message.'],
  ['nothing', Buffer.alloc(0), 'Failed to parse the ProtoBuf message.'],
  ['noise', Buffer.from('not a message at all'), 'Failed to parse the ProtoBuf message.'],
  ['an endless number', Buffer.alloc(64, 0xff), 'Failed to parse the ProtoBuf message.'],
  ['a length beyond the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), 'Failed to parse'],
  ['a name that is not UTF-8', Buffer.concat([Buffer.from([0x0a, 1, 0xff]), PUT]), 'Failed to parse'],
  ['a changed value under the old checksum', withRow((row) => row.write('VALUE', valueAt)), 'checksum is mismatch'],
  ['a wrong checksum of a cell', withRow((row) => row.writeUInt8(1, valueAt + 6)), 'checksum is mismatch'],
  ['a wrong checksum of the row', withRow((row) => row.writeUInt8((row.at(-1) ?? 0) ^ 1, row.length - 1)), 'checksum'],
  ['another header', withRow((row) => row.writeUInt8(0x76)), 'mismatch header'],
  ['an unknown tag', withRow((row) => row.writeUInt8(0x7f, 4)), 'mismatch tag'],
  ['a cell longer than the row', withRow((row) => row.writeUInt32LE(0xffff_ffff, 7)), 'length is shorter than expect'],
  ['an unknown type of value', withRow((row) => row.writeUInt8(0x55, valueAt - 5)), 'unknown variant type'],
  ['a string of another length', withRow((row) => row.writeUInt32LE(4, valueAt - 4)), 'wrong value length'],
])('%s is OTSParameterInvalid', async (_, body, message) => {
  const answer = await service.post('PutRow', body)
  expect(answer.status).toBe(400)
  expect(answer.body.toString()).toContain('OTSParameterInvalid')
  expect(answer.body.toString()).toContain(message)
})

test('no cut of a body brings the service down', async () => {
  const statuses = new Set<number>()
  for (let length = 0; length < PUT.length; length++) {
    statuses.add((await service.post('PutRow', PUT.subarray(0, length))).status)
  }
  expect(statuses).toEqual(new Set([400]))
})

test('no flipped byte of a row is taken for a good one', async () => {
  await service.client.deleteRow({ tableName: table, primaryKey: [{ id: 'x' }], condition: IGNORE })
  for (let at = 0; at < ROW.length; at++) {
    const { status } = await service.post(
      'PutRow',
      withRow((row) => row.writeUInt8((row[at] ?? 0) ^ 0x20, at)),
    )
    expect(status).toBe(400)
  }
  expect(await get(service, table, [{ id: 'x' }])).toBeUndefined()
})

test('no change of a byte, cut or addition to any request does more than be refused', { timeout: 60_000 }, async () => {
  const { transactionId } = await service.client.startLocalTransaction({ tableName: table, primaryKey: [{ id: 't' }] })
  const bodies: [string, Buffer][] = requests(transactionId).map(([operation, params]) => [
    `${operation[0]?.toUpperCase()}${operation.slice(1)}`,
    bodyOf(operation, params),
  ])
  const mutation = fc.record({
    request: fc.constantFrom(...bodies),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    kind: fc.constantFrom('change', 'insert', 'cut', 'remove'),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ request: [operation, body], at, bytes, kind }) => {
      const { status } = await service.post(operation, mutated(body, Math.floor(at * body.length), bytes, kind))
      expect([200, 400, 403, 404, 409]).toContain(status)
    }),
    { numRuns: 1000 },
  )
  const alive = await newTable(service)
  await put(service, alive, [{ id: 'x' }], { a: 'a' })
})

function mutated(body: Buffer, at: number, bytes: Uint8Array, kind: string): Buffer {
  const rest = kind === 'insert' ? at : at + bytes.length
  return Buffer.concat([
    body.subarray(0, at),
    kind === 'remove' ? Buffer.alloc(0) : bytes,
    kind === 'cut' ? Buffer.alloc(0) : body.subarray(rest),
  ])
}

/** One of each kind. */
function requests(transactionId: string | undefined): [string, object][] {
  const key = [{ id: 'x' }]
  const columnFilter = new TableStore.SingleColumnCondition('a', 'value', TableStore.ComparatorType.EQUAL)
  const range = { inclusiveStartPrimaryKey: [{ id: INF_MIN }], exclusiveEndPrimaryKey: [{ id: INF_MAX }] }
  const columns = { condition: IGNORE, attributeColumns: [{ a: 'value' }, { n: int(1) }, { d: 1.5 }] }
  return [
    ['createTable', tableParams('another', { indexMetas: [] })],
    ['updateTable', { tableName: table, tableOptions: { maxVersions: 2 } }],
    ['describeTable', { tableName: table }],
    ['deleteTable', { tableName: 'nowhere' }],
    ['createIndex', { mainTableName: table, indexMeta: { name: 'i', primaryKey: ['a'], definedColumn: [] } }],
    ['dropIndex', { mainTableName: table, indexName: 'i' }],
    ['putRow', { tableName: table, primaryKey: key, ...columns, transactionId }],
    [
      'updateRow',
      { tableName: table, primaryKey: key, condition: IGNORE, updateOfAttributeColumns: [{ PUT: [{ a: 'b' }] }] },
    ],
    ['deleteRow', { tableName: table, primaryKey: key, condition: IGNORE }],
    ['getRow', { tableName: table, primaryKey: key, columnFilter, columnsToGet: ['a'], maxVersions: 1 }],
    ['getRange', { tableName: table, direction: 'FORWARD', ...range, columnFilter, maxVersions: 1, limit: 2 }],
    ['batchGetRow', { tables: [{ tableName: table, primaryKey: [key, key], maxVersions: 1 }] }],
    ['batchWriteRow', { tables: [{ tableName: table, rows: [{ type: 'PUT', primaryKey: key, ...columns }] }] }],
    ['startLocalTransaction', { tableName: table, primaryKey: key }],
    ['commitTransaction', { transactionId: 'none' }],
    ['listSearchIndex', { tableName: table }],
  ]
}
