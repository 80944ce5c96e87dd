import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Cloud, type Local, type LocalOptions, startLocal } from './index.ts'
import { StartupError } from './start-error.ts'

/** What a command needs from its surroundings. */
export interface RunContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where signals come from, and what a second one ends. */
  readonly process: {
    on(signal: string, listener: () => void): unknown
    off(signal: string, listener: () => void): unknown
    exit(status: number): void
  }
  /** Tells two presses of Ctrl-C from one that arrives twice; `Date.now` unless given. */
  now?(): number
  /** One line of output, without its end. */
  print(line: string): void
}

/** Says something as text or as one JSON object a line. */
export type Say = (event: 'progress' | 'error' | 'stopping' | 'ready', text: string, fields?: object) => void

/** Where a local cloud is to run. */
export interface Place {
  readonly port: number
  readonly data: string
  readonly host: string
  readonly ephemeral: boolean
  readonly controls: boolean
}

/** What a command says when it is up. */
export interface Announcement {
  readonly text: string
  readonly cloud: object
}

/** Runs a command; whatever keeps it from starting is said in one line, and the exit status is 1. */
export async function runOrExplain(
  argv: readonly string[],
  { print }: Pick<RunContext, 'print'>,
  run: (say: Say) => Promise<number>,
): Promise<number> {
  const say = printer(argv.includes('--json'), print)
  try {
    return await run(say)
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    say('error', error.message)
    return 1
  }
}

/** Options that every command has, for `parseArgs`. */
export const PLACE_OPTIONS = {
  port: { type: 'string', default: '9000' },
  data: { type: 'string', default: '.local' },
  host: { type: 'string', default: '127.0.0.1' },
  ephemeral: { type: 'boolean', default: false },
  controls: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>

/** Reads the command line; `command` is what a wrong one is told to try with `--help`. */
export function parseOptions<const T extends Options>(argv: readonly string[], options: T, command: string) {
  try {
    return parseArgs({ args: [...argv], options })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new StartupError(`${message.split(/[.\n]/)[0]}. Try: ${command} -- --help`)
  }
}

/** Addresses that `localhost` stands for. */
const NAMED_ADDRESSES: readonly string[] = ['127.0.0.1', '::1', '0.0.0.0', '::']

/** Checks what `PLACE_OPTIONS` have read. */
export function readPlace(values: {
  readonly port: string
  readonly data: string
  readonly host: string
  readonly ephemeral: boolean
  readonly controls: boolean
}): Place {
  const { data, host, ephemeral, controls } = values
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > HIGHEST_PORT) {
    throw new StartupError(`--port takes a number from 0 to ${HIGHEST_PORT}, not ${values.port}`)
  }
  if (isIP(host) && !NAMED_ADDRESSES.includes(host)) {
    throw new StartupError(`--host takes a name, 127.0.0.1 or 0.0.0.0: the SDK of OSS finds no bucket at an address`)
  }
  if (data === '') throw new StartupError('--data takes the name of a folder')
  return { port, data, host, ephemeral, controls }
}

/** The services take the ports above the gateway's. */
const HIGHEST_PORT = 65_529

/** Starts the local cloud, writes `cloud.json` while it runs, and stops it in order when a signal asks. */
export async function runUntilStopped(
  place: Place,
  context: RunContext,
  say: Say,
  more: Partial<LocalOptions>,
  announce: (cloud: Cloud, dataDir: string) => Promise<Announcement>,
): Promise<number> {
  const dataDir = place.ephemeral ? await mkdtemp(join(tmpdir(), 'yunbo-')) : resolve(place.data)
  const stop = stopSignal(context.process, context.now ?? Date.now)
  const giveUp = new AbortController()
  void stop.requested.then(() => {
    say('stopping', 'stopping')
    giveUp.abort()
  })
  let local: Local | undefined
  let announced = false
  try {
    const { port, host, controls } = place
    local = await startLocal({
      port,
      host,
      controls,
      dataDir,
      signal: giveUp.signal,
      env: context.env,
      onProgress: (line) => say('progress', line),
      ...more,
    })
    const { text, cloud } = await announce(local.cloud, dataDir)
    giveUp.signal.throwIfAborted()
    await writeCloud(dataDir, cloud)
    announced = true
    say('ready', text, cloud)
    await stop.requested
  } catch (error) {
    if (error !== giveUp.signal.reason) throw error
  } finally {
    // A start that was refused leaves the file of the one that runs.
    if (announced) await rm(join(dataDir, 'cloud.json'), { force: true })
    await local?.close()
    if (place.ephemeral) await rm(dataDir, { recursive: true, force: true })
    stop.dispose()
  }
  return 0
}

/** A folder as it is best named to somebody who stands in the current one. */
export function folderName(dataDir: string): string {
  const folder = relative(process.cwd(), dataDir)
  return folder.startsWith('..') || folder === '' ? dataDir : folder
}

/** One Ctrl-C may arrive twice: from the terminal, and from npm, which passes on what it gets itself. */
const SAME_KEY_PRESS_MS = 500

/** The first Ctrl-C asks to stop; the second ends the process at once, and the reaper its children. */
function stopSignal(process: RunContext['process'], now: () => number) {
  let request = () => {}
  const requested = new Promise<void>((resolve) => {
    request = resolve
  })
  let askedAt: number | undefined
  const listen = () => {
    if (askedAt !== undefined && now() - askedAt > SAME_KEY_PRESS_MS) process.exit(130)
    askedAt ??= now()
    request()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, listen)
  return {
    requested,
    dispose() {
      for (const name of signals) process.off(name, listen)
    },
  }
}

async function writeCloud(dataDir: string, cloud: object): Promise<void> {
  const path = join(dataDir, 'cloud.json')
  await writeFile(`${path}.new`, `${JSON.stringify(cloud, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

function printer(json: boolean, print: (line: string) => void): Say {
  if (!json) return (_event, text) => print(text)
  return (event, text, fields) => print(JSON.stringify({ event, ...(fields ?? { message: text }) }))
}
