import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type Comparison,
  type Key,
  type RangeRequest,
  type Row,
  type TableClient,
  type Write,
  winWrite,
} from '../../shared/tables/client.ts'

/** The tables that the suite expects to exist. Rows without `listed_at` are not in the index. */
export const CONTRACT_SCHEMA = [
  {
    table: 'contract_items',
    key: [
      { name: 'group_id', type: 'string' },
      { name: 'item_id', type: 'string' },
    ],
    indexed: [
      { name: 'owner_id', type: 'string' },
      { name: 'listed_at', type: 'integer' },
    ],
    indexes: [{ index: 'contract_items_by_owner', key: ['owner_id', 'listed_at'] }],
    ttlSeconds: -1,
  },
  {
    table: 'contract_numbers',
    key: [
      { name: 'shard', type: 'integer' },
      { name: 'at', type: 'integer' },
      { name: 'ref', type: 'string' },
    ],
    ttlSeconds: -1,
  },
] as const

/** The index with all its key columns. */
export const CONTRACT_INDEX = {
  table: 'contract_items',
  index: 'contract_items_by_owner',
  columns: ['owner_id', 'listed_at', 'group_id', 'item_id'],
} as const

export interface OpenTables {
  readonly client: TableClient
  /** Resolves when indexes have caught up with the writes made so far. */
  settled(): Promise<void>
}

/** What every TableClient promises, whatever is behind it. */
export function tablesContract(name: string, open: () => Promise<OpenTables>): void {
  describe(`tables contract over ${name}`, () => {
    const items = 'contract_items'
    const key = (group: string, item = 'a'): Key => [
      ['group_id', group],
      ['item_id', item],
    ]

    describe('rows', () => {
      test('come back as they were written, key columns included', async () => {
        const { client } = await open()
        const group = randomUUID()
        const columns = {
          text: 'häß 视频',
          empty: '',
          whole: 1_763_596_800_123,
          negative: -5,
          zero: 0,
          yes: true,
          no: false,
        }
        expect(await client.write({ table: items, key: key(group), expect: 'absent', put: columns })).toBe(true)
        expect(await client.get(items, key(group))).toEqual({ group_id: group, item_id: 'a', ...columns })
      })

      test('may hold nothing but their key', async () => {
        const { client } = await open()
        const group = randomUUID()
        expect(await client.write({ table: items, key: key(group), expect: 'any', put: {} })).toBe(true)
        expect(await client.get(items, key(group))).toEqual({ group_id: group, item_id: 'a' })
      })

      test('that do not exist are undefined', async () => {
        const { client } = await open()
        expect(await client.get(items, key(randomUUID()))).toBeUndefined()
      })

      test('with a key that is longer than any can be are undefined too', async () => {
        const { client } = await open()
        expect(await client.get(items, key('é'.repeat(513)))).toBeUndefined()
        expect(await client.get(items, key('é'.repeat(512)))).toBeUndefined()
      })

      test('are replaced whole by a put and merged by an update, which removes columns too', async () => {
        const { client } = await open()
        const group = randomUUID()
        await client.write({ table: items, key: key(group), expect: 'any', put: { a: 1, b: 2 } })
        await client.write({ table: items, key: key(group), expect: 'any', put: { b: 3, c: 4, d: 5 } })
        expect(await client.get(items, key(group))).toEqual({ group_id: group, item_id: 'a', b: 3, c: 4, d: 5 })
        await client.write({
          table: items,
          key: key(group),
          expect: 'any',
          update: { c: 'new' },
          remove: ['b', 'none'],
        })
        expect(await client.get(items, key(group))).toEqual({ group_id: group, item_id: 'a', c: 'new', d: 5 })
      })

      test('are created by an update that expects nothing', async () => {
        const { client } = await open()
        const group = randomUUID()
        expect(await client.write({ table: items, key: key(group), expect: 'any', update: { n: 1 } })).toBe(true)
        expect(await client.get(items, key(group))).toMatchObject({ n: 1 })
      })

      test('are gone after a delete, and to delete what is not there is a success', async () => {
        const { client } = await open()
        const group = randomUUID()
        await client.write({ table: items, key: key(group), expect: 'any', put: { n: 1 } })
        expect(await client.write({ table: items, key: key(group), expect: 'any', delete: true })).toBe(true)
        expect(await client.get(items, key(group))).toBeUndefined()
        expect(await client.write({ table: items, key: key(group), expect: 'any', delete: true })).toBe(true)
      })

      test('refuse a number that is not whole', async () => {
        const { client } = await open()
        await expect(
          client.write({ table: items, key: key(randomUUID()), expect: 'any', put: { n: 1.5 } }),
        ).rejects.toThrow('whole number')
      })
    })

    describe('conditions', () => {
      const stored = { text: 'b', whole: 5, yes: true }
      const text = (op: '=' | '!=') => ({ column: 'text', op, value: 'a' }) as const
      const whole = (op: '<' | '>') => ({ column: 'whole', op, value: 6 }) as const
      const none = { column: 'none', op: '!=', value: 1 } as const
      const either = (...anyOf: readonly (readonly Comparison[])[]) => ({ anyOf })

      test.each([
        ['absent, and it exists', 'absent', false],
        ['present, and it exists', 'present', true],
        ['equal text', [{ column: 'text', op: '=', value: 'b' }], true],
        ['other text', [{ column: 'text', op: '=', value: 'a' }], false],
        ['unequal text', [{ column: 'text', op: '!=', value: 'a' }], true],
        ['later text', [{ column: 'text', op: '>', value: 'a' }], true],
        ['equal number', [{ column: 'whole', op: '=', value: 5 }], true],
        ['unequal number', [{ column: 'whole', op: '!=', value: 5 }], false],
        ['smaller', [{ column: 'whole', op: '<', value: 6 }], true],
        ['not smaller', [{ column: 'whole', op: '<', value: 5 }], false],
        ['smaller or equal', [{ column: 'whole', op: '<=', value: 5 }], true],
        ['greater', [{ column: 'whole', op: '>', value: 4 }], true],
        ['greater or equal', [{ column: 'whole', op: '>=', value: 6 }], false],
        ['a boolean', [{ column: 'yes', op: '=', value: true }], true],
        ['another boolean', [{ column: 'yes', op: '=', value: false }], false],
        ['a missing column', [{ column: 'none', op: '=', value: 1 }], false],
        ['a missing column is not unequal either', [{ column: 'none', op: '!=', value: 1 }], false],
        [
          'all of several',
          [
            { column: 'whole', op: '>=', value: 5 },
            { column: 'text', op: '=', value: 'b' },
            { column: 'yes', op: '=', value: true },
          ],
          true,
        ],
        [
          'one of several fails',
          [
            { column: 'whole', op: '>=', value: 5 },
            { column: 'text', op: '=', value: 'c' },
          ],
          false,
        ],
        ['the second of two ways', [either([text('='), whole('>')], [text('!='), whole('<')])], true],
        ['the first of two ways', [either([text('!='), whole('<')], [text('=')])], true],
        ['half of each of two ways', [either([text('!='), whole('>')], [text('='), whole('<')])], false],
        ['neither of two ways, for want of a column', [either([none], [none, whole('<')])], false],
        ['the only way there is', [either([whole('<')])], true],
        ['one of two ways, and a test that fails', [either([whole('<')], [none]), text('=')], false],
        ['one of two ways, and a test that passes', [either([whole('<')], [none]), text('!=')], true],
      ] satisfies [string, Write['expect'], boolean][])('on a stored row: %s', async (_name, condition, passes) => {
        const { client } = await open()
        const group = randomUUID()
        await client.write({ table: items, key: key(group), expect: 'any', put: stored })
        const update = { table: items, key: key(group), expect: condition as Write['expect'], update: { mark: 'new' } }
        expect(await client.write(update)).toBe(passes)
        expect((await client.get(items, key(group)))?.mark).toBe(passes ? 'new' : undefined)
      })

      test.each([
        ['absent', 'absent', true],
        ['present', 'present', false],
        ['a test', [{ column: 'n', op: '!=', value: 1 }], false],
      ] satisfies [string, Write['expect'], boolean][])('on no row: %s', async (_name, condition, passes) => {
        const { client } = await open()
        const group = randomUUID()
        const put = { table: items, key: key(group), expect: condition as Write['expect'], put: { n: 1 } }
        expect(await client.write(put)).toBe(passes)
        expect((await client.get(items, key(group))) !== undefined).toBe(passes)
      })

      test('that test nothing are refused', async () => {
        const { client } = await open()
        const group = randomUUID()
        await client.write({ table: items, key: key(group), expect: 'any', put: stored })
        for (const test of [either(), either([]), either([whole('<')], [])]) {
          const update = { table: items, key: key(group), expect: [test], update: { mark: 'new' } }
          await expect(client.write(update)).rejects.toThrow('must test something')
        }
      })

      test('guard deletes as well', async () => {
        const { client } = await open()
        const group = randomUUID()
        await client.write({ table: items, key: key(group), expect: 'any', put: { n: 1 } })
        const remove = (value: number) =>
          client.write({ table: items, key: key(group), expect: [{ column: 'n', op: '=', value }], delete: true })
        expect(await remove(2)).toBe(false)
        expect(await remove(1)).toBe(true)
      })

      test('let one of many simultaneous writers win', async () => {
        const { client } = await open()
        const group = randomUUID()
        const claim = (n: number) => winWrite(client, { table: items, key: key(group), expect: 'absent', put: { n } })
        const won = await Promise.all([1, 2, 3, 4, 5].map(claim))
        expect(won.filter(Boolean)).toHaveLength(1)
      })
    })

    describe('batches', () => {
      test('answer each write in order, across tables, and a failed condition stops no other row', async () => {
        const { client } = await open()
        const group = randomUUID()
        const number: Key = [
          ['shard', 1],
          ['at', 7],
          ['ref', group],
        ]
        await client.write({ table: items, key: key(group, 'old'), expect: 'any', put: { n: 1 } })
        const answers = await client.writeBatch([
          { table: items, key: key(group, 'old'), expect: 'absent', put: { n: 2 } },
          { table: 'contract_numbers', key: number, expect: 'absent', put: { n: 3 } },
          { table: items, key: key(group, 'new'), expect: 'absent', put: { n: 4 } },
          { table: items, key: key(group, 'third'), expect: 'present', update: { n: 5 } },
          { table: items, key: key(group, 'fourth'), expect: 'any', update: { n: 6 } },
          { table: items, key: key(group, 'fifth'), expect: 'any', delete: true },
        ])
        expect(answers).toEqual([false, true, true, false, true, true])
        expect(await client.get(items, key(group, 'old'))).toMatchObject({ n: 1 })
        expect(await client.get('contract_numbers', number)).toEqual({ shard: 1, at: 7, ref: group, n: 3 })
        expect(await client.get(items, key(group, 'new'))).toMatchObject({ n: 4 })
      })

      test('may be empty', async () => {
        const { client } = await open()
        expect(await client.writeBatch([])).toEqual([])
        expect(await client.getBatch(items, [])).toEqual([])
      })

      test('hold at most 200 writes', async () => {
        const { client } = await open()
        const group = randomUUID()
        const write = (index: number): Write => ({
          table: items,
          key: key(group, String(index)),
          expect: 'any',
          put: { n: index },
        })
        await expect(client.writeBatch(Array.from({ length: 201 }, (_, index) => write(index)))).rejects.toThrow('200')
        expect(await client.writeBatch(Array.from({ length: 200 }, (_, index) => write(index)))).toHaveLength(200)
      })

      test('read any number of rows in the order they were asked for, with gaps and repeats', async () => {
        const { client } = await open()
        const group = randomUUID()
        const names = Array.from({ length: 150 }, (_, index) => `i${index}`)
        await client.writeBatch(
          names.map((name, n): Write => ({ table: items, key: key(group, name), expect: 'any', put: { n } })),
        )
        const wanted = [...names.toReversed(), 'none', 'i0', 'i0']
        const rows = await client.getBatch(
          items,
          wanted.map((name) => key(group, name)),
        )
        const numbers = rows.map((row) => row?.n)
        expect(numbers).toEqual([...names.map((_, n) => n).reverse(), undefined, 0, 0])
      })
    })

    describe('ranges', () => {
      const keyColumns = ['group_id', 'item_id']

      async function filled(names: readonly string[]) {
        const { client } = await open()
        const group = randomUUID()
        const puts = names.map((name): Write => ({ table: items, key: key(group, name), expect: 'any', put: { name } }))
        await client.writeBatch([...puts, { table: items, key: key(`${group}0`), expect: 'any', put: {} }])
        return { client, group, request: { table: items, prefix: [['group_id', group]] as Key, keyColumns } }
      }

      test('walk through a whole table, a page at a time', async () => {
        const { client, group, request } = await filled(['a', 'b', 'c'])
        const found: unknown[] = []
        let from: Key | undefined
        do {
          const page = await client.range({ ...request, prefix: [], limit: 2, ...(from ? { from } : {}) })
          expect(page.rows.length).toBeLessThanOrEqual(2)
          found.push(...page.rows.filter((row) => row.group_id === group).map((row) => row.item_id))
          from = page.next
        } while (from)
        expect(found).toEqual(['a', 'b', 'c'])
      })

      test('hold exactly the rows of the prefix, in byte order', async () => {
        const { client, request } = await filled(['b', 'B', 'a', 'é', '~', 'aa', '10', '9'])
        const { rows, next } = await client.range(request)
        expect(rows.map((row) => row.name)).toEqual(['10', '9', 'B', 'a', 'aa', 'b', '~', 'é'])
        expect(next).toBeUndefined()
      })

      test('run backwards', async () => {
        const { client, request } = await filled(['b', 'a', 'c'])
        const { rows } = await client.range({ ...request, reverse: true })
        expect(rows.map((row) => row.name)).toEqual(['c', 'b', 'a'])
      })

      test.each([false, true])('give every row exactly once when followed in pages, reverse: %s', async (reverse) => {
        const names = ['a', 'b', 'c', 'd', 'e']
        const { client, request } = await filled(names)
        const seen = await readPages(client, { ...request, reverse, limit: 2 })
        expect(seen.map((row) => row.name)).toEqual(reverse ? names.reverse() : names)
      })

      test('begin at a key that need not exist', async () => {
        const { client, group, request } = await filled(['a', 'c', 'e'])
        const ahead = await client.range({ ...request, from: key(group, 'b') })
        expect(ahead.rows.map((row) => row.name)).toEqual(['c', 'e'])
        const back = await client.range({ ...request, from: key(group, 'c'), reverse: true })
        expect(back.rows.map((row) => row.name)).toEqual(['c', 'a'])
      })

      test('order integers by value and stop at the prefix', async () => {
        const { client } = await open()
        const ref = randomUUID()
        const shard = Math.floor(Math.random() * 1e12)
        const at = [10, 9, -3, 100, 1_763_596_800_000]
        await client.writeBatch(
          at.map(
            (value): Write => ({
              table: 'contract_numbers',
              key: [
                ['shard', shard],
                ['at', value],
                ['ref', ref],
              ],
              expect: 'any',
              put: {},
            }),
          ),
        )
        const request = { table: 'contract_numbers', keyColumns: ['shard', 'at', 'ref'] }
        const { rows } = await client.range({ ...request, prefix: [['shard', shard]] })
        expect(rows.map((row) => row.at)).toEqual([-3, 9, 10, 100, 1_763_596_800_000])
        const exact = await client.range({
          ...request,
          prefix: [
            ['shard', shard],
            ['at', 9],
          ],
        })
        expect(exact.rows.map((row) => row.at)).toEqual([9])
      })

      test('of a whole key hold one row or none', async () => {
        const { client, group, request } = await filled(['a'])
        expect((await client.range({ ...request, prefix: key(group, 'a') })).rows).toHaveLength(1)
        expect((await client.range({ ...request, prefix: key(group, 'b') })).rows).toHaveLength(0)
      })
    })

    describe('indexes', () => {
      test('list rows that have every indexed column, and follow their changes', async () => {
        const { client, settled } = await open()
        const owner = randomUUID()
        const put = (item: string, columns: Record<string, string | number>): Write => ({
          table: items,
          key: key(owner, item),
          expect: 'any',
          put: { owner_id: owner, ...columns },
        })
        await client.writeBatch([
          put('x', { listed_at: 30 }),
          put('y', {}),
          put('z', { listed_at: 20 }),
          put('w', { listed_at: 25 }),
        ])
        await client.write({ table: items, key: key(owner, 'w'), expect: 'present', update: {}, remove: ['listed_at'] })
        await settled()
        const request = {
          table: CONTRACT_INDEX.index,
          prefix: [['owner_id', owner]] as Key,
          keyColumns: CONTRACT_INDEX.columns,
          reverse: true,
        }
        const { rows } = await client.range(request)
        expect(rows.map(({ item_id, listed_at }) => [item_id, listed_at])).toEqual([
          ['x', 30],
          ['z', 20],
        ])
        await client.write({ table: items, key: key(owner, 'x'), expect: 'any', delete: true })
        await client.write({ table: items, key: key(owner, 'z'), expect: 'any', update: { listed_at: 40 } })
        await settled()
        expect((await client.range(request)).rows.map((row) => row.listed_at)).toEqual([40])
      })
    })

    test('a writer mark is new each time', async () => {
      const { client } = await open()
      expect(client.newWriter()).not.toBe(client.newWriter())
    })
  })
}

async function readPages(client: TableClient, request: RangeRequest & { limit: number }): Promise<Row[]> {
  const page = await client.range(request)
  expect(page.rows.length).toBeLessThanOrEqual(request.limit)
  return [...page.rows, ...(page.next ? await readPages(client, { ...request, from: page.next }) : [])]
}
