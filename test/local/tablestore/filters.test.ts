import TableStore from 'tablestore'
import { afterAll, expect, test } from 'vitest'
import { field, newTable, openService, put } from './service.ts'
import { decodeMessage, encodeMessage } from './wire.ts'

const service = await openService()
afterAll(service.close)
const table = await newTable(service)
await put(service, table, [{ id: 'x' }], { label: 'take 42 of 50', plain: 'abc', n: TableStore.Long.fromNumber(7) })

const KEY = TableStore.PlainBufferBuilder.serializePrimaryKey([{ id: 'x' }])
const INTEGER = 0
const DOUBLE = 1
const [EQUAL, GREATER, EXISTS, ABSENT] = [1, 3, 7, 8]

interface Single {
  readonly comparator: number
  readonly column: string
  readonly value?: string | number | object
  readonly regex?: string
  readonly cast?: number
  readonly passIfMissing?: boolean
}

/** A filter that says more than the vendor's client for Node can. */
function single({ comparator, column, value = '', regex, cast, passIfMissing = false }: Single): Buffer {
  const columnValue = TableStore.PlainBufferBuilder.serializeColumnValue(value)
  const head = { columnName: column, columnValue, filterIfMissing: !passIfMissing, latestVersionOnly: true }
  const known = encodeMessage('SingleColumnValueFilter', { ...head, comparator })
  const castType = cast === undefined ? Buffer.alloc(0) : Buffer.from([0x10, cast])
  const rule = regex === undefined ? Buffer.alloc(0) : field(6, Buffer.concat([field(1, regex), castType]))
  return encodeMessage('Filter', { type: 1, filter: Buffer.concat([known, rule]) })
}

async function passes(filter: Buffer): Promise<boolean> {
  const request = encodeMessage('GetRowRequest', { tableName: table, primaryKey: KEY, maxVersions: 1, filter })
  const { status, body } = await service.post('GetRow', request)
  if (status !== 200) throw new Error(body.toString())
  return decodeMessage<{ row: Buffer }>('GetRowResponse', body).row.length > 0
}

test.each<[string, Single, boolean]>([
  ['a column that is there', { comparator: EXISTS, column: 'label' }, true],
  ['a column that is not', { comparator: EXISTS, column: 'none' }, false],
  ['the absence of one that is', { comparator: ABSENT, column: 'label' }, false],
  ['the absence of one that is not', { comparator: ABSENT, column: 'none' }, true],
  ['a string in which something is found', { comparator: EXISTS, column: 'label', regex: 'take \\d+' }, true],
  ['a string in which nothing is found', { comparator: EXISTS, column: 'label', regex: '^of' }, false],
  ['a number where a string should be', { comparator: EXISTS, column: 'n', regex: '7' }, false],
  [
    'a group read as an integer',
    { comparator: EQUAL, column: 'label', value: TableStore.Long.fromNumber(42), regex: 'take (\\d+)', cast: INTEGER },
    true,
  ],
  [
    'a group that is too small',
    { comparator: GREATER, column: 'label', value: TableStore.Long.fromNumber(42), regex: '(\\d+)', cast: INTEGER },
    false,
  ],
  [
    'a group read as a double',
    { comparator: EQUAL, column: 'label', value: 50, regex: 'of (\\d+)', cast: DOUBLE },
    true,
  ],
  ['the whole of what is found', { comparator: EQUAL, column: 'plain', value: 'bc', regex: 'b.' }, true],
  [
    'what is no number, although it may be missing',
    { comparator: EQUAL, column: 'plain', value: 1, regex: 'abc', cast: DOUBLE, passIfMissing: true },
    false,
  ],
])('a filter for %s', async (_, filter, expected) => {
  expect(await passes(single(filter))).toBe(expected)
})

test.each<[string, Single, string]>([
  ['an expression that is none', { comparator: EQUAL, column: 'a', regex: '(' }, 'Invalid regex'],
  ['a comparison that there is not', { comparator: 9, column: 'a' }, 'Invalid relation operator: 9'],
  ['a cast to nothing', { comparator: EQUAL, column: 'a', regex: 'a', cast: 6 }, 'Invalid cast type: 6'],
  ['a column that cannot be', { comparator: EQUAL, column: '#a' }, "Invalid column name: '#a'"],
])('a filter with %s is refused', async (_, filter, message) => {
  await expect(passes(single(filter))).rejects.toThrow(message)
})

const [NOT, AND, OR] = [1, 2, 3]

function combined(combinator: number, filters: readonly Buffer[]): Buffer {
  const head = encodeMessage('CompositeColumnValueFilter', { combinator, subFilters: [] })
  const parts = filters.map((filter) => bytesField(2, filter))
  return encodeMessage('Filter', { type: 2, filter: Buffer.concat([head, ...parts]) })
}

const A = single({ comparator: EQUAL, column: 'a', passIfMissing: true })
/** So many conditions beside each other. */
const beside = (combinator: number, count: number) => combined(combinator, Array(count).fill(A))
/** A condition that is turned round so many times. */
function inside(depth: number): Buffer {
  return depth === 0 ? A : combined(NOT, [inside(depth - 1)])
}

test.each([
  ['31 beside each other', beside(AND, 31), true],
  ['one that is turned round 31 times', inside(31), false],
])('a filter may have 32 conditions with what combines them: %s', async (_, filter, expected) => {
  expect(await passes(filter)).toBe(expected)
})

const TOO_MANY = 'The count of filter exceeds the max: 32.'

test.each([
  ['32 conditions beside each other', beside(OR, 32), TOO_MANY],
  ['32 conditions to be none of, which is too many at any rate', beside(NOT, 32), TOO_MANY],
  ['a condition that is turned round 32 times', inside(32), TOO_MANY],
  ['a condition that is turned round a thousand times', inside(1000), TOO_MANY],
  ['one condition to be all of', beside(AND, 1), 'the number of sub-filters must be more than 1.'],
  ['one condition to be any of', beside(OR, 1), 'the number of sub-filters must be more than 1.'],
  ['two conditions to be none of', beside(NOT, 2), 'Invalid NOT operator: the number of sub-filters must be 1.'],
  [
    'a value that no column can have',
    single({ comparator: EQUAL, column: 'a', value: 'a'.repeat(2_097_153) }),
    "The length of attribute column: 'a' exceeds the MaxLength:2097152 with CurrentLength:2097153.",
  ],
])('a filter of %s is refused', async (_, filter, message) => {
  await expect(passes(filter)).rejects.toThrow(message)
})

function bytesField(id: number, bytes: Buffer): Buffer {
  const length: number[] = []
  let rest = bytes.length
  for (; rest > 127; rest >>= 7) length.push((rest & 0x7f) | 0x80)
  return Buffer.concat([Buffer.from([(id << 3) | 2, ...length, rest]), bytes])
}
