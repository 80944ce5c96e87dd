/** Amazon's SDK for Python, signatures of version 4 and 2. */
import { fileURLToPath } from 'node:url'
import { runScript } from './steps.mjs'
import { missingPackages, packageVersion } from './tools.mjs'

const SCRIPT = fileURLToPath(new URL('boto3_steps.py', import.meta.url))

/** @type {import('./clients.d.ts').Client} */
export const boto3 = {
  name: 'boto3',
  missing: () => missingPackages(['python3-boto3']),
  version: async () => `python3-boto3 ${(await packageVersion('python3-boto3')) ?? '(missing)'}`,
  run: (cloud, workDir) =>
    runScript('/usr/bin/python3', [SCRIPT], workDir, {
      ENDPOINT: cloud.oss.endpoint,
      REGION: cloud.region,
      KEY_ID: cloud.accessKeyId,
      KEY_SECRET: cloud.accessKeySecret,
    }),
  known: {},
}
