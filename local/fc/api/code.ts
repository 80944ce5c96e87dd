import { list, ManifestError, record, text } from '../manifest-error.ts'
import type { PackageRef } from '../packages.ts'
import { type ApiContext, notFound } from './call.ts'

/** What a package may have when it comes with the request. */
const ZIP_LIMIT_BYTES = 100 * 1024 * 1024
/** What a package may have that comes from OSS. https://www.alibabacloud.com/help/en/functioncompute/fc/product-overview/limits */
const OSS_LIMIT_BYTES = 500 * 1024 * 1024

/** Reads an InputCodeLocation and keeps what it leads to. */
export async function readCode(value: unknown, context: ApiContext): Promise<PackageRef> {
  const code = record(value, 'code')
  const archive = code.zipFile ? fromBase64(text(code.zipFile, 'code.zipFile')) : await fromOss(code, context)
  const kept = await context.packages.add(archive)
  const { checksum } = code
  if (typeof checksum === 'string' && checksum !== '' && checksum !== kept.checksum) {
    throw new ManifestError('code.checksum', `the CRC-64 of the code package is ${kept.checksum}`)
  }
  return kept
}

/** Refuses layers of this account that are not there; others' are taken at their word. */
export function checkLayers(value: unknown, { records, accountId, hasProjectLayer }: ApiContext): void {
  for (const arn of list(value ?? undefined, 'layers')) {
    const match = /^acs:fc:[^:]+:(\d+):layers\/([^/]+)\/versions\/(\d+)$/.exec(String(arn))
    if (match?.[1] !== accountId) continue
    const [, , name = '', version = ''] = match
    const isKept = records.layers.get(name, version.padStart(10, '0')) !== undefined
    if (isKept || hasProjectLayer({ arn: String(arn), name, version })) continue
    throw notFound('LayerVersionNotFound', `version '${version}' of layer '${name}' does not exist`)
  }
}

function fromBase64(encoded: string): Buffer {
  const isBase64 = !/[^A-Za-z0-9+/=\s]/.test(encoded)
  const archive = Buffer.from(encoded, 'base64')
  if (!isBase64 || archive.length === 0) throw new ManifestError('code.zipFile', 'expected a ZIP archive in Base64')
  if (archive.length > ZIP_LIMIT_BYTES) throw new ManifestError('code.zipFile', 'expected 100 MB at most: use OSS')
  return archive
}

async function fromOss(code: Record<string, unknown>, { readObject }: ApiContext): Promise<Buffer> {
  if (!code.ossBucketName && !code.ossObjectName) {
    throw new ManifestError('code', 'expected zipFile, or ossBucketName and ossObjectName')
  }
  const bucket = text(code.ossBucketName, 'code.ossBucketName')
  const key = text(code.ossObjectName, 'code.ossObjectName')
  const archive = await readObject(bucket, key, OSS_LIMIT_BYTES)
  if (!archive)
    throw new ManifestError(
      'code',
      `the object ${key.slice(0, 128)} of the bucket ${bucket.slice(0, 64)} cannot be read`,
    )
  if (archive === 'too-large') throw new ManifestError('code', 'expected a code package of 500 MB at most')
  return archive
}
