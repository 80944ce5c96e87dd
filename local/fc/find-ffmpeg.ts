import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** Which ffmpeg the functions will take, for people to read; `undefined` when there is none. */
export async function findFfmpeg(
  projectDir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  for (const path of candidates(projectDir, env)) {
    const version = await versionOf(path)
    if (version !== undefined) return `${path} (${version})`
  }
  return undefined
}

/** The order in which the functions look: configured, static package, PATH, installer package. */
function candidates(projectDir: string, env: Readonly<Record<string, string | undefined>>): string[] {
  const onPath = (env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'ffmpeg'))
  return [
    env.FFMPEG_PATH ?? join(projectDir, 'dist', 'layers', 'ffmpeg', 'bin', 'ffmpeg'),
    packagePath(projectDir, 'ffmpeg-static', (exported) => exported),
    ...onPath,
    packagePath(projectDir, '@ffmpeg-installer/ffmpeg', (exported) => (exported as { path?: unknown }).path),
  ].filter((path) => path !== undefined && isExecutable(path)) as string[]
}

function packagePath(projectDir: string, name: string, read: (exported: unknown) => unknown): string | undefined {
  try {
    const path = read(createRequire(join(projectDir, 'package.json'))(name))
    return typeof path === 'string' ? path : undefined
  } catch {
    return undefined
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['-version'], { timeout: 10_000 })
    return /^ffmpeg version (\S+)/.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}
