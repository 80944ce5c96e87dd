/** Amazon's command line, as Debian packages it. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, runSteps, same } from './steps.mjs'
import { missingPackages, packageVersion } from './tools.mjs'

/** @type {import('./clients.d.ts').Client} */
export const awscli = {
  name: 'awscli',
  missing: () => missingPackages(['awscli']),
  version: async () => `awscli ${(await packageVersion('awscli')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const env = {
      AWS_ACCESS_KEY_ID: cloud.accessKeyId,
      AWS_SECRET_ACCESS_KEY: cloud.accessKeySecret,
      AWS_DEFAULT_REGION: cloud.region,
      AWS_CONFIG_FILE: join(workDir, 'config'),
    }
    await writeFile(join(workDir, 'config'), '[default]\ns3 =\n  addressing_style = path\n')
    const aws = commandOf('/usr/bin/aws', { cwd: workDir, env })
    const s3 = (/** @type {string[]} */ ...args) => aws('--endpoint-url', cloud.oss.endpoint, 's3', ...args)
    const bucket = `s3://awscli-${Date.now()}`
    const source = join(workDir, 'source')
    await mkdir(source)
    await writeFile(join(source, 'big'), randomBytes(60_000_000))
    await writeFile(join(source, '中文 +.txt'), 'hello')
    return await runSteps({
      'makes a bucket': async () => void (await s3('mb', bucket)),
      'copies up and down, the large file in parts': async () => {
        await s3('cp', '--quiet', '--recursive', source, `${bucket}/up`)
        await s3('cp', '--quiet', '--recursive', `${bucket}/up`, 'down')
        for (const name of ['big', '中文 +.txt']) {
          same(Buffer.compare(await readFile(join(workDir, 'down', name)), await readFile(join(source, name))), 0)
        }
      },
      'brings a copy up to date': async () => {
        same(await s3('sync', source, `${bucket}/up`), '')
        await writeFile(join(source, 'new'), 'new')
        await s3('sync', '--quiet', source, `${bucket}/up`)
        same((await s3('ls', `${bucket}/up/`)).split('\n').length, 3)
      },
      'copies a large object on the server': async () => {
        await s3('cp', '--quiet', `${bucket}/up/big`, `${bucket}/copy`)
        same(/ 60000000 copy$/.test(await s3('ls', `${bucket}/copy`)), true)
      },
      'signs a URL': async () => {
        const url = await s3('presign', `${bucket}/up/new`)
        same(await (await fetch(url)).text(), 'new')
      },
      'removes everything': async () => void (await s3('rb', '--force', bucket)),
    })
  },
  known: {},
}
