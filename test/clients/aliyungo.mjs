/** Another SDK for Go (the one of the registry of containers) with its own tests, as Debian packages it. */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { goEnvironment } from './go-sdk.mjs'
import { forwardProxy, missingPackages, packageVersion, runProgram } from './tools.mjs'

const PACKAGE = 'golang-github-denverdino-aliyungo-dev'
const IMPORT_PATH = 'github.com/denverdino/aliyungo'

/** @type {import('./clients.d.ts').Client} */
export const aliyungo = {
  name: 'aliyungo',
  missing: () => missingPackages(['golang-go', PACKAGE]),
  version: async () => `${PACKAGE} ${(await packageVersion(PACKAGE)) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const source = join(workDir, 'src', IMPORT_PATH)
    await cp(join('/usr/share/gocode/src', IMPORT_PATH), source, { recursive: true, dereference: true })
    // It knows the service's own endpoints only.
    const proxy = await forwardProxy(cloud.oss.endpoint)
    try {
      const { text } = await runProgram('go', ['test', '-vet=off', '-v', './oss'], {
        cwd: source,
        env: {
          ...goEnvironment(workDir),
          HTTP_PROXY: proxy.url,
          AccessKeyId: cloud.accessKeyId,
          AccessKeySecret: cloud.accessKeySecret,
          RegionId: `oss-${cloud.region}`,
        },
        seconds: 600,
      })
      return readOutcomes(text)
    } finally {
      await proxy.close()
    }
  },
  known: {},
}

/** @param {string} text @returns {import('./clients.d.ts').Outcome[]} */
function readOutcomes(text) {
  const panic = /^panic: [\s\S]*/m.exec(text)?.[0]
  if (panic !== undefined) return [{ name: 'suite', error: panic.slice(0, 1500) }]
  const matches = [...text.matchAll(/^--- (PASS|FAIL): (\w+) .*\n((?: {4}.*\n)*)/gm)]
  if (matches.length === 0) return [{ name: 'build', error: text }]
  return matches.map(([_all, verdict, name = '', log = '']) => (verdict === 'PASS' ? { name } : { name, error: log }))
}
