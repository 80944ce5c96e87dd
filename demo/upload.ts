import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import OSS from 'ali-oss'
import type { Api, Upload } from './api.ts'
import { DemoError } from './options.ts'
import type { Progress } from './progress.ts'

const partSizeBytes = 1024 * 1024

/** Credentials live an hour or less; a slow upload asks for fresh ones well before that. */
const refreshMs = 10 * 60_000

const contentTypes: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.m4v': 'video/mp4',
  '.mov': 'video/quicktime',
  '.mkv': 'video/x-matroska',
  '.webm': 'video/webm',
  '.ts': 'video/mp2t',
  '.avi': 'video/x-msvideo',
  '.flv': 'video/x-flv',
}

/** Announces a file and sends its bytes straight to OSS, in parts. */
export async function uploadFile(api: Api, file: string, progress: Progress): Promise<Upload> {
  const upload = await api.createUpload({
    fileName: basename(file),
    sizeBytes: (await stat(file)).size,
    contentType: contentTypes[extname(file).toLowerCase()] ?? 'application/octet-stream',
  })
  const client = ossClient(api, upload)
  try {
    await client.multipartUpload(upload.key, file, {
      parallel: 3,
      partSize: partSizeBytes,
      progress: (share: number) => progress.report(share),
    })
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    throw new DemoError(`OSS refused the upload: ${code ?? ''} ${message ?? error}`, { cause: error })
  }
  await api.complete(upload.uploadId)
  return upload
}

function ossClient(api: Api, upload: Upload): OSS {
  return new OSS({
    bucket: upload.bucket,
    region: `oss-${upload.region}`,
    endpoint: upload.endpoint,
    // Path style is for endpoints without a name of their own for each bucket, such as localhost.
    sldEnable: upload.addressing === 'path',
    secure: upload.endpoint.startsWith('https:'),
    authorizationV4: true,
    ...sdkCredentials(upload),
    refreshSTSTokenInterval: refreshMs,
    refreshSTSToken: async () => sdkCredentials(await api.freshCredentials(upload.uploadId)),
  } as OSS.Options)
}

function sdkCredentials({ credentials }: Upload) {
  const { accessKeyId, accessKeySecret, securityToken } = credentials
  return { accessKeyId, accessKeySecret, stsToken: securityToken }
}
