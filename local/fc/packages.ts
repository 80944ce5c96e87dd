import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc64 } from '../oss/crc64.ts'
import { readZip, unpackZip } from './zip.ts'

/** A code package that is kept. */
export interface PackageRef {
  readonly id: string
  /** CRC-64 in decimal, as the API states it. */
  readonly checksum: string
  readonly size: number
}

/** Uploaded code: archives on disk, unpacked when they are needed. */
export interface Packages {
  /** Keeps an archive that can be unpacked, or throws `ZipError`; resolves when it is on disk. */
  add(archive: Buffer): Promise<PackageRef>
  /** Folder with the contents of a package. */
  folder(id: string): Promise<string>
  read(id: string): Promise<Buffer>
  /** Removes all others. */
  keepOnly(ids: ReadonlySet<string>): Promise<void>
}

/** Opens the packages of a folder of their own. */
export async function openPackages(dir: string): Promise<Packages> {
  await mkdir(dir, { recursive: true })
  // Node looks upwards for what kind of module a .js file is, and must not find the project's word on it.
  await writeFile(join(dir, 'package.json'), '{}\n')
  const archivePath = (id: string) => join(dir, `${id}.zip`)
  const unpacking = new Map<string, Promise<string>>()
  const adding = new Map<string, Promise<PackageRef>>()
  let attempts = 0

  async function unpack(id: string): Promise<string> {
    const folder = join(dir, id)
    if (existsSync(folder)) return folder
    const attempt = join(dir, `${id}.${process.pid}.${++attempts}.new`)
    try {
      await mkdir(attempt)
      await unpackZip(readZip(await readFile(archivePath(id))), attempt)
      await rename(attempt, folder)
    } finally {
      await rm(attempt, { recursive: true, force: true })
    }
    return folder
  }

  function folderOf(id: string): Promise<string> {
    const running = unpacking.get(id) ?? unpack(id).finally(() => unpacking.delete(id))
    unpacking.set(id, running)
    return running
  }

  async function keep(id: string, archive: Buffer): Promise<PackageRef> {
    readZip(archive)
    const isNew = !existsSync(archivePath(id))
    if (isNew) await writeDurably(dir, archivePath(id), archive)
    try {
      await folderOf(id)
    } catch (error) {
      if (isNew) await rm(archivePath(id), { force: true })
      throw error
    }
    return { id, checksum: checksumOf(archive), size: archive.length }
  }

  return {
    add(archive) {
      const id = createHash('sha256').update(archive).digest('hex').slice(0, 40)
      // Several functions of one package may be deployed at once.
      const running = adding.get(id) ?? keep(id, archive).finally(() => adding.delete(id))
      adding.set(id, running)
      return running
    },
    folder: folderOf,
    read: (id) => readFile(archivePath(id)),
    async keepOnly(ids) {
      for (const name of await readdir(dir)) {
        const [id = ''] = name.split('.')
        const isWhole = name === id || name === `${id}.zip`
        if (name !== 'package.json' && !(isWhole && ids.has(id))) await rm(join(dir, name), { recursive: true })
      }
    },
  }
}

/** What the API calls `codeChecksum`. */
export function checksumOf(archive: Uint8Array): string {
  const sum = crc64()
  sum.update(archive)
  return String(sum.value())
}

async function writeDurably(dir: string, path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dir, 'r')
  await folder.sync().finally(() => folder.close())
}
