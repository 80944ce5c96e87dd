/** fog-aliyun, the provider of Ruby's fog that GitLab uses, as Debian packages it. */
import { fileURLToPath } from 'node:url'
import { forwardProxy, missingPackages, packageVersion, runProgram } from './tools.mjs'

const PACKAGE = 'ruby-fog-aliyun'
const SCRIPT = fileURLToPath(new URL('fog.rb', import.meta.url))

/** @type {import('./clients.d.ts').Client} */
export const fog = {
  name: 'fog',
  missing: () => missingPackages([PACKAGE]),
  version: async () => `${PACKAGE} ${(await packageVersion(PACKAGE)) ?? '(missing)'}`,
  async run(cloud, workDir) {
    // Whatever endpoint it is given, it takes the region's own for objects.
    const proxy = await forwardProxy(cloud.oss.endpoint)
    try {
      const { text } = await runProgram('ruby', [SCRIPT], {
        cwd: workDir,
        env: {
          http_proxy: proxy.url,
          KEY_ID: cloud.accessKeyId,
          KEY_SECRET: cloud.accessKeySecret,
          REGION: cloud.region,
        },
        seconds: 120,
      })
      const lines = text.split('\n').filter((line) => line.startsWith('{'))
      return lines.length === 0 ? [{ name: 'script', error: text }] : lines.map((line) => JSON.parse(line))
    } finally {
      await proxy.close()
    }
  },
  known: { 'signs a URL': 'calls `URI.encode`, which Ruby 3 no longer has' },
}
