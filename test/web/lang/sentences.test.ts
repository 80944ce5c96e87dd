import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { en } from '../../../web/lang/en.ts'
import { fill, languageFor } from '../../../web/lang/fill.ts'
import { REASONS } from '../../../web/lang/reasons.ts'
import { zh } from '../../../web/lang/zh.ts'

const project = fileURLToPath(new URL('../../..', import.meta.url))
const chinese = /\p{Script=Han}/u
/** What is a name, a sign, or says in one language how to get to the other. */
const SAME_IN_BOTH = new Set(['lang.other', 'lang.switch', 'upload.sending', 'say.rate', 'say.forward', 'say.back'])

test('both languages have the same sentences, and none is empty', () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort())
  for (const text of [...Object.values(en), ...Object.values(zh)]) expect(text.trim()).not.toBe('')
})

test.each(Object.keys(en) as (keyof typeof en)[])('%s has the same gaps in both languages', (key) => {
  const gaps = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort()
  expect(gaps(zh[key])).toEqual(gaps(en[key]))
})

test('Chinese is Chinese and English is English', () => {
  const keys = (Object.keys(en) as (keyof typeof en)[]).filter((key) => !SAME_IN_BOTH.has(key))
  expect(keys.filter((key) => !chinese.test(zh[key]))).toEqual([])
  expect(keys.filter((key) => chinese.test(en[key]))).toEqual([])
})

test('every sentence is used by a page', () => {
  const code = sources(join(project, 'web'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  const unused = Object.keys(en).filter((key) => {
    const stem = key.replace(/_(one|other)$/, '')
    return !code.includes(`'${stem}'`) && !code.includes(`\`${stem}\``)
  })
  // The form's mode is the beginning of these.
  expect(unused).toEqual(['sign.inTitle', 'sign.upTitle', 'sign.upHint'])
})

test('every code that the API can answer has a reason in Chinese', () => {
  const codes = ['shared/errors.ts', 'shared/video-errors.ts'].flatMap((path) => {
    const text = readFileSync(join(project, path), 'utf8')
    const catalogue = text.slice(text.indexOf(' = {'), text.indexOf('} as const'))
    return [...catalogue.matchAll(/^ {2}(\w+): \{/gm)].map((match) => match[1] ?? '')
  })
  expect(codes.length).toBeGreaterThan(35)
  expect(codes.filter((code) => !(code in REASONS))).toEqual([])
})

test('values are put where the template names them, and a gap without a value stays visible', () => {
  expect(fill('{a} of {b}', { a: 1, b: '$&' })).toBe('1 of $&')
  expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}')
})

test.each([
  ['zh', ['en-US'], 'zh'],
  [null, ['zh-TW', 'en'], 'zh'],
  [null, ['de', 'zh'], 'zh'],
  [null, ['de', 'en-GB', 'zh'], 'en'],
  [null, [], 'en'],
  ['nonsense', ['zh'], 'zh'],
])('who has chosen %s and wishes %s reads %s', (chosen, wishes, language) => {
  expect(languageFor(chosen, wishes)).toBe(language)
})

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|vue)$/.test(entry.name) && !entry.parentPath.endsWith('lang'))
    .map((entry) => join(entry.parentPath, entry.name))
}
