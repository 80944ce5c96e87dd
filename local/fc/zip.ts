import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'

/** A code package that cannot be taken. */
export class ZipError extends Error {}

/** One file, folder or symbolic link of an archive. */
export interface ZipEntry {
  /** Relative, with slashes, without a step upwards. */
  readonly name: string
  readonly kind: 'file' | 'folder' | 'link'
  /** Permission bits; 0 where the archive does not say. */
  readonly mode: number
  readonly size: number
  /** The bytes, checked against the checksum. */
  read(): Promise<Buffer>
}

const MAX_ENTRIES = 100_000
const MAX_UNPACKED_BYTES = 2 * 1024 ** 3
const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const inflate = promisify(inflateRaw)

/**
 * Reads the directory of an archive, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; refuses one that is
 * broken, encrypted, too large or that reaches outside of its own folder.
 */
export function readZip(archive: Buffer): readonly ZipEntry[] {
  const end = findEnd(archive)
  const entries: ZipEntry[] = []
  let at = archive.readUInt32LE(end + 16)
  let total = 0
  // Their number is one of 16 bits, which large packages overflow: the directory ends where its end record begins.
  while (at + 46 <= end && archive.readUInt32LE(at) === CENTRAL) {
    const entry = readEntry(archive, at)
    total += entry.size
    if (entries.length >= MAX_ENTRIES || total > MAX_UNPACKED_BYTES) throw new ZipError('the code package is too large')
    entries.push(entry)
    at += 46 + archive.readUInt16LE(at + 28) + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  if (entries.length === 0) throw new ZipError('the code package is empty or broken')
  return entries
}

/** Writes everything below a folder. */
export async function unpackZip(entries: readonly ZipEntry[], folder: string): Promise<void> {
  const links = entries.filter(({ kind }) => kind === 'link')
  refuseDetours(entries, new Set(links.map(({ name }) => name)))
  for (const entry of [...entries.filter(({ kind }) => kind !== 'link'), ...links]) {
    await place(entry, join(folder, entry.name)).catch((error: NodeJS.ErrnoException) => {
      throw IMPOSSIBLE.includes(error.code ?? '') ? new ZipError(`${entry.name.slice(0, 256)} has no place`) : error
    })
  }
}

/** Names that are too long, and those of two entries of which one is in the other's way. */
const IMPOSSIBLE = ['EEXIST', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTDIR']

async function place(entry: ZipEntry, path: string): Promise<void> {
  await mkdir(entry.kind === 'folder' ? path : dirname(path), { recursive: true })
  if (entry.kind === 'link') await symlink(await linkTarget(entry), path)
  if (entry.kind !== 'file') return
  await writeFile(path, await entry.read())
  if (entry.mode !== 0) await chmod(path, (entry.mode & 0o777) | 0o600)
}

/** Nothing may be written through a link: what looks like a place inside the package could then be one outside. */
function refuseDetours(entries: readonly ZipEntry[], links: ReadonlySet<string>): void {
  for (const { name } of entries) {
    const steps = name.split('/')
    const parents = steps.slice(0, -1).map((_step, index) => steps.slice(0, index + 1).join('/'))
    if (parents.some((parent) => links.has(parent))) throw new ZipError(`${name} lies behind a link`)
  }
}

function findEnd(archive: Buffer): number {
  const first = Math.max(0, archive.length - 22 - 0xffff)
  for (let at = archive.length - 22; at >= first; at--) if (archive.readUInt32LE(at) === END) return at
  throw new ZipError('the code package is not a ZIP archive')
}

function readEntry(archive: Buffer, at: number): ZipEntry {
  const flags = archive.readUInt16LE(at + 8)
  const size = archive.readUInt32LE(at + 24)
  const nameLength = archive.readUInt16LE(at + 28)
  const name = archive.toString('utf8', at + 46, at + 46 + nameLength)
  const attributes = archive.readUInt32LE(at + 38)
  // Unix modes are in the upper half, if whoever made the archive knew of them.
  const mode = archive.readUInt8(at + 5) === 3 ? attributes >>> 16 : 0
  if (flags & 1) throw new ZipError(`${name} is encrypted`)
  const kind = name.endsWith('/') ? 'folder' : (mode & 0o170000) === 0o120000 ? 'link' : 'file'
  return { name: checkName(name), kind, mode: mode & 0o777, size, read: () => readData(archive, at, name) }
}

function checkName(name: string): string {
  const steps = name.split('/')
  const isUnsafe = name === '' || name.startsWith('/') || name.includes('\0') || steps.includes('..')
  if (isUnsafe || name.length > 4096) throw new ZipError(`the code package holds a path that is not allowed: ${name}`)
  return name
}

async function readData(archive: Buffer, at: number, name: string): Promise<Buffer> {
  const [method, crc] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 16)]
  const [packed, size, local] = [20, 24, 42].map((offset) => archive.readUInt32LE(at + offset)) as Triple
  const broken = new ZipError(`${name} is broken`)
  if (local + 30 > archive.length || archive.readUInt32LE(local) !== LOCAL) throw broken
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  const raw = archive.subarray(start, start + packed)
  if (raw.length !== packed) throw broken
  if (method !== 0 && method !== 8) throw new ZipError(`${name} is packed by a method that is not known`)
  const data = method === 0 ? raw : await inflate(raw, { maxOutputLength: Math.max(1, size) }).catch(() => undefined)
  if (data?.length !== size || crc32(data) !== crc) throw broken
  return data
}

type Triple = [number, number, number]

/** A link that leads out of the package would let code read what is not its own. */
async function linkTarget(entry: ZipEntry): Promise<string> {
  const target = (await entry.read()).toString()
  const resolved = posix.normalize(posix.join(posix.dirname(entry.name), target))
  if (target.startsWith('/') || resolved === '..' || resolved.startsWith('../') || target.includes('\0')) {
    throw new ZipError(`the link ${entry.name} leads out of the code package`)
  }
  return target
}

const CRC = Int32Array.from({ length: 256 }, (_, n) => {
  let value = n
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

function crc32(data: Uint8Array): number {
  let value = -1
  for (const byte of data) value = (value >>> 8) ^ (CRC[(value ^ byte) & 255] ?? 0)
  return (value ^ -1) >>> 0
}
