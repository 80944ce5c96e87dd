/** s3cmd, the older tool for S3. */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, runSteps, same } from './steps.mjs'
import { byAddress, missingPackages, packageVersion } from './tools.mjs'

const UPPER_CASE =
  'compares the ETag, which OSS writes in capitals, with its own sum letter by letter; against the service too (https://github.com/s3tools/s3cmd/issues/993)'

/** @type {import('./clients.d.ts').Client} */
export const s3cmd = {
  name: 's3cmd',
  missing: () => missingPackages(['s3cmd']),
  version: async () => `s3cmd ${(await packageVersion('s3cmd')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const host = byAddress(cloud.oss.endpoint)
    const config = [
      '[default]',
      `access_key = ${cloud.accessKeyId}`,
      `secret_key = ${cloud.accessKeySecret}`,
      `host_base = ${host}`,
      `host_bucket = ${host}`,
      `bucket_location = ${cloud.region}`,
      'use_https = False',
      'max_retries = 1',
    ]
    await writeFile(join(workDir, 's3cfg'), config.join('\n'))
    await writeFile(join(workDir, 'hello.txt'), 'hello')
    await writeFile(join(workDir, 'big'), randomBytes(40_000_000))
    const run = commandOf('s3cmd', { cwd: workDir, env: {} })
    const call = (/** @type {string[]} */ ...args) => run('-c', 's3cfg', '--quiet', ...args)
    const bucket = `s3://s3cmd-${Date.now()}`
    return await runSteps({
      'makes a bucket': async () => void (await call('mb', bucket)),
      'puts an object': async () => void (await call('put', 'hello.txt', `${bucket}/hello.txt`)),
      'puts a large object in parts': async () => void (await call('put', 'big', `${bucket}/big`)),
      'gets an object': async () => {
        await call('get', '--force', `${bucket}/hello.txt`, 'back.txt')
        same(await readFile(join(workDir, 'back.txt'), 'utf8'), 'hello')
      },
      'puts with signatures of version 2': async () =>
        void (await call('--signature-v2', 'put', 'hello.txt', `${bucket}/v2.txt`)),
      'gets with signatures of version 2': async () => {
        await call('--signature-v2', 'get', '--force', `${bucket}/hello.txt`, 'back2.txt')
        same(await readFile(join(workDir, 'back2.txt'), 'utf8'), 'hello')
      },
      'copies and lists': async () => {
        await call('cp', `${bucket}/hello.txt`, `${bucket}/copy.txt`)
        same(/copy\.txt/.test(await run('-c', 's3cfg', 'ls', bucket)), true)
      },
      'tells about an object': async () =>
        same(/MIME type:\s+text\/plain/.test(await run('-c', 's3cfg', 'info', `${bucket}/hello.txt`)), true),
      'signs a URL': async () => {
        const url = await run('-c', 's3cfg', 'signurl', `${bucket}/hello.txt`, '+3600')
        same(await (await fetch(url)).text(), 'hello')
      },
      'removes everything': async () => {
        await call('del', '--recursive', '--force', bucket)
        const unfinished = (await run('-c', 's3cfg', 'multipart', bucket)).split('\n').map((line) => line.split('\t'))
        for (const [, path, id] of unfinished) {
          if (path?.startsWith('s3://') && id) await call('abortmp', path, id)
        }
        await call('rb', bucket)
      },
    })
  },
  known: {
    'puts an object': UPPER_CASE,
    'puts a large object in parts': UPPER_CASE,
    'puts with signatures of version 2': UPPER_CASE,
  },
}
