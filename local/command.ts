import { join } from 'node:path'
import { findTool, type Tool } from './ffmpeg/find.ts'
import type { Cloud, LocalOptions } from './index.ts'
import {
  folderName,
  PLACE_OPTIONS,
  parseOptions,
  type RunContext,
  readPlace,
  runOrExplain,
  runUntilStopped,
} from './run-command.ts'

const USAGE = `Usage: npm start -- [options]

  --port N      port of the page and the API; the services take the six above it (9000); 0: any that are free
  --data DIR    where everything is kept (.local)
  --host HOST   name or address to listen on (127.0.0.1); 0.0.0.0: on every one, as in a container
  --ephemeral   keep nothing: a temporary folder that is removed at the end
  --no-web      serve no pages
  --controls    let tests move the clock and set faults over HTTP, under /__local/ (docs/local.md)
  --json        one JSON object a line instead of text
  --help        this text
`

/** What the command needs from its surroundings. */
export interface CommandContext extends RunContext {
  readonly projectDir?: string
  readonly createTables?: NonNullable<LocalOptions['createTables']>
  readonly rolePolicies?: NonNullable<LocalOptions['rolePolicies']>
}

const OPTIONS = { ...PLACE_OPTIONS, 'no-web': { type: 'boolean', default: false } } as const

/** Runs `npm start`: starts the local cloud and keeps it until it is told to stop; resolves to the exit status. */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  return runOrExplain(argv, context, async (say) => {
    const { values } = parseOptions(argv, OPTIONS, 'npm start')
    if (values.help) {
      context.print(USAGE)
      return 0
    }
    const { projectDir, createTables, rolePolicies } = context
    const product: Partial<LocalOptions> = {
      web: !values['no-web'],
      ...(projectDir === undefined ? {} : { projectDir }),
      ...(createTables === undefined ? {} : { createTables }),
      ...(rolePolicies === undefined ? {} : { rolePolicies }),
    }
    return runUntilStopped(readPlace(values), context, say, product, async (cloud, dataDir) => {
      const ffmpeg = await findTool('ffmpeg', projectDir ?? process.cwd(), context.env)
      return { text: readyBlock(cloud, dataDir, ffmpeg), cloud }
    })
  })
}

function readyBlock(cloud: Cloud, dataDir: string, ffmpeg: Tool | undefined): string {
  const data = folderName(dataDir)
  return `
  Yunbo is running.

  page    ${cloud.gateway}
  API     ${cloud.gateway}/v1
  user    ${cloud.user.username}, password ${cloud.user.password}
  ffmpeg  ${ffmpeg ? `${ffmpeg.path} (${ffmpeg.version})` : 'none that works: install ffmpeg, or set FFMPEG_PATH and FFPROBE_PATH'}
  data    ${data}
  logs    ${join(data, 'logs')}

  npm run demo    uploads a video and prints where to watch it
  Ctrl-C stops.
`
}
