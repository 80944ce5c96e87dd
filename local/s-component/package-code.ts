import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { type Zippable, zipSync } from 'fflate'
import { crc64 } from '../oss/crc64.ts'

/** An archive as the API takes it. */
export interface CodePackage {
  readonly base64: string
  /** CRC-64 in decimal; the service answers with the same, by which unchanged code is known. */
  readonly checksum: string
  readonly size: string
}

/** A folder as an archive that depends on nothing but names, modes and contents; a .zip or .jar as it is. */
export async function packageCode(path: string): Promise<CodePackage> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new Error(`${path} is not there: build the code first (npm run build)`)
  const archive = found.isFile() ? await readArchive(path) : await zipFolder(path)
  const sum = crc64()
  sum.update(archive)
  const bytes = Buffer.from(archive)
  return { base64: bytes.toString('base64'), checksum: String(sum.value()), size: megabytes(bytes.length) }
}

async function readArchive(path: string): Promise<Uint8Array> {
  if (['.zip', '.jar', '.war'].includes(extname(path))) return readFile(path)
  throw new Error(`${path}: expected a folder, or a .zip, .jar or .war`)
}

async function zipFolder(folder: string): Promise<Uint8Array> {
  const files: Zippable = {}
  for (const path of await pathsIn(folder, '')) files[path] = await entryOf(join(folder, path))
  return zipSync(files)
}

async function pathsIn(folder: string, below: string): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true })
  const paths = entries.map(async (entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    return entry.isDirectory() ? pathsIn(folder, path) : [path]
  })
  return (await Promise.all(paths)).flat().sort()
}

const UNIX = 3

/** The earliest date that an archive can hold, on any clock. */
const SAME_DATE = new Date(1980, 0, 1)

async function entryOf(path: string): Promise<Zippable[string]> {
  const { mode } = await lstat(path)
  const isLink = (mode & 0o170000) === 0o120000
  const contents = isLink ? Buffer.from(await readlink(path)) : await readFile(path)
  // Compressed lightly: the archive travels within this machine.
  return [new Uint8Array(contents), { mtime: SAME_DATE, os: UNIX, attrs: (mode << 16) >>> 0, level: 1 }]
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`
}
