import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

type Environment = Readonly<Record<string, string | undefined>>

/** A program that runs, and which version it says it is. */
export interface Tool {
  readonly path: string
  readonly version: string
}

/** The ffmpeg or ffprobe that the functions will take; `undefined` when there is none. */
export async function findTool(
  name: 'ffmpeg' | 'ffprobe',
  projectDir: string,
  env: Environment,
): Promise<Tool | undefined> {
  for (const path of candidates(name, projectDir, env)) {
    const version = await versionOf(name, path)
    if (version !== undefined) return { path, version }
  }
  return undefined
}

/** The order in which the functions look: configured, static package, PATH, installer package. */
function candidates(name: 'ffmpeg' | 'ffprobe', projectDir: string, env: Environment): string[] {
  const onPath = (env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  const pathOf = (exported: unknown) => (exported as { path?: unknown }).path
  return [
    env[`${name.toUpperCase()}_PATH`] ?? join(projectDir, 'dist', 'layers', 'ffmpeg', 'bin', name),
    packagePath(projectDir, `${name}-static`, (exported) => (name === 'ffmpeg' ? exported : pathOf(exported))),
    ...onPath,
    packagePath(projectDir, `@${name}-installer/${name}`, pathOf),
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

async function versionOf(name: string, path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['-version'], { timeout: 10_000 })
    return new RegExp(`^${name} version (\\S+)`).exec(stdout)?.[1]
  } catch {
    return undefined
  }
}
