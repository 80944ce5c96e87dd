import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { roles } from '../../deploy/roles.ts'
import { apiPage } from '../../docs/generator/api-page.ts'
import { deployPage } from '../../docs/generator/deploy-page.ts'
import { deploymentVariables, functionSettings } from '../../docs/generator/environment.ts'
import { openApi } from '../../docs/generator/open-api.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

describe('what is made of the code is that of the code (`npm run docs` makes it again):', () => {
  test('docs/openapi.json', async () => {
    await expect(`${JSON.stringify(openApi(), null, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json')
  })

  test('docs/api.md', async () => {
    await expect(apiPage(openApi())).toMatchFileSnapshot('../../docs/api.md')
  })

  test('the made parts of docs/deploy.md', async () => {
    await expect(deployPage(read('docs/deploy.md'))).toMatchFileSnapshot('../../docs/deploy.md')
  })
})

test('docs/deploy.md names every variable that a deployment or a function reads', () => {
  const rows = [...read('docs/deploy.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
  const wanted = [...deploymentVariables().keys(), ...functionSettings().map(({ variable }) => variable)]
  expect(new Set(rows)).toEqual(new Set(wanted))
})

test('every function of s.yaml has a role of its own, and every role of a function has its function', () => {
  const { resources } = parse(read('s.yaml')) as {
    resources: Record<string, { props: { functionName?: string; role?: string } }>
  }
  const functions = Object.values(resources).flatMap(({ props }) => (props.functionName ? [props] : []))
  for (const { functionName, role } of functions) expect(role?.split(':role/')[1]).toBe(functionName)
  const place = { accountId: '1', region: 'cn-hangzhou', bucket: 'b', instance: 'i', prefix: 'yunbo-' }
  const own = roles(place).map(({ name }) => name)
  expect(own).toEqual(expect.arrayContaining(functions.map(({ functionName }) => functionName)))
  expect(own).toHaveLength(functions.length + 1)
})

const pages = ['README.md', 'README.zh-CN.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].concat(
  readdirSync(new URL('docs/', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
)

test.each(pages)('every link in %s leads somewhere', (page) => {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  const broken = links.filter((target) => !/^https?:/.test(target) && !leadsSomewhere(page, target))
  expect(broken).toEqual([])
})

test.each(pages)('every file that %s names in backticks exists', (page) => {
  const named = [...read(page).matchAll(/`((?:functions|shared|local|docs|test|layers|deploy|demo)\/[\w./-]+)`/g)]
  const missing = named.map(([, path = '']) => path).filter((path) => !existsSync(new URL(path, root)))
  expect(missing).toEqual([])
})

test('the Chinese README says what the English one says', () => {
  const [english, chinese] = [read('README.md'), read('README.zh-CN.md')]
  expect(blocks(chinese)).toEqual(blocks(english))
  expect(targets(chinese)).toEqual(targets(english))
  expect(headings(chinese)).toHaveLength(headings(english).length)
  expect(steps(chinese)).toBe(steps(english))
})

/** Commands are the same in every language. */
function blocks(text: string): string[] {
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block)
}

/** Each points at the other, and both at the same pages. */
function targets(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return [...new Set(links.filter((target) => !target.startsWith('README')))].sort()
}

function headings(text: string): string[] {
  return text.match(/^#+ .*$/gm) ?? []
}

function steps(text: string): number {
  return text.match(/^\d+\. /gm)?.length ?? 0
}

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? new URL(page, root) : new URL(path, new URL(page, root))
  if (!existsSync(file)) return false
  if (anchor === undefined || !fileURLToPath(file).endsWith('.md')) return true
  return anchorsOf(readFileSync(file, 'utf8')).includes(decodeURIComponent(anchor))
}

/** As GitHub makes them: lower case, no punctuation, hyphens for spaces. */
function anchorsOf(text: string): string[] {
  return headings(withoutCode(text)).map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function withoutCode(text: string): string {
  return text.replace(/```[\s\S]*?```/g, '')
}
