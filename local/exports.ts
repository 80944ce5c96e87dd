import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { programDir } from './home.ts'
import type { Cloud } from './index.ts'
import { StartupError } from './start-error.ts'

/** The cloud that runs on a data folder, as its `cloud.json` says. */
export async function readRunning(dataDir: string): Promise<Cloud> {
  const text = await readFile(join(dataDir, 'cloud.json'), 'utf8').catch(() => undefined)
  const cloud = text === undefined ? undefined : (JSON.parse(text) as Cloud)
  if (cloud && isAlive(cloud.pid)) return cloud
  throw new StartupError(`no local cloud runs on ${dataDir}; start one (npm run cloud, npm start), or name its --data`)
}

/**
 * What a shell needs to deploy with `npx s deploy` and to work with the vendors' clients: the values that `env()` finds
 * in `s.yaml`, the keys by every name that a client looks for, and settings that keep Serverless Devs off the network
 * and out of the home folder.
 */
export async function variablesFor(cloud: Cloud, dataDir: string): Promise<Record<string, string>> {
  const { accessKeyId, accessKeySecret, accountId } = cloud
  return {
    ...cloud.env,
    ALIBABA_CLOUD_ACCESS_KEY_ID: accessKeyId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKeySecret,
    // Read by the SDKs of OSS for Python and Go, and the second name of the secret by GDAL.
    OSS_ACCESS_KEY_ID: accessKeyId,
    OSS_ACCESS_KEY_SECRET: accessKeySecret,
    OSS_SECRET_ACCESS_KEY: accessKeySecret,
    // https://docs.serverless-devs.com/user-guide/builtin/config/: these three together stand for any access alias.
    AccountID: accountId,
    AccessKeyID: accessKeyId,
    AccessKeySecret: accessKeySecret,
    serverless_devs_config_home: await quietHome(join(resolve(dataDir), 'serverless-devs')),
    // npx would ask whether there is a newer npm.
    npm_config_update_notifier: 'false',
    YUNBO_COMPONENT: join(programDir(), 'local', 's-component'),
    YUNBO_CLOUD: join(resolve(dataDir), 'cloud.json'),
  }
}

/** The same as lines for a POSIX shell. */
export function exportLines(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`)
  return lines.join('\n')
}

/** A home for Serverless Devs in which it reports to nobody and looks for no newer version of itself. */
async function quietHome(home: string): Promise<string> {
  await mkdir(join(home, '.s', 'config'), { recursive: true })
  await writeFile(join(home, '.s', 'set-config.yml'), 'analysis: disable\n')
  const never = JSON.stringify({ lastUpdateCheck: Number.MAX_SAFE_INTEGER })
  await writeFile(join(home, '.s', 'config', 'update-notifier.json'), never)
  return home
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
