import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** A failure that is explained by its message alone; no stack is shown for it. */
export class DemoError extends Error {}

export interface Options {
  /** The video to upload; absent means that a clip is made. */
  readonly file: string | undefined
  /** Data folder of the running local cloud. */
  readonly dataDir: string
  readonly help: boolean
}

export const usage = `Usage: npm run demo -- [video] [--data .local]

Uploads a video to the running local cloud (npm start), waits until it is processed and prints where to watch it.
Without a video, a short clip is made.

  --data <folder>   data folder of the local cloud (default: .local)
  --help            this text`

/** Reads the command line; throws `DemoError` with what was expected. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args)
  const [name, ...rest] = positionals
  if (rest.length > 0) throw new DemoError(`Expected one video, got ${positionals.length}.\n\n${usage}`)
  // npm runs scripts in the project's folder; the name was typed in this one.
  const file = name === undefined ? undefined : resolve(process.env.INIT_CWD ?? '.', name)
  if (file !== undefined && values.help !== true) checkFile(file)
  return { file, dataDir: values.data ?? '.local', help: values.help ?? false }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { data: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
  } catch (error) {
    throw new DemoError(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
}

function checkFile(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat) throw new DemoError(`There is no file ${file}.`)
  if (!stat.isFile()) throw new DemoError(`${file} is not a file.`)
  if (stat.size === 0) throw new DemoError(`${file} is empty.`)
  try {
    accessSync(file, constants.R_OK)
  } catch {
    throw new DemoError(`${file} cannot be read by this user.`)
  }
}

/** What the demo needs to know of a running local cloud. */
export interface Cloud {
  readonly gateway: string
  readonly user: { readonly username: string; readonly password: string }
}

/** Reads `cloud.json`, which exists exactly while a local cloud runs on the folder. */
export async function readCloud(dataDir: string): Promise<Cloud> {
  const path = join(dataDir, 'cloud.json')
  const start = 'Start it with `npm start` in another terminal, and wait until it is ready.'
  if (!existsSync(path)) throw new DemoError(`No local cloud is running on ${dataDir} (there is no ${path}). ${start}`)
  const cloud = await parseCloud(path)
  if (!cloud) throw new DemoError(`${path} is not what \`npm start\` writes. Start it again to have it written anew.`)
  if (!isRunning(cloud.pid)) throw new DemoError(`The local cloud that wrote ${path} is gone. ${start}`)
  return cloud
}

async function parseCloud(path: string): Promise<(Cloud & { readonly pid: number }) | undefined> {
  try {
    const cloud = JSON.parse(await readFile(path, 'utf8'))
    return URL.canParse(cloud.gateway) && Number.isInteger(cloud.pid) && cloud.user ? cloud : undefined
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
