/** OpenDAL with its own service for OSS, and with the one for S3, installed for the occasion. */
import { fileURLToPath } from 'node:url'
import { installed, runScript } from './steps.mjs'
import { forwardProxy } from './tools.mjs'

const VERSION = '0.49.1'
const SCRIPT = fileURLToPath(new URL('opendal-steps.cjs', import.meta.url))

/** @type {import('./clients.d.ts').Client} */
export const opendal = {
  name: 'opendal',
  missing: async () => undefined,
  version: async () => `npm opendal ${VERSION}`,
  async run(cloud, workDir) {
    await installed([`opendal@${VERSION}`], workDir)
    // With the bucket in the path it signs the name of the bucket twice; not every system finds it below `localhost`.
    const proxy = await forwardProxy(cloud.oss.endpoint)
    try {
      return await runScript(process.execPath, [SCRIPT, workDir], workDir, {
        http_proxy: proxy.url,
        no_proxy: 'localhost',
        NO_PROXY: 'localhost',
        ENDPOINT: cloud.oss.endpoint,
        REGION: cloud.region,
        BUCKET: cloud.oss.bucket,
        KEY_ID: cloud.accessKeyId,
        KEY_SECRET: cloud.accessKeySecret,
      })
    } finally {
      await proxy.close()
    }
  },
  known: {},
}
