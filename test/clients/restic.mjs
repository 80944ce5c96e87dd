/** restic, which keeps its backups in a bucket through MinIO's client: bodies in signed chunks. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, runSteps, same } from './steps.mjs'
import { missingPackages, packageVersion } from './tools.mjs'

/** @type {import('./clients.d.ts').Client} */
export const restic = {
  name: 'restic',
  missing: () => missingPackages(['restic']),
  version: async () => `restic ${(await packageVersion('restic')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const env = {
      AWS_ACCESS_KEY_ID: cloud.accessKeyId,
      AWS_SECRET_ACCESS_KEY: cloud.accessKeySecret,
      AWS_DEFAULT_REGION: cloud.region,
      RESTIC_REPOSITORY: `s3:${cloud.oss.endpoint}/restic-${Date.now()}/backups`,
      RESTIC_PASSWORD: 'secret',
      RESTIC_CACHE_DIR: join(workDir, 'cache'),
    }
    const run = commandOf('restic', { cwd: workDir, env })
    const source = join(workDir, 'source')
    const content = randomBytes(20_000_000)
    await mkdir(source)
    await writeFile(join(source, 'big'), content)
    await writeFile(join(source, '中文.txt'), 'hello')
    return await runSteps({
      'makes a repository, and its bucket': async () => void (await run('init')),
      'backs up': async () => void (await run('backup', source)),
      'finds nothing damaged': async () => void (await run('check', '--read-data')),
      'backs up what has changed': async () => {
        await writeFile(join(source, 'new'), 'new')
        await run('backup', source)
        same(JSON.parse(await run('snapshots', '--json', '--quiet')).length, 2)
      },
      restores: async () => {
        const target = join(workDir, 'restored')
        await run('restore', 'latest', '--target', target)
        same((await readFile(join(target, source, 'big'))).equals(content), true)
        same((await readdir(join(target, source))).sort(), (await readdir(source)).sort())
      },
      'forgets and removes': async () => void (await run('forget', '--keep-last', '1', '--prune')),
      'is refused with a wrong key': async () => {
        const wrong = { ...env, AWS_SECRET_ACCESS_KEY: 'not-the-secret' }
        const error = await commandOf('restic', { cwd: workDir, env: wrong })('snapshots').catch((reason) => reason)
        same(/Access Denied/.test(String(error)), true)
      },
    })
  },
  known: {},
}
