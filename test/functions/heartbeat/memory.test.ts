import { expect, test } from 'vitest'
import { gathering, memory } from '../../../functions/heartbeat/memory.ts'

test('what was set longest ago makes room', () => {
  const remembered = memory<number>(2)
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const) {
    remembered.set(key, value)
  }
  expect(['a', 'b', 'c'].map((key) => remembered.get(key))).toEqual([3, undefined, 4])
})

test('what arrives for one row while it is written goes into its next write, whose failure is not the others’', async () => {
  const gathered = gathering()
  const writes: string[] = []
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const write = (row: string) => async (items: readonly string[]) => {
    writes.push(`${row}: ${items.join(' ')}`)
    if (items.includes('a')) await held
    if (items.includes('b')) throw new Error('b')
  }
  const added = [gathered.add('x', 'a', write('x'))]
  await Promise.resolve()
  for (const item of ['b', 'c', 'b']) added.push(gathered.add('x', item, write('x')))
  added.push(gathered.add('y', 'd', write('y')))
  await added.at(-1)
  expect(writes).toEqual(['x: a', 'y: d'])
  release()
  expect((await Promise.allSettled(added)).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  await gathered.add('x', 'e', write('x'))
  expect(writes).toEqual(['x: a', 'y: d', 'x: b c', 'x: e'])
})
