/**
 * Bundles what runs outside the tests: every function folder, the local cloud, the pages and the demo. A target whose
 * inputs have not changed is left alone, so that starting twice costs one build.
 *
 *   node build.mjs [--force] [--only functions|local|s-component|web|demo|deploy]
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
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

/** What runs as it is written, in processes that the local cloud starts. */
function localRuntimes() {
  return ['local/fc', 'local/data'].flatMap((folder) => {
    const names = readdirSync(join(root, folder)).filter((name) => name.endsWith('.mjs'))
    return names.map((name) => `${folder}/${name}`)
  })
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
    { ...program('local', { main: 'local/main.ts', cloud: 'local/cloud-main.ts' }), copied: localRuntimes() },
    program('s-component', { index: 'local/s-component/index.ts' }),
    program('demo', { index: 'demo/index.ts' }),
    program('deploy', { main: 'deploy/main.ts' }),
    program('bench', { main: 'bench/main.ts' }),
    { name: 'web', entries: { index: 'web/index.html' }, copied: staticFiles(), options: {} },
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

/**
 * Files of nothing but esbuild's own helpers are imported everywhere, also where none of them is used.
 * @param {string} text @param {readonly string[]} idle names of such files
 */
function withoutIdleImports(text, idle) {
  return text.replace(/^import "\.\/(?:chunks\/)?([^"/]+)";$/gm, (line, name) => (idle.includes(name) ? '' : line))
}

/**
 * `node:module` takes two milliseconds to load, which a cold start would pay for nothing in most files. The lines stay
 * where the map has them.
 * @param {string} text
 */
function withoutIdleBanner(text) {
  if (!text.startsWith(banner)) return text
  const rest = text.slice(banner.length)
  const isUsed = /\b(require|__filename|__dirname)\b/.test(rest)
  return isUsed ? text : banner.replace(/.+/g, '') + rest
}

/** @param {typeof import('esbuild')} esbuild @param {Target} target */
async function buildTarget(esbuild, target) {
  if (target.name === 'web') return buildPages(target)
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
  await rm(stampPath(target.name), { force: true })
  const idle = Object.entries(result.metafile.outputs).flatMap(([path, { inputs }]) =>
    Object.keys(inputs).length === 0 ? [basename(path)] : [],
  )
  /** @type {string[]} */
  const written = []
  for (const file of result.outputFiles) {
    const path = target.name.startsWith('functions/') && file.path.endsWith('.map') ? mapPath(file.path) : file.path
    const contents = path.endsWith('.mjs') ? withoutIdleBanner(withoutIdleImports(file.text, idle)) : file.contents
    written.push(await replaceFile(path, contents))
  }
  for (const path of target.copied) {
    written.push(await replaceFile(join(folder, relative(dirname(path), path)), await readFile(join(root, path))))
  }
  await removeOthers(folder, written)
  await writeStamp(target, [...Object.keys(result.metafile.inputs), ...target.copied])
}

/**
 * A local cloud that runs may start an instance at any moment, and a second build may be at work: what is there is whole.
 * @param {string} path @param {Uint8Array | string} contents
 */
async function replaceFile(path, contents) {
  await mkdir(dirname(path), { recursive: true })
  const fresh = join(out, '.new', `${process.pid}-${relative(out, path).replaceAll('/', '-')}`)
  await mkdir(dirname(fresh), { recursive: true })
  await writeFile(fresh, contents)
  await rename(fresh, path)
  return path
}

/** What an earlier build left and this one did not make again. @param {string} folder @param {string[]} kept */
async function removeOthers(folder, kept) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  await Promise.all(files.filter((path) => !kept.includes(path)).map((path) => rm(path, { force: true })))
}

/** What the pages need under its own name. */
function staticFiles() {
  return readdirSync(join(root, 'web/public')).map((name) => `web/public/${name}`)
}

/** @param {Target} target */
async function buildPages(target) {
  const folder = join(out, target.name)
  const { files, inputs } = await bundlePages()
  await rm(stampPath(target.name), { force: true })
  const written = []
  for (const path of target.copied) {
    written.push(await replaceFile(join(folder, relative('web/public', path)), await readFile(join(root, path))))
  }
  for (const [name, contents] of files) written.push(await replaceFile(join(folder, name), contents))
  await removeOthers(folder, written)
  await writeStamp(target, [...inputs, ...target.copied])
}

/** The pages, by Vite: its files, the page itself last, and what they were made of. */
async function bundlePages() {
  const [vite, { default: vue }] = await Promise.all([import('vite'), import('@vitejs/plugin-vue')])
  /** @type {Set<string>} */
  const modules = new Set(['web/index.html'])
  // Called by tests it would make what is for developers, with the paths of this machine in it.
  const bundle = await inProduction(() =>
    vite.build({
      configFile: false,
      root: join(root, 'web'),
      publicDir: false,
      logLevel: 'warn',
      define: { __VUE_OPTIONS_API__: 'false' },
      plugins: [
        vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith('media-') } } }),
        {
          name: 'modules',
          generateBundle() {
            for (const id of this.getModuleIds()) modules.add(relative(root, id.replace(/[?#].*$/, '')))
          },
        },
      ],
      build: {
        write: false,
        target: 'es2022',
        sourcemap: true,
        // A data: URL would need an exception in the content security policy.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
        // The player and the vendor's client are one large file each, loaded when they are needed.
        chunkSizeWarningLimit: 1000,
        rolldownOptions: { checks: { pluginTimings: false } },
      },
    }),
  )
  const { output } = /** @type {import('vite').Rolldown.RolldownOutput} */ (bundle)
  const files = output
    .map((file) => /** @type {const} */ ([file.fileName, Buffer.from(file.type === 'chunk' ? file.code : file.source)]))
    .sort(([one], [other]) => Number(one === 'index.html') - Number(other === 'index.html'))
  return { files, inputs: [...modules].filter((path) => existsSync(join(root, path))) }
}

/** Vite decides by a variable of the process what it builds for. @template Result @param {() => Promise<Result>} action */
async function inProduction(action) {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    return await action()
  } finally {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  }
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
