import { join } from 'node:path'
import type { FunctionConfig } from './function-config.ts'

/** Where a function's parts are on this machine. */
export interface Places {
  /** Stands for `/code`. */
  readonly codeDir: string
  /** Stands for `/opt`. */
  readonly optDir: string
  readonly tmpDir: string
  /** PATH of the local cloud itself: the machine's ffmpeg is found through it. */
  readonly path: string
}

interface Keys {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken: string
}

const NODE_IN_THE_IMAGE = '/var/fc/lang/nodejs20/bin/node'

/**
 * The only rewrites that a function meets, all in its command, arguments and environment variables: the path of the
 * image's node, `/code`, `/opt`; and the port of a custom runtime, in `FC_CUSTOM_LISTEN_PORT`.
 */
export function rewriter({ codeDir, optDir }: Pick<Places, 'codeDir' | 'optDir'>): (text: string) => string {
  const mounts = { '/code': codeDir, '/opt': optDir }
  return (text) =>
    text
      .replaceAll(NODE_IN_THE_IMAGE, process.execPath)
      .replace(
        /(^|[:=,\s])(\/code|\/opt)(?=$|[/:,\s])/g,
        (_match, before: string, mount: keyof typeof mounts) => before + mounts[mount],
      )
}

/**
 * Every variable that an instance sees: nothing is inherited.
 * https://github.com/devsapp/fc3/blob/master/src/subCommands/local/impl/baseLocal.ts
 */
export function instanceEnvironment(
  config: FunctionConfig,
  places: Places,
  identity: { instanceId: string; accountId: string; keys: Keys | undefined },
): Record<string, string> {
  const { instanceId, accountId, keys } = identity
  const rewrite = rewriter(places)
  const own = Object.entries(config.environment).map(([name, value]) => [name, rewrite(value)])
  const hasLayers = config.layers.length > 0
  return {
    PATH: hasLayers ? `${join(places.optDir, 'bin')}:${places.path}` : places.path,
    HOME: places.tmpDir,
    TMPDIR: places.tmpDir,
    LANG: 'C.UTF-8',
    ...(hasLayers ? { LD_LIBRARY_PATH: join(places.optDir, 'lib') } : {}),
    FC_ACCOUNT_ID: accountId,
    FC_REGION: config.region,
    FC_FUNCTION_NAME: config.name,
    FC_FUNCTION_HANDLER: config.handler,
    FC_FUNCTION_MEMORY_SIZE: String(config.memoryMb),
    FC_TIMEOUT: String(config.timeoutS),
    FC_RUNTIME: config.runtime,
    FC_INSTANCE_ID: instanceId,
    FC_FUNC_CODE_PATH: `${places.codeDir}/`,
    ...(keys
      ? {
          ALIBABA_CLOUD_ACCESS_KEY_ID: keys.accessKeyId,
          ALIBABA_CLOUD_ACCESS_KEY_SECRET: keys.accessKeySecret,
          ALIBABA_CLOUD_SECURITY_TOKEN: keys.securityToken,
        }
      : {}),
    ...Object.fromEntries(own),
  }
}
