import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from 'lmdb'

/** The longest body that stands in the index rather than in a file. */
export const SMALL_BYTES = 16 * 1024

/** Bytes that a store keeps: a whole file, one that is not whole yet, or an entry of the index. */
export interface Held {
  readonly name: string
  readonly size: number
  readonly where: 'file' | 'tmp' | 'index'
}

/** All bytes in the folder of a store, whether an object names them or not. */
export async function heldIn(ossDir: string): Promise<Held[]> {
  const entries = await readdir(join(ossDir, 'blobs'), { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(async ({ parentPath, name }): Promise<Held> => {
      const { size } = await stat(join(parentPath, name))
      return { name, size, where: parentPath.endsWith('tmp') ? 'tmp' : 'file' }
    })
  return [...(await Promise.all(files)), ...(await heldInIndex(ossDir))]
}

async function heldInIndex(ossDir: string): Promise<Held[]> {
  const root = open({ path: join(ossDir, 'index'), maxDbs: 16, readOnly: true })
  try {
    const small = root.openDB<Buffer, string>({ name: 'small', encoding: 'binary' })
    return [...small.getRange({})].map(({ key, value }) => ({ name: key, size: value.length, where: 'index' }))
  } finally {
    await root.close()
  }
}
