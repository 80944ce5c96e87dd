/**
 * Bundles what runs outside the tests: every function folder, the local cloud, the pages and the demo. A target whose
 * inputs have not changed is left alone, so that starting twice costs one build.
 *
 *   node build.mjs [--force] [--only functions|local|web|demo|deploy]
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const root = dirname(fileURLToPath(import.meta.url))
const out = join(root, 'dist')

/** What our dependencies' CommonJS parts expect and an ES module lacks. */
const banner = `import { createRequire as __createRequire } from 'node:module'
import { fileURLToPath as __fileURLToPath } from 'node:url'
const require = __createRequire(import.meta.url)
const __filename = __fileURLToPath(import.meta.url)
const __dirname = __fileURLToPath(new URL('.', import.meta.url))`

/** @type {import('esbuild').BuildOptions} */
const node = {
  platform: 'node',
  format: 'esm',
  target: 'node20.10',
  outExtension: { '.js': '.mjs' },
  keepNames: true,
}

/**
 * @typedef {object} Target
 * @property {string} name folder under dist
 * @property {Record<string, string>} entries output name to source file
 * @property {import('esbuild').BuildOptions} options
 * @property {string[]} copied files that are taken as they are, relative to the project
 */

/**
 * A function is uploaded as it stands in its folder, so everything it needs is in its bundle. An SDK that is loaded by
 * `import()` becomes a chunk of its own and costs nothing until it is used. Source maps stay outside: nothing reads
 * them in the cloud, and the code is downloaded at each cold start.
 * @returns {Target[]}
 */
function functionTargets() {
  const folders = readdirSync(join(root, 'functions')).filter((name) =>
    existsSync(join(root, 'functions', name, 'index.ts')),
  )
  return folders.map((name) => ({
    name: `functions/${name}`,
    entries: { index: `functions/${name}/index.ts` },
    copied: [],
    options: {
      ...node,
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      sourcemap: 'external',
      banner: { js: banner },
      // proxy-agent: ali-oss asks for it only behind a proxy; lib-cov: fluent-ffmpeg's own coverage build.
      external: ['proxy-agent', './lib-cov/fluent-ffmpeg'],
    },
  }))
}

/** What runs as it is written, in processes that the local Function Compute starts. */
function localRuntimes() {
  const names = readdirSync(join(root, 'local/fc')).filter((name) => name.endsWith('.mjs'))
  return names.map((name) => `local/fc/${name}`)
}

/** @returns {Target[]} */
function otherTargets() {
  /** @type {(name: string, entryPoints: Record<string, string>) => Target} */
  const program = (name, entries) => ({
    name,
    entries,
    copied: [],
    options: { ...node, packages: 'external', sourcemap: 'linked', splitting: true },
  })
  /** @type {Target[]} */
  const all = [
    { ...program('local', { main: 'local/main.ts' }), copied: localRuntimes() },
    program('demo', { index: 'demo/index.ts' }),
    program('deploy', { main: 'deploy/main.ts' }),
    program('bench', { main: 'bench/main.ts' }),
    {
      name: 'web',
      entries: { watch: 'web/watch.ts' },
      copied: ['web/index.html', 'web/watch.html', 'web/watch.css'],
      options: {
        platform: 'browser',
        format: 'esm',
        target: 'es2022',
        minify: true,
        sourcemap: 'linked',
      },
    },
  ]
  return all.filter(({ entries }) => Object.values(entries).every((path) => existsSync(join(root, path))))
}

/**
 * Builds every target whose inputs changed.
 * @param {{ force?: boolean, only?: string, onProgress?: (line: string) => void }} [wanted]
 */
export async function build({ force = false, only, onProgress = () => {} } = {}) {
  const targets = [...functionTargets(), ...otherTargets()].filter(
    ({ name }) => only === undefined || name.split('/')[0] === only,
  )
  const stale = []
  for (const target of targets) if (force || !(await isFresh(target))) stale.push(target)
  if (stale.length === 0) return
  const startedAt = Date.now()
  onProgress(`building ${stale.map(({ name }) => name).join(', ')} …`)
  const esbuild = await import('esbuild')
  try {
    await Promise.all(stale.map((target) => buildTarget(esbuild, target)))
  } finally {
    await esbuild.stop()
  }
  onProgress(`built ${stale.length} of ${targets.length} bundles in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
}

/** Called by vitest before the e2e tests, which run what is in dist. */
export async function setup() {
  await build({ onProgress: report })
}

/** @param {string} line */
function report(line) {
  process.stderr.write(`${line}\n`)
}

/** @param {typeof import('esbuild')} esbuild @param {Target} target */
async function buildTarget(esbuild, target) {
  const folder = join(out, target.name)
  const result = await esbuild.build({
    ...target.options,
    entryPoints: target.entries,
    absWorkingDir: root,
    bundle: true,
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    outdir: folder,
    write: false,
  })
  await rm(folder, { recursive: true, force: true })
  for (const file of result.outputFiles) {
    const path = target.name.startsWith('functions/') && file.path.endsWith('.map') ? mapPath(file.path) : file.path
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, file.contents)
  }
  for (const path of target.copied) await cp(join(root, path), join(folder, relative(dirname(path), path)))
  await writeStamp(target, [...Object.keys(result.metafile.inputs), ...target.copied])
}

/** `dist/functions/x/index.mjs.map` → `dist/maps/functions/x/index.mjs.map`. @param {string} path */
function mapPath(path) {
  return join(out, 'maps', relative(out, path))
}

/** @param {string} name */
function stampPath(name) {
  return join(out, '.stamps', `${name.replace('/', '-')}.json`)
}

/**
 * Remembers what a target was made of. Packages are represented by npm's own record of what it installed.
 * @param {Target} target @param {string[]} inputs
 */
async function writeStamp(target, inputs) {
  const own = inputs.filter((path) => !path.includes('node_modules/'))
  const paths = [...own, 'build.mjs', 'node_modules/.package-lock.json'].sort()
  const seen = Object.fromEntries(paths.map((path) => [path, stateOf(path)]))
  await mkdir(dirname(stampPath(target.name)), { recursive: true })
  await writeFile(stampPath(target.name), JSON.stringify(seen, null, 2))
}

/** @param {Target} target */
async function isFresh(target) {
  const stamp = stampPath(target.name)
  if (!existsSync(stamp) || !existsSync(join(out, target.name))) return false
  /** @type {Record<string, string>} */
  const seen = JSON.parse(await readFile(stamp, 'utf8'))
  return Object.entries(seen).every(([path, state]) => stateOf(path) === state)
}

/** @param {string} path */
function stateOf(path) {
  const stat = statSync(join(root, path), { throwIfNoEntry: false })
  return stat ? `${stat.size} ${stat.mtimeMs}` : 'missing'
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { force: { type: 'boolean' }, only: { type: 'string' } } })
  await build({
    force: values.force ?? false,
    ...(values.only === undefined ? {} : { only: values.only }),
    onProgress: report,
  })
}
