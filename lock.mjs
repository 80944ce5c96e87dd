/**
 * Completes package-lock.json: `npm run lock`, after each `npm install`. npm leaves optional packages of other platforms
 * out of the lock when the registry at hand does not have them, and `npm ci` then refuses to work from it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** @typedef {{ version?: string, optionalDependencies?: Record<string, string>, optional?: boolean, dev?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Entry */
/** @typedef {{ packages: Record<string, Entry> }} Lock */
/** @typedef {{ name: string, range: string, dev: boolean }} Missing */

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

/**
 * Optional dependencies that a package of the lock names and the lock does not hold.
 * @param {Lock} lock
 * @returns {Missing[]}
 */
export function missingOptionals({ packages }) {
  return Object.entries(packages).flatMap(([path, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !isLocked(packages, path, name))
      .map(([name, range]) => ({ name, range, dev: entry.dev ?? false })),
  )
}

/**
 * The lock with an entry for each of them. What a package is for is read from its name, as all of them are named alike.
 * @param {Lock} lock
 * @returns {Lock}
 */
export function completeLock(lock) {
  const added = missingOptionals(lock).map(({ name, range, dev }) => {
    /** @type {Entry} */
    const entry = { ...platformOf(name), optional: true, ...(dev ? { dev } : {}) }
    // npm's own order, or its next install would write the file again.
    const sorted = Object.entries(entry).sort(([a], [b]) => a.localeCompare(b, 'en'))
    const version = range.replace(/^[~^=]/, '')
    return /** @type {const} */ ([`node_modules/${name}`, { version, ...Object.fromEntries(sorted) }])
  })
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(added) })
  return { ...lock, packages: Object.fromEntries(packages.sort(([a], [b]) => a.localeCompare(b, 'en'))) }
}

/**
 * Looks a name up as Node would: beside the package, then in every folder above it.
 * @param {Lock['packages']} packages @param {string} path @param {string} name
 * @returns {boolean}
 */
function isLocked(packages, path, name) {
  if (`${path}${path === '' ? '' : '/'}node_modules/${name}` in packages) return true
  if (path === '') return false
  const above = path.lastIndexOf('/node_modules/')
  return isLocked(packages, above === -1 ? '' : path.slice(0, above), name)
}

/** @param {string} name */
function platformOf(name) {
  const words = name.split(/[-/]/)
  const system = systems.find((one) => words.includes(one))
  const processor = processors.find((one) => words.includes(one))
  if (!system || !processor) throw new Error(`${name}: which system and processor is it for? Extend lock.mjs.`)
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : []
  return { os: [system], cpu: [processor], ...(libc.length > 0 ? { libc } : {}) }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = fileURLToPath(new URL('package-lock.json', import.meta.url))
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingOptionals(lock)
  if (missing.length > 0) writeFileSync(file, `${JSON.stringify(completeLock(lock), null, 2)}\n`)
  console.log(`package-lock.json: ${missing.length} optional packages of other platforms added`)
}
