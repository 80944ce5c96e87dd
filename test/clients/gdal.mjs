/** GDAL reading and writing through its `/vsioss/`, by its tools and its bindings for Python. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { byAddress, missingPackages, packageVersion, runProgram } from './tools.mjs'

const SCRIPT = fileURLToPath(new URL('gdal.py', import.meta.url))

/** @type {import('./clients.d.ts').Client} */
export const gdal = {
  name: 'gdal',
  missing: () => missingPackages(['gdal-bin', 'python3-gdal']),
  version: async () => `gdal-bin ${(await packageVersion('gdal-bin')) ?? '(missing)'}`,
  async run(cloud, workDir) {
    const env = {
      OSS_ENDPOINT: byAddress(cloud.oss.endpoint),
      OSS_HTTPS: 'NO',
      OSS_VIRTUAL_HOSTING: 'FALSE',
      OSS_ACCESS_KEY_ID: cloud.accessKeyId,
      OSS_SECRET_ACCESS_KEY: cloud.accessKeySecret,
      // Parts of one megabyte: what is larger goes up in several.
      VSIOSS_CHUNK_SIZE: '1',
      CPL_TMPDIR: join(workDir),
    }
    // Debian's own Python, which the bindings belong to.
    const { text, status } = await runProgram('/usr/bin/python3', [SCRIPT], { cwd: workDir, env, seconds: 120 })
    const lines = text.split('\n').filter((line) => line.startsWith('{'))
    if (status !== 0 || lines.length === 0) return [{ name: 'script', error: text }]
    return lines.map((line) => JSON.parse(line))
  },
  known: {
    'aborts unfinished uploads':
      'signs the list of uploads without its `uploads` parameter (3.6.2); the service refuses that signature too',
  },
}
