import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenOss, openOss } from './open.ts'

let oss: OpenOss
const root = `list-${randomUUID()}/`
const names = ['a', 'a/1', 'a/2', 'a/deep/3', 'b', 'b!', 'c/1', 'z', '\u00e9', '你', '\ud83c\udfac', '\uffee']

beforeAll(async () => {
  oss = await openOss()
  const client = oss.client('V1')
  for (const name of names) await client.put(`${root}${name}`, Buffer.from(name))
  await client.put('other', Buffer.from('x'))
})
afterAll(() => oss.close())

const inByteOrder = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
const short = (keys: readonly string[] | null | undefined) => (keys ?? []).map((key) => key.slice(root.length))

describe.each(['V1', 'V4'] as const)('with %s signatures', (version) => {
  const list = async (query: object) => {
    const page = await oss.client(version).list({ prefix: root, ...query } as never, {})
    return { ...page, keys: short(page.objects?.map(({ name }) => name)), groups: short(page.prefixes) }
  }
  const listV2 = async (query: object) => {
    const page = await oss.client(version).listV2({ prefix: root, ...query })
    return { ...page, keys: short(page.objects.map(({ name }) => name)), groups: short(page.prefixes) }
  }

  test('objects come in the byte order of their names', async () => {
    expect((await list({})).keys).toEqual(inByteOrder)
    expect((await listV2({})).keys).toEqual(inByteOrder)
  })

  test('a list without a prefix has everything', async () => {
    const page = await oss.client(version).list({ prefix: '', 'max-keys': 1000 } as never, {})
    expect(page.objects).toHaveLength(names.length + 1)
  })

  test.each([1, 2, 3, 5, 11, 12])(
    'pages of %i entries together are the whole list, with and without groups',
    async (max) => {
      for (const delimiter of ['', '/']) {
        const whole = await list({ delimiter })
        const seen: string[] = []
        let marker: string | null = ''
        do {
          const page: Awaited<ReturnType<typeof list>> = await list({ delimiter, marker, 'max-keys': max })
          expect(page.keys.length + page.groups.length).toBeLessThanOrEqual(max)
          seen.push(...page.keys, ...page.groups)
          marker = page.isTruncated ? page.nextMarker : null
        } while (marker !== null)
        expect(seen.sort()).toEqual([...whole.keys, ...whole.groups].sort())
      }
    },
  )

  test('a delimiter groups names', async () => {
    const page = await list({ delimiter: '/' })
    expect(page.groups).toEqual(['a/', 'c/'])
    expect(page.keys).toEqual(inByteOrder.filter((name) => !name.includes('/')))
    expect((await list({ prefix: `${root}a/`, delimiter: '/' })).keys).toEqual(['a/1', 'a/2'])
  })

  test('version 2 goes on by token or after a name, and counts', async () => {
    const first = await listV2({ 'max-keys': 3, delimiter: '/' })
    expect(first).toMatchObject({ keyCount: 3, isTruncated: true, keys: ['a', 'b'], groups: ['a/'] })
    const rest = await listV2({ delimiter: '/', 'continuation-token': first.nextContinuationToken })
    expect(rest.keys[0]).toBe('b!')
    expect(rest.groups).toEqual(['c/'])
    expect((await listV2({ 'start-after': `${root}b` })).keys[0]).toBe('b!')
  })

  test('version 2 names owners only when asked', async () => {
    expect((await listV2({})).objects[0]?.owner).toBeNull()
    expect((await listV2({ 'fetch-owner': 'true' })).objects[0]?.owner).toMatchObject({ id: '1234567890' })
  })

  test('names are encoded when asked', async () => {
    const page = await oss.client(version).list({ prefix: `${root}你`, 'encoding-type': 'url' } as never, {})
    expect(page.objects?.map(({ name }) => name)).toEqual([encodeURIComponent(`${root}你`)])
  })

  test.each([{ 'max-keys': 1001 }, { 'max-keys': 0 }, { 'max-keys': 'many' }, { 'encoding-type': 'base64' }])(
    '%j is refused',
    async (query) => {
      await expect(list(query)).rejects.toMatchObject({ status: 400, code: 'InvalidArgument' })
    },
  )

  test('a token that is none is refused', async () => {
    await expect(listV2({ 'continuation-token': '!!' })).rejects.toMatchObject({ code: 'InvalidArgument' })
  })
})
