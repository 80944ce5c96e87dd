import OSS from 'ali-oss/dist/aliyun-oss-sdk.min.js'
import type { UploadTarget } from '../../shared/api.ts'
import type { StoredPart } from './parts.ts'
import { putBytes } from './put.ts'
import { type Store, StoreError } from './store.ts'

const URL_SECONDS = 3600
const PARTS_A_PAGE = 1000
const NEVER_MS = 2 ** 31 - 1

/** OSS through the vendor's client; the pieces themselves go to URLs it has signed, to see how much has left. */
export function storeOf(target: UploadTarget): Store {
  const { key } = target
  const client = clientFor(target)
  return {
    begin: (contentType) =>
      translated(async () => (await client.initMultipartUpload(key, { mime: contentType })).uploadId),
    stored: (multipartId) => translated(() => allParts(client, key, multipartId)),
    async put(multipartId, number, bytes, options) {
      const queries = { partNumber: number, uploadId: multipartId }
      const url = await translated(() => client.signatureUrlV4('PUT', URL_SECONDS, { queries }, key))
      return putBytes(url, bytes, options)
    },
    async finish(multipartId, parts) {
      await translated(() => client.completeMultipartUpload(key, multipartId, parts))
    },
  }
}

function clientFor({ endpoint, region, bucket, addressing, credentials }: UploadTarget) {
  const { accessKeyId, accessKeySecret, securityToken: stsToken } = credentials
  return new OSS({
    ...{ endpoint, bucket, accessKeyId, accessKeySecret, stsToken },
    region: `oss-${region}`,
    sldEnable: addressing === 'path',
    secure: endpoint.startsWith('https:'),
    authorizationV4: true,
    // Rights are renewed outside, once for all requests; without this the client prints a warning.
    refreshSTSToken: async () => ({ accessKeyId, accessKeySecret, stsToken }),
    refreshSTSTokenInterval: NEVER_MS,
  })
}

async function allParts(client: OSS, key: string, multipartId: string): Promise<StoredPart[]> {
  const found: StoredPart[] = []
  for (let marker: string | number = 0; ; ) {
    const query = { 'max-parts': PARTS_A_PAGE, 'part-number-marker': marker }
    const page = await client.listParts(key, multipartId, query)
    // One part comes as an object and not as a list of one.
    for (const { PartNumber, ETag, Size } of [page.parts].flat()) {
      found.push({ number: Number(PartNumber), etag: ETag, size: Number(Size) })
    }
    if (page.isTruncated !== 'true' && page.isTruncated !== true) return found
    marker = page.nextPartNumberMarker
  }
}

/** The client has statuses below zero for what never reached OSS. */
async function translated<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    const { status, code, name, message } = error as { status?: number; code?: string; name?: string; message?: string }
    const known = typeof status === 'number' && status > 0 ? status : 0
    throw new StoreError(code ?? name ?? 'unknown', known, message ?? String(error), { cause: error })
  }
}
