import type OSS from 'ali-oss'
import type { Credentials } from '../auth/credentials.ts'
import { type BucketAddress, presignUrl } from '../auth/oss-url.ts'
import { AppError } from '../errors.ts'
import { perCredentials } from './per-credentials.ts'
import { type RetryOptions, withRetries } from './retry.ts'
import { codeOf, isTransient, statusOf, translate } from './upstream.ts'

export interface ObjectsConfig extends BucketAddress {
  /** Where the world reaches the bucket; `endpoint` may be an internal address. */
  readonly publicEndpoint: string
}

export interface ObjectsOptions {
  readonly tries?: number
  readonly baseDelayMs?: number
  /** Of one try; an upload of a segment is the longest call. */
  readonly timeoutMs?: number
}

export interface ObjectHead {
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** CRC-64/XZ as a decimal number; empty when the service has none. */
  readonly crc64: string
  readonly type: 'Normal' | 'Multipart' | 'Appendable' | 'Symlink'
  readonly storageClass: string
  readonly contentType: string
}

export interface PutOptions {
  readonly contentType: string
  /** Never replace an object that is there: the answer is then `exists`. */
  readonly forbidOverwrite: boolean
  readonly cacheControl?: string
}

export interface PresignOptions {
  readonly expiresSeconds: number
  readonly response?: Readonly<Record<string, string>>
}

/** One bucket. */
export interface Objects {
  /** `undefined` when there is no such object; throws `conflict` when its ETag is not `ifMatch`. */
  head(key: string, options?: { readonly ifMatch?: string }): Promise<ObjectHead | undefined>
  /** `exists` may also mean that our own earlier try had arrived: compare size and crc64. */
  put(key: string, bytes: Uint8Array, options: PutOptions): Promise<'stored' | 'exists'>
  /** Back to the bucket's ACL; whoever may put an object may also make it public. What is gone needs none. */
  resetAcl(key: string): Promise<void>
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly size: number }>
  /** Names between the prefix and the next slash, at most `limit` of them; `next` goes on where they end. */
  folders(prefix: string, from: string, limit: number): Promise<{ names: string[]; next: string | undefined }>
  /** To remove what is not there is a success. */
  remove(key: string): Promise<void>
  /** The same for any number of keys. */
  removeAll(keys: readonly string[]): Promise<void>
  isSymlink(key: string): Promise<boolean>
  /** A URL for our own functions. */
  presignGet(key: string, options: PresignOptions): string
  /** A URL for browsers and players. */
  presignPublicGet(key: string, options: PresignOptions): string
  /** Ends every multipart upload under a prefix; their parts are billed until then. */
  abortUploads(prefix: string): Promise<void>
}

/** The ACL that follows the bucket's; missing from the published types. */
const INHERITED_ACL = 'default' as OSS.ACLType

const clientOf = perCredentials(createClient)

/** The bucket over the vendor's SDK; credentials are those of the current invocation. */
export function openObjects(config: ObjectsConfig, credentials: Credentials, options: ObjectsOptions = {}): Objects {
  const { endpoint, publicEndpoint, bucket, addressing, region } = config
  const place: BucketAddress = { endpoint, bucket, addressing, region }
  const retry: RetryOptions = {
    tries: options.tries ?? 4,
    baseDelayMs: options.baseDelayMs ?? 200,
    timeoutMs: options.timeoutMs ?? 60_000,
    retryable: isTransient,
  }
  const call = async <T>(operation: (client: OSS) => Promise<T>): Promise<T> => {
    const client = await clientOf(place, credentials)
    return withRetries(retry, () => operation(client)).catch((error: unknown) => {
      throw translate('OSS', error)
    })
  }
  const presign = (address: BucketAddress, key: string, { expiresSeconds, response = {} }: PresignOptions) =>
    presignUrl(address, credentials, { method: 'GET', key, expiresSeconds, response, nowMs: Date.now() })

  return {
    head: (key, { ifMatch } = {}) => call((client) => head(client, key, ifMatch)),
    put: (key, bytes, wanted) => call((client) => put(client, key, bytes, wanted)),
    resetAcl: (key) => call((client) => resetAcl(client, key)),
    list: (prefix) => list(call, prefix),
    folders: (prefix, from, limit) => call((client) => folders(client, prefix, from, limit)),
    removeAll: (keys) => removeAll(call, keys),
    remove: (key) => call(async (client) => void (await client.delete(key))),
    isSymlink: (key) => call((client) => isSymlink(client, key)),
    presignGet: (key, wanted) => presign(place, key, wanted),
    presignPublicGet: (key, wanted) => presign({ ...place, endpoint: publicEndpoint }, key, wanted),
    abortUploads: (prefix) => abortUploads(call, prefix),
  }
}

type Call = <T>(operation: (client: OSS) => Promise<T>) => Promise<T>

async function createClient(place: BucketAddress, credentials: Credentials): Promise<OSS> {
  const { default: Client } = await import('ali-oss')
  const { accessKeyId, accessKeySecret, securityToken } = credentials
  const options = {
    accessKeyId,
    accessKeySecret,
    endpoint: place.endpoint,
    bucket: place.bucket,
    region: `oss-${place.region}`,
    authorizationV4: true,
    // Path-style addresses; missing from the published types.
    sldEnable: place.addressing === 'path',
    // Only so that it does not warn: the next invocation brings its own credentials.
    ...(securityToken ? { stsToken: securityToken, refreshSTSTokenInterval: Number.MAX_SAFE_INTEGER } : {}),
  }
  return new Client(options as OSS.Options)
}

async function head(client: OSS, key: string, ifMatch: string | undefined): Promise<ObjectHead | undefined> {
  try {
    const condition = ifMatch === undefined ? {} : { headers: { 'If-Match': `"${ifMatch}"` } }
    const { res } = await client.head(key, condition)
    return headOf(res.headers as Record<string, string | undefined>)
  } catch (error) {
    if (statusOf(error) === 404 && codeOf(error) === 'NoSuchKey') return undefined
    if (statusOf(error) !== 412) throw error
    throw new AppError('conflict', 'The object is no longer the one that was looked at', { cause: error })
  }
}

function headOf(headers: Readonly<Record<string, string | undefined>>): ObjectHead {
  const type = headers['x-oss-object-type'] ?? 'Normal'
  if (type !== 'Normal' && type !== 'Multipart' && type !== 'Appendable' && type !== 'Symlink') {
    throw new AppError('upstream_failed', 'OSS named an unknown type of object')
  }
  return {
    size: Number(headers['content-length']),
    etag: (headers.etag ?? '').replaceAll('"', ''),
    crc64: headers['x-oss-hash-crc64ecma'] ?? '',
    type,
    storageClass: headers['x-oss-storage-class'] ?? 'Standard',
    contentType: headers['content-type'] ?? '',
  }
}

async function resetAcl(client: OSS, key: string): Promise<void> {
  try {
    await client.putACL(key, INHERITED_ACL)
  } catch (error) {
    if (codeOf(error) !== 'NoSuchKey') throw error
  }
}

async function put(client: OSS, key: string, bytes: Uint8Array, options: PutOptions): Promise<'stored' | 'exists'> {
  const headers = {
    'Content-Type': options.contentType,
    ...(options.forbidOverwrite ? { 'x-oss-forbid-overwrite': 'true' } : {}),
    ...(options.cacheControl === undefined ? {} : { 'Cache-Control': options.cacheControl }),
  }
  try {
    await client.put(key, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { headers })
    return 'stored'
  } catch (error) {
    if (codeOf(error) === 'FileAlreadyExists') return 'exists'
    throw error
  }
}

async function* list(call: Call, prefix: string) {
  let token: string | undefined
  do {
    const query = { prefix, 'max-keys': '1000', ...(token ? { 'continuation-token': token } : {}) }
    const page = await call((client) => client.listV2(query, {}))
    for (const object of page.objects ?? []) yield { key: object.name, size: object.size }
    token = (page as { nextContinuationToken?: string | null }).nextContinuationToken ?? undefined
  } while (token)
}

/** DeleteMultipleObjects takes this many, https://help.aliyun.com/document_detail/31983.html */
const MAX_REMOVED = 1000

async function removeAll(call: Call, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += MAX_REMOVED) {
    const some = keys.slice(at, at + MAX_REMOVED)
    await call(async (client) => void (await client.deleteMulti(some, { quiet: true })))
  }
}

async function folders(client: OSS, prefix: string, from: string, limit: number) {
  const after = from === '' ? {} : { 'start-after': from }
  const page = await client.listV2({ prefix, delimiter: '/', 'max-keys': String(limit), ...after }, {})
  const paths = page.prefixes ?? []
  // Everything in a folder sorts before its path with the character after the slash at its end.
  const ends = [...paths.map((path) => `${path.slice(0, -1)}0`), ...(page.objects ?? []).map(({ name }) => name)]
  const last = ends.reduce((a, b) => (a > b ? a : b), '')
  return { names: paths.map((path) => path.slice(prefix.length, -1)), next: page.isTruncated ? last : undefined }
}

/** A symlink answers HEAD with the type of its target, so it is asked for by its own operation. */
async function isSymlink(client: OSS, key: string): Promise<boolean> {
  try {
    await client.getSymlink(key)
    return true
  } catch (error) {
    if (['NotSymlink', 'NoSuchKey'].includes(codeOf(error))) return false
    throw error
  }
}

async function abortUploads(call: Call, prefix: string): Promise<void> {
  for (;;) {
    const { uploads = [] } = await call((client) => client.listUploads({ prefix, 'max-uploads': 1000 }, {}))
    if (uploads.length === 0) return
    for (const { name, uploadId } of uploads) await call((client) => abortUpload(client, name, uploadId))
  }
}

async function abortUpload(client: OSS, key: string, uploadId: string): Promise<void> {
  try {
    await client.abortMultipartUpload(key, uploadId)
  } catch (error) {
    if (codeOf(error) !== 'NoSuchUpload') throw error
  }
}
