import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))
const imports = 'style/noRestrictedImports'

/** A file, a line in it, and the rule that refuses the line. */
type Case = readonly [file: string, line: string, rule: string]

const refused: readonly Case[] = [
  ['functions/videos/a.ts', "import '../play-redirect/cache.ts'", imports],
  ['functions/videos/a.ts', "import '../../functions/play-redirect/cache.ts'", imports],
  ['functions/videos/a.ts', "import '../../local/index.ts'", imports],
  ['functions/videos/a.ts', "import '../../test/fakes/tables.ts'", imports],
  ['functions/videos/a.ts', "import '../../web/watch.ts'", imports],
  ['functions/videos/a.ts', "import '../../bench/main.ts'", imports],
  ['functions/videos/a.ts', "import '../../demo/index.ts'", imports],
  ['functions/videos/a.ts', "import '../../docs/generator/open-api.ts'", imports],
  ['functions/videos/a.ts', "import '../../deploy/roles.ts'", imports],
  ['shared/log.ts', "import '../docs/generator/open-api.ts'", imports],
  ['local/index.ts', "import '../deploy/roles.ts'", imports],
  ['web/watch.ts', "import '../docs/generator/schema.ts'", imports],
  ['functions/videos/a.ts', "import 'node:child_process'", imports],
  ['functions/videos/index.ts', "import 'ali-oss'", imports],
  ['functions/videos/index.ts', "import 'tablestore/lib/core.js'", imports],
  ['functions/videos/index.ts', "import '@alicloud/fc20230330'", imports],
  ['functions/videos/index.ts', "import 'hls-parser'", imports],
  ['functions/videos/index.ts', "import 'jose'", imports],
  ['functions/ffmpeg-transcode/plan.ts', "import 'fluent-ffmpeg'", imports],
  ['functions/ffmpeg-transcode/plan.ts', "import 'node:child_process'", imports],
  ['functions/ffmpeg-transcode/ffmpeg.ts', "import 'ali-oss'", imports],
  ['functions/ffmpeg-transcode/ffmpeg.ts', "import '../videos/view.ts'", imports],
  ['shared/log.ts', "import '../functions/videos/view.ts'", imports],
  ['shared/log.ts', "import '../local/wire/http.ts'", imports],
  ['shared/log.ts', "import '../web/watch.ts'", imports],
  ['shared/log.ts', "import 'node:child_process'", imports],
  ['shared/auth/keys.ts', "import '../cloud/oss.ts'", imports],
  ['shared/auth/keys.ts', "import '../tables/accounts.ts'", imports],
  ['shared/auth/keys.ts', "import 'node:fs'", imports],
  ['shared/auth/keys.ts', "import 'jose'", imports],
  ['shared/auth/session-token.ts', "import 'tablestore'", imports],
  ['shared/tables/tasks.ts', "import '../cloud/tablestore.ts'", imports],
  ['shared/tables/tasks.ts', "import '../auth/keys.ts'", imports],
  ['shared/tables/tasks.ts', "import 'tablestore'", imports],
  ['shared/cloud/oss.ts', "import '../tables/tasks.ts'", imports],
  ['shared/cloud/oss.ts', "import 'tablestore'", imports],
  ['shared/cloud/oss.ts', "import '../../local/oss/index.ts'", imports],
  ['shared/cloud/tablestore.ts', "import 'ali-oss'", imports],
  ['shared/cloud/sts.ts', "import 'ali-oss'", imports],
  ['shared/cloud/retry.ts', "import '@alicloud/sts20150401'", imports],
  ['shared/pipeline.ts', "import 'node:crypto'", imports],
  ['shared/plan.ts', "import 'node:crypto'", imports],
  ['shared/hls.ts', "import 'node:fs'", imports],
  ['shared/hls.ts', "import 'ali-oss'", imports],
  ['local/index.ts', "import '../shared/tables/schema.ts'", imports],
  ['local/oss/sign-v1.ts', "import '../../shared/auth/oss-url.ts'", imports],
  ['local/oss/sign-v1.ts', "import '../../functions/videos/view.ts'", imports],
  ['local/oss/sign-v1.ts', "import 'ali-oss'", imports],
  ['local/oss/sign-v1.ts', "import 'node:child_process'", imports],
  ['local/main.ts', "import '../shared/errors.ts'", imports],
  ['local/main.ts', "import 'tablestore'", imports],
  ['local/fc/instance.ts', "import '../../shared/fc.ts'", imports],
  ['local/s-component/target.ts', "import '../../shared/cloud/invoke.ts'", imports],
  ['web/watch.ts', "import '../shared/errors.ts'", imports],
  ['web/watch.ts', "import '../functions/videos/view.ts'", imports],
  ['web/watch.ts', "import 'ali-oss'", imports],
  ['web/watch.ts', "import 'node:fs'", imports],
  ['web/upload/oss.ts', "import '../../shared/errors.ts'", imports],
  ['web/upload/oss.ts', "import 'tablestore'", imports],
  ['web/upload/parts.ts', "import 'ali-oss/dist/aliyun-oss-sdk.min.js'", imports],
  ['demo/upload.ts', "import '../shared/api.ts'", imports],
  ['demo/upload.ts', "import '../local/index.ts'", imports],
  ['demo/upload.ts', "import 'tablestore'", imports],
  ['shared/ring-a.ts', "import { b } from './ring-b.ts'; export const a = () => b", 'suspicious/noImportCycles'],
  ['shared/ring-b.ts', "import { a } from './ring-a.ts'; export const b = () => a", 'suspicious/noImportCycles'],
  ['shared/config.ts', 'export const region = process.env.REGION', 'style/noProcessEnv'],
  ['functions/videos/route.ts', 'export const region = process.env.REGION', 'style/noProcessEnv'],
  ['local/oss/index.ts', 'export const region = process.env.REGION', 'style/noProcessEnv'],
  ['shared/fc.ts', "console.log('here')", 'suspicious/noConsole'],
  ['functions/videos/route.ts', "console.error('here')", 'suspicious/noConsole'],
  ['local/oss/index.ts', "console.log('here')", 'suspicious/noConsole'],
  ['shared/fc.ts', 'export default {}', 'style/noDefaultExport'],
  ['shared/fc.ts', "export * from './log.ts'", 'performance/noReExportAll'],
  ['shared/fc.ts', "import './log'", 'correctness/useImportExtensions'],
  ['shared/fc.ts', "import 'fs'", 'style/useNodejsImportProtocol'],
  ['shared/fc.ts', 'export const a = (b: any) => b', 'suspicious/noExplicitAny'],
  ['shared/fc.ts', 'export const c = (d?: string) => d!', 'style/noNonNullAssertion'],
]

const allowed: readonly (readonly [file: string, line: string])[] = [
  ['functions/videos/a.ts', "import './route.ts'"],
  ['functions/videos/a.ts', "import '../../shared/errors.ts'"],
  ['functions/videos/index.ts', 'export const region = process.env.REGION'],
  ['functions/ffmpeg-transcode/ffmpeg.ts', "import 'fluent-ffmpeg'"],
  ['functions/ffmpeg-transcode/ffmpeg.ts', "import 'node:child_process'"],
  ['shared/log.ts', "console.log('here')"],
  ['shared/auth/keys.ts', "import 'node:crypto'"],
  ['shared/auth/keys.ts', "import '../errors.ts'"],
  ['shared/auth/session-token.ts', "import 'jose'"],
  ['shared/tables/tasks.ts', "import './client.ts'"],
  ['shared/cloud/oss.ts', "import 'ali-oss'"],
  ['shared/cloud/tablestore.ts', "import 'tablestore'"],
  ['shared/cloud/tablestore.ts', "import '../tables/client.ts'"],
  ['shared/cloud/sts.ts', "import '@alicloud/sts20150401'"],
  ['shared/cloud/invoker.ts', "import '@alicloud/fc20230330'"],
  ['shared/hls.ts', "import 'hls-parser'"],
  ['local/main.ts', "import '../shared/tables/schema.ts'"],
  ['local/main.ts', "import '../deploy/roles.ts'"],
  ['deploy/main.ts', "console.log('here')"],
  ['docs/generator/open-api.ts', "import '../../functions/videos/accounts.ts'"],
  ['local/main.ts', "console.log('here')"],
  ['local/fc/instance.ts', "import 'node:child_process'"],
  ['local/data/indexes.ts', "import 'node:child_process'"],
  ['local/ffmpeg/run.ts', "import 'node:child_process'"],
  ['local/oss/sign-v1.ts', "import '../wire/http.ts'"],
  ['web/watch.ts', "import '../shared/api.ts'"],
  ['web/upload/oss.ts', "import 'ali-oss/dist/aliyun-oss-sdk.min.js'"],
  ['web/upload/oss.ts', "import '../../shared/api.ts'"],
  ['demo/upload.ts', "import 'ali-oss'"],
  ['test/e2e/play.test.ts', "import '../../local/index.ts'"],
  ['test/e2e/play.test.ts', "import 'ali-oss'"],
  ['vitest.config.ts', 'export default {}'],
]

const folder = mkdtempSync(join(tmpdir(), 'boundaries-'))
let found: { refused: Set<string>; allowed: Set<string> }

beforeAll(async () => {
  found = { refused: await lint('refused', refused), allowed: await lint('allowed', allowed) }
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true }))

test.each(refused)('%s may not say: %s', (file, line, rule) => {
  expect(found.refused).toContain(`${file}:${lineOf(refused, file, line)} lint/${rule}`)
})

test.each(allowed)('%s may say: %s', (file, line) => {
  const at = `${file}:${lineOf(allowed, file, line)} `
  expect([...found.allowed].filter((place) => place.startsWith(at))).toEqual([])
})

/** Plants the lines in a project of their own with our rules; answers `file:line rule` of every error. */
async function lint(name: string, cases: readonly (readonly [file: string, line: string, ...rest: string[]])[]) {
  const root = join(folder, name)
  const config = JSON.parse(readFileSync(join(project, 'biome.json'), 'utf8'))
  write(join(root, 'biome.json'), JSON.stringify({ ...config, vcs: { enabled: false } }))
  for (const file of new Set(cases.map(([file]) => file))) write(join(root, file), linesOf(cases, file).join('\n'))
  const report = await new Promise<string>((resolve) => {
    const biome = join(project, 'node_modules/@biomejs/biome/bin/biome')
    const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.']
    execFile(process.execPath, args, { cwd: root, maxBuffer: 1e8 }, (_error, stdout) => resolve(stdout))
  })
  const { diagnostics } = JSON.parse(report) as { diagnostics: readonly Diagnostic[] }
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  return new Set(errors.map(({ location, category }) => `${location.path}:${location.start.line} ${category}`))
}

interface Diagnostic {
  readonly severity: string
  readonly category: string
  readonly location: { readonly path: string; readonly start: { readonly line: number } }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function linesOf(cases: readonly (readonly [file: string, line: string, ...rest: string[]])[], file: string) {
  return cases.filter((one) => one[0] === file).map((one) => one[1])
}

function lineOf(
  cases: readonly (readonly [file: string, line: string, ...rest: string[]])[],
  file: string,
  line: string,
) {
  return linesOf(cases, file).indexOf(line) + 1
}
