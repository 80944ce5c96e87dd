/** rclone with its provider for Alibaba, which speaks S3's protocol to OSS. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, runSteps, same } from './steps.mjs'
import { forwardProxy, missingPackages, packageVersion } from './tools.mjs'

const BIG = 60_000_000
const MANY = 2500

/** @type {import('./clients.d.ts').Client} */
export const rclone = {
  name: 'rclone',
  missing: () => missingPackages(['rclone']),
  version: async () => `rclone ${(await packageVersion('rclone')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    // With this provider the bucket is always in the host, as the service wants it, which not every system finds below
    // `localhost`.
    const proxy = await forwardProxy(cloud.oss.endpoint)
    try {
      return await runSteps(await steps(cloud, workDir, proxy.url))
    } finally {
      await proxy.close()
    }
  },
  known: {},
}

/** @param {import('./clients.d.ts').Cloud} cloud @param {string} workDir @param {string} proxy */
async function steps(cloud, workDir, proxy) {
  const remote = (/** @type {string} */ name, /** @type {string} */ secret, /** @type {object} */ more) =>
    Object.fromEntries(
      Object.entries({ type: 's3', access_key_id: cloud.accessKeyId, secret_access_key: secret, ...more }).map(
        ([key, value]) => [`RCLONE_CONFIG_${name}_${key.toUpperCase()}`, String(value)],
      ),
    )
  const alibaba = { provider: 'Alibaba', endpoint: `http://oss-${cloud.region}.aliyuncs.com` }
  const env = {
    ...remote('OSS', cloud.accessKeySecret, alibaba),
    ...remote('OTHER', cloud.accessKeySecret, { provider: 'Other', endpoint: cloud.oss.endpoint }),
    ...remote('WRONG', 'not-the-secret', alibaba),
    RCLONE_CONFIG: join(workDir, 'none.conf'),
    AWS_CA_BUNDLE: '',
    http_proxy: proxy,
    HTTP_PROXY: proxy,
    no_proxy: 'localhost,127.0.0.1',
    NO_PROXY: 'localhost,127.0.0.1',
  }
  const run = commandOf('rclone', { cwd: workDir, env })
  const bucket = `rclone-${Date.now()}`
  const source = join(workDir, 'source')
  const many = join(workDir, 'many')
  await mkdir(join(source, 'a b+c'), { recursive: true })
  await mkdir(many)
  await writeFile(join(source, 'a b+c', '中文.txt'), 'hello')
  await writeFile(join(source, 'big'), randomBytes(BIG))
  for (let at = 0; at < MANY; at += 1) await writeFile(join(many, `f${at}`), '')
  const quiet = ['-q', '--retries', '1']
  return {
    'makes a bucket': async () => {
      await run(...quiet, 'mkdir', `oss:${bucket}`)
      same((await run(...quiet, 'lsf', 'oss:')).split('\n').includes(`${bucket}/`), true)
    },
    'copies up, the large file in parts': async () => {
      await run(...quiet, 'copy', source, `oss:${bucket}/up`)
      same((await run(...quiet, 'lsf', '-R', '--files-only', `oss:${bucket}/up`)).split('\n').sort(), [
        'a b+c/中文.txt',
        'big',
      ])
    },
    'finds all sums and times as they were': async () => {
      await run(...quiet, 'check', source, `oss:${bucket}/up`)
      same(await run(...quiet, 'check', '--download', source, `oss:${bucket}/up`), '')
      same(await run('--dry-run', '--stats', '0', '-q', 'sync', source, `oss:${bucket}/up`), '')
    },
    'copies on the server': async () => {
      await run(...quiet, 'copyto', `oss:${bucket}/up/big`, `oss:${bucket}/copy`)
      same(JSON.parse(await run(...quiet, 'lsjson', `oss:${bucket}/copy`))[0]?.Size, BIG)
    },
    'copies a large object in parts on the server': async () => {
      const options = ['--s3-copy-cutoff', '20M', '--s3-chunk-size', '20M']
      await run(...quiet, ...options, 'copyto', `oss:${bucket}/up/big`, `oss:${bucket}/copy-in-parts`)
      await run(...quiet, 'copyto', `oss:${bucket}/copy-in-parts`, join(workDir, 'back'))
      same((await readFile(join(workDir, 'back'))).equals(await readFile(join(source, 'big'))), true)
    },
    'streams what has no length': async () => {
      const options = { cwd: workDir, env }
      await commandOf('sh', options)('-c', `head -c 300000 source/big | rclone -q rcat oss:${bucket}/streamed`)
      same((await run(...quiet, 'lsf', '--format', 's', `oss:${bucket}/streamed`)).trim(), '300000')
    },
    [`lists ${MANY} objects in pages`]: async () => {
      await run(...quiet, '--transfers', '8', 'copy', many, `oss:${bucket}/many`)
      same((await run(...quiet, 'lsf', `oss:${bucket}/many`)).split('\n').length, MANY)
    },
    'brings a copy up to date': async () => {
      await writeFile(join(source, 'new'), 'new')
      await rm(join(source, 'big'))
      await run(...quiet, 'sync', source, `oss:${bucket}/up`)
      same((await run(...quiet, 'lsf', '-R', '--files-only', `oss:${bucket}/up`)).split('\n').sort(), [
        'a b+c/中文.txt',
        'new',
      ])
    },
    'keeps metadata, a storage class and an ACL': async () => {
      const options = ['--s3-storage-class', 'STANDARD_IA', '--s3-acl', 'public-read', '--header-upload']
      await run(...quiet, ...options, 'Cache-Control: max-age=60', 'copyto', join(source, 'new'), `oss:${bucket}/kept`)
      const [entry] = JSON.parse(await run(...quiet, 'lsjson', '-M', `oss:${bucket}/kept`))
      same([entry.Tier, entry.Metadata['cache-control']], ['STANDARD_IA', 'max-age=60'])
      const answer = await fetch(`${cloud.oss.endpoint}/${bucket}/kept`)
      same(await answer.text(), 'new')
    },
    'signs a URL': async () => {
      const url = new URL(await run(...quiet, 'link', '--expire', '1h', `other:${bucket}/kept`))
      same(await (await fetch(url)).text(), 'new')
    },
    'works with the bucket in the path': async () => {
      await run(...quiet, 'copyto', join(source, 'new'), `other:${bucket}/in-path`)
      same(await run(...quiet, 'cat', `other:${bucket}/in-path`), 'new')
    },
    'is refused with a wrong key': async () => {
      const error = await run(...quiet, '--low-level-retries', '1', 'lsf', `wrong:${bucket}`).catch((reason) => reason)
      same(/SignatureDoesNotMatch/.test(String(error)), true)
    },
    'removes everything': async () => {
      await run(...quiet, 'purge', `oss:${bucket}`)
      same((await run(...quiet, 'lsf', 'oss:')).split('\n').includes(`${bucket}/`), false)
    },
  }
}
