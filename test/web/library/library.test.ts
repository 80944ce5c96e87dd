import { expect, test } from 'vitest'
import { lookAgainMs } from '../../../web/library/pace.ts'
import { hueOf, matches } from '../../../web/library/search.ts'

test.each([
  ['Holiday in Köln', 'koln', true],
  ['Holiday in Köln', 'KÖLN holiday', true],
  ['Holiday in Köln', 'holiday rome', false],
  ['我的视频 2024', '视频', true],
  ['ＡＢＣ', 'abc', true],
  ['anything', '', true],
  ['anything', '   ', true],
  ['a.b', 'a*b', false],
])('the title %s and the search %j match: %s', (title, search, found) => {
  expect(matches(title, search)).toBe(found)
})

test('the colour of a video stays, and is a colour', () => {
  expect(hueOf('AbCd1234AbCd1234')).toBe(hueOf('AbCd1234AbCd1234'))
  for (const id of ['', 'a', 'zzzzzzzzzzzzzzzz', '视频']) expect(hueOf(id)).toBeGreaterThanOrEqual(0)
  for (const id of ['', 'a', 'zzzzzzzzzzzzzzzz', '视频']) expect(hueOf(id)).toBeLessThan(360)
})

test('without news the library looks more and more rarely', () => {
  const paces = [0, 1, 2, 5, 50].map(lookAgainMs)
  expect(paces[0]).toBe(2500)
  expect(paces).toEqual([...paces].sort((a, b) => a - b))
  expect(paces.at(-1)).toBe(15_000)
})
