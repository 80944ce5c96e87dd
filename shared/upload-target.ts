import type { UploadTarget } from './api.ts'
import type { Credentials } from './auth/credentials.ts'
import { assumeUploader } from './cloud/sts.ts'
import type { Config } from './config.ts'

/** Fresh rights to write one upload's key and nothing else, and where to write it. */
export async function uploadTarget(
  config: Config<'oss' | 'sts'>,
  credentials: Credentials,
  key: string,
): Promise<UploadTarget> {
  const { bucket, region, addressing, publicEndpoint: endpoint } = config.oss
  // For the audit log; allowed are 2 to 64 of A-Z a-z 0-9 . @ _ -
  const sessionName = key.replaceAll('/', '.').slice(0, 64)
  const grant = { bucket, key, sessionName, seconds: config.sts.uploadSeconds }
  return {
    bucket,
    region,
    endpoint,
    addressing,
    key,
    credentials: await assumeUploader(config.sts, credentials, grant),
  }
}
