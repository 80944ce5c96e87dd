/** Apache Libcloud's storage driver for OSS, as Debian packages it: signatures of version 1. */
import { fileURLToPath } from 'node:url'
import { runScript } from './steps.mjs'
import { missingPackages, packageVersion } from './tools.mjs'

const PACKAGE = 'python3-libcloud'
const SCRIPT = fileURLToPath(new URL('libcloud_steps.py', import.meta.url))

/** @type {import('./clients.d.ts').Client} */
export const libcloud = {
  name: 'libcloud',
  missing: () => missingPackages([PACKAGE]),
  version: async () => `${PACKAGE} ${(await packageVersion(PACKAGE)) ?? '(missing)'}`,
  run: (cloud, workDir) =>
    runScript('/usr/bin/python3', [SCRIPT], workDir, {
      PORT: new URL(cloud.oss.endpoint).port,
      REGION: cloud.region,
      KEY_ID: cloud.accessKeyId,
      KEY_SECRET: cloud.accessKeySecret,
    }),
  known: {
    'compares its sum': 'compares the ETag, which OSS writes in capitals, letter by letter; against the service too',
    'uploads as packaged':
      'leaves the bucket out of the host, on the service too (https://github.com/apache/libcloud/pull/1794); the other steps go on with that put right',
  },
}
