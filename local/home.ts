import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StartupError } from './start-error.ts'

/** Folder of this program: the nearest above this file, bundled or not, that has an `s.yaml`. */
export function programDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 's.yaml'))) return dir
    if (dir === dirname(dir)) throw new StartupError('there is no s.yaml above this program')
  }
}
