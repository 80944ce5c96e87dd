import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { exportLines, readRunning, variablesFor } from './exports.ts'
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
import { StartupError } from './start-error.ts'

const USAGE = `Usage: npm run cloud -- [options]

The local cloud by itself, for any project: OSS, Tablestore, STS, Function Compute, MPS and MNS.

  --project DIR    run the functions of the s.yaml in this folder; without it there are those that are deployed
  --bucket NAME    make a bucket (yunbo); may be repeated
  --instance NAME  name of the Tablestore instance (yunbo)
  --port N         port of the functions' domain; the services take those above it (9000); 0: any that are free
  --data DIR       where everything is kept (.local)
  --host HOST      name or address to listen on (127.0.0.1); 0.0.0.0: on every one, as in a container
  --ephemeral      keep nothing: a temporary folder that is removed at the end
  --controls       let tests move the clock and set faults over HTTP, under /__local/ (docs/local.md)
  --env            start nothing: print the settings of the cloud that runs on --data, for eval in a shell
  --json           one JSON object a line instead of text
  --help           this text
`

const BUCKETS = ['yunbo']

const OPTIONS = {
  ...PLACE_OPTIONS,
  project: { type: 'string' },
  bucket: { type: 'string', multiple: true, default: BUCKETS },
  instance: { type: 'string', default: 'yunbo' },
  env: { type: 'boolean', default: false },
} as const

/** Runs `npm run cloud`: the local cloud without the product; resolves to the exit status. */
export async function runCloudCommand(argv: readonly string[], context: RunContext): Promise<number> {
  return runOrExplain(argv, context, async (say) => {
    const { values } = parseOptions(argv, OPTIONS, 'npm run cloud')
    if (values.help) {
      context.print(USAGE)
      return 0
    }
    const place = readPlace(values)
    if (values.env) {
      const dataDir = resolve(place.data)
      const variables = await variablesFor(await readRunning(dataDir), dataDir)
      context.print(values.json ? JSON.stringify(variables) : exportLines(variables))
      return 0
    }
    return runUntilStopped(place, context, say, readServices(values), async (cloud, dataDir) => {
      // There is nobody to sign in to.
      const { user: _, ...rest } = cloud
      return { text: readyBlock(cloud, dataDir), cloud: rest }
    })
  })
}

function readServices(values: {
  readonly project?: string | undefined
  readonly bucket: readonly string[]
  readonly instance: string
}): Partial<LocalOptions> {
  const { project, bucket, instance } = values
  const wrong = bucket.find((name) => !/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name))
  if (wrong !== undefined) {
    throw new StartupError(`--bucket takes 3 to 63 small letters, digits and -, not at either end, not ${wrong}`)
  }
  if (!/^[A-Za-z][A-Za-z0-9-]{1,14}[A-Za-z0-9]$/.test(instance)) {
    throw new StartupError(`--instance takes 3 to 16 letters, digits and -, a letter first, no - at the end`)
  }
  const bare = { buckets: bucket, instance }
  if (project === undefined) return { bare }
  const projectDir = resolve(project)
  if (!existsSync(join(projectDir, 's.yaml'))) {
    throw new StartupError(`${projectDir} has no s.yaml (--project)`)
  }
  return { bare, projectDir }
}

function readyBlock(cloud: Cloud, dataDir: string): string {
  const { oss, tablestore, sts, fc, mps, mns } = cloud
  const data = folderName(dataDir)
  return `
  The local cloud is running. Region ${cloud.region}, account ${cloud.accountId}.

  AccessKey ID      ${cloud.accessKeyId}
  AccessKey secret  ${cloud.accessKeySecret}

  OSS               ${oss.endpoint} (bucket ${oss.bucket}, in the path: sldEnable, force path style)
  Tablestore        ${tablestore.endpoint} (instance ${tablestore.instance})
  STS               http://${sts.endpoint}
  Function Compute  http://${fc.endpoint}
  MPS               http://${mps.endpoint} (pipeline ${mps.pipelineId})
  MNS               ${mns.endpoint}
  custom domain     ${cloud.gateway}

  all of it         ${join(data, 'cloud.json')}
  logs              ${join(data, 'logs')}

  new OSS({ endpoint: '${oss.endpoint}', sldEnable: true, region: 'oss-${cloud.region}', authorizationV4: true,
    bucket: '${oss.bucket}', accessKeyId: '${cloud.accessKeyId}', accessKeySecret: '${cloud.accessKeySecret}' })

  eval "$(npm run -s cloud -- --env${data === '.local' ? '' : ` --data ${data}`})"   in another shell: the same as variables, for clients and npx s deploy
  docs/local.md has the settings of the other clients. Ctrl-C stops.
`
}
