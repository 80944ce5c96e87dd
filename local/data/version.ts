import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartupError } from '../start-error.ts'

/** What a program can read, and what it writes. */
export interface Formats {
  readonly oldest: number
  readonly current: number
}

/** Raised with each change of what is stored that an older program would misread; 0 is what had no version file yet. */
const FORMATS: Formats = { oldest: 0, current: 2 }

/** Refuses a folder whose contents this program cannot read, by the number in its file `version`. */
export async function checkVersion(dataDir: string, { oldest, current }: Formats = FORMATS): Promise<void> {
  const path = join(dataDir, 'version')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0'
    throw error
  })
  if (!/^\d+\s*$/.test(text)) {
    throw new StartupError(`${path} is broken: it should hold one number; put it right, or start with another --data`)
  }
  const found = Number(text)
  if (found > current) {
    throw new StartupError(
      `${dataDir} was written by a newer version (format ${found}; this one knows formats up to ${current}): update this program, or start with another --data`,
    )
  }
  if (found < oldest) {
    throw new StartupError(
      `${dataDir} was written by an older version (format ${found}; this one reads formats from ${oldest} on): copy what you need with the version that wrote it, then remove the folder, or start with another --data`,
    )
  }
}

/** Notes that from now on the folder holds what this program writes. */
export async function writeVersion(dataDir: string, { current }: Formats = FORMATS): Promise<void> {
  const path = join(dataDir, 'version')
  const kept = await readFile(path, 'utf8').catch(() => '')
  if (Number(kept) === current && kept !== '') return
  await writeFile(`${path}.new`, `${current}\n`)
  await rename(`${path}.new`, path)
}
