import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findFfmpeg } from './fc/find-ffmpeg.ts'
import { type Cloud, type Local, type LocalOptions, startLocal } from './index.ts'
import { StartupError } from './start-error.ts'

const USAGE = `Usage: npm start -- [options]

  --port N      port of the page and the API; the services take the four above it (9000); 0: any that are free
  --data DIR    where everything is kept (.local)
  --host HOST   name or address to listen on (127.0.0.1); 0.0.0.0: on every one, as in a container
  --ephemeral   keep nothing: a temporary folder that is removed at the end
  --no-web      serve no pages
  --controls    let tests move the clock and set faults over HTTP, under /__local/ (docs/local.md)
  --json        one JSON object a line instead of text
  --help        this text
`

/** What the command needs from its surroundings. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly projectDir?: string
  readonly createTables?: NonNullable<LocalOptions['createTables']>
  readonly rolePolicies?: NonNullable<LocalOptions['rolePolicies']>
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

/** Runs `npm start`: starts the local cloud and keeps it until it is told to stop; resolves to the exit status. */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  const say = printer(argv.includes('--json'), context.print)
  try {
    const settings = readSettings(argv)
    if (settings === undefined) {
      context.print(USAGE)
      return 0
    }
    return await runUntilStopped(settings, context, say)
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    say('error', error.message)
    return 1
  }
}

interface Settings {
  readonly port: number
  readonly data: string
  readonly host: string
  readonly ephemeral: boolean
  readonly web: boolean
  readonly controls: boolean
}

type Say = (event: 'progress' | 'error' | 'stopping' | 'ready', text: string, fields?: object) => void

/** Addresses that `localhost` stands for. */
const NAMED_ADDRESSES: readonly string[] = ['127.0.0.1', '::1', '0.0.0.0', '::']

function readSettings(argv: readonly string[]): Settings | undefined {
  const { values } = parse(argv)
  if (values.help) return undefined
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_531) {
    throw new StartupError(`--port takes a number from 0 to 65531, not ${values.port}`)
  }
  if (isIP(values.host) && !NAMED_ADDRESSES.includes(values.host)) {
    throw new StartupError(`--host takes a name, 127.0.0.1 or 0.0.0.0: the SDK of OSS finds no bucket at an address`)
  }
  if (values.data === '') throw new StartupError('--data takes the name of a folder')
  const { data, host, ephemeral, controls } = values
  return { port, data, host, ephemeral, controls, web: !values['no-web'] }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: '9000' },
        data: { type: 'string', default: '.local' },
        host: { type: 'string', default: '127.0.0.1' },
        ephemeral: { type: 'boolean', default: false },
        'no-web': { type: 'boolean', default: false },
        controls: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new StartupError(`${message.split(/[.\n]/)[0]}. Try: npm start -- --help`)
  }
}

async function runUntilStopped(settings: Settings, context: CommandContext, say: Say): Promise<number> {
  const dataDir = settings.ephemeral ? await mkdtemp(join(tmpdir(), 'yunbo-')) : resolve(settings.data)
  const stop = stopSignal(context.process, context.now ?? Date.now)
  const giveUp = new AbortController()
  void stop.requested.then(() => {
    say('stopping', 'stopping')
    giveUp.abort()
  })
  let local: Local | undefined
  let announced = false
  try {
    const { port, host, web, controls } = settings
    local = await startLocal({
      port,
      host,
      web,
      controls,
      dataDir,
      signal: giveUp.signal,
      env: context.env,
      onProgress: (line) => say('progress', line),
      ...(context.projectDir === undefined ? {} : { projectDir: context.projectDir }),
      ...(context.createTables === undefined ? {} : { createTables: context.createTables }),
      ...(context.rolePolicies === undefined ? {} : { rolePolicies: context.rolePolicies }),
    })
    const ffmpeg = await findFfmpeg(context.projectDir ?? process.cwd(), context.env)
    giveUp.signal.throwIfAborted()
    await writeCloud(dataDir, local.cloud)
    announced = true
    say('ready', readyBlock(local.cloud, dataDir, ffmpeg), local.cloud)
    await stop.requested
  } catch (error) {
    if (error !== giveUp.signal.reason) throw error
  } finally {
    // A start that was refused leaves the file of the one that runs.
    if (announced) await rm(join(dataDir, 'cloud.json'), { force: true })
    await local?.close()
    if (settings.ephemeral) await rm(dataDir, { recursive: true, force: true })
    stop.dispose()
  }
  return 0
}

/** One Ctrl-C may arrive twice: from the terminal, and from npm, which passes on what it gets itself. */
const SAME_KEY_PRESS_MS = 500

/** The first Ctrl-C asks to stop; the second ends the process at once, and the reaper its children. */
function stopSignal(process: CommandContext['process'], now: () => number) {
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

async function writeCloud(dataDir: string, cloud: Cloud): Promise<void> {
  const path = join(dataDir, 'cloud.json')
  await writeFile(`${path}.new`, `${JSON.stringify(cloud, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

function readyBlock(cloud: Cloud, dataDir: string, ffmpeg: string | undefined): string {
  const folder = relative(process.cwd(), dataDir)
  const data = folder.startsWith('..') || folder === '' ? dataDir : folder
  return `
  Yunbo is running.

  page    ${cloud.gateway}
  API     ${cloud.gateway}/v1
  user    ${cloud.user.username}, password ${cloud.user.password}
  ffmpeg  ${ffmpeg ?? 'none that works: install ffmpeg, or set FFMPEG_PATH and FFPROBE_PATH'}
  data    ${data}
  logs    ${join(data, 'logs')}

  npm run demo    uploads a video and prints where to watch it
  Ctrl-C stops.
`
}

function printer(json: boolean, print: (line: string) => void): Say {
  if (!json) return (_event, text) => print(text)
  return (event, text, fields) => print(JSON.stringify({ event, ...(fields ?? { message: text }) }))
}
