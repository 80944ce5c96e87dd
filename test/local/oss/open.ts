import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { findTool } from '../../../local/ffmpeg/find.ts'
import { type OssService, startOss } from '../../../local/oss/index.ts'
import { type Credentials, openCredentials, type SessionCredentials } from '../../../local/wire/credentials.ts'
import type { ObjectEvent } from '../../../local/wire/object-event.ts'

/** Signature versions that a client can speak. */
export type Version = 'V1' | 'V4'

interface Answer {
  readonly res: { readonly status: number; readonly headers: object }
}

type Mistyped =
  | 'listParts'
  | 'abortMultipartUpload'
  | 'uploadPartCopy'
  | 'multipartUploadCopy'
  | 'listV2'
  | 'signatureUrlV4'
  | 'calculatePostSignature'
  | 'putBucketVersioning'
  | 'getBucketVersioning'
  | 'getBucketVersions'
  | 'getObjectTagging'
  | 'putObjectTagging'
  | 'deleteObjectTagging'
  | 'restore'

/** The client with what its published types leave out or have wrong. */
export interface Client extends Omit<OSS, Mistyped> {
  listParts(
    key: string,
    uploadId: string,
    query?: object,
  ): Promise<{ parts: OSS.UploadPartResult[]; isTruncated: string }>
  abortMultipartUpload(key: string, uploadId: string): Promise<Answer>
  uploadPartCopy(
    key: string,
    uploadId: string,
    part: number,
    range: string,
    source: object,
    options?: object,
  ): Promise<Answer>
  multipartUploadCopy(key: string, source: object, options: { partSize: number }): Promise<Answer>
  getObjectMeta(key: string): Promise<Answer>
  listV2(query: object): Promise<ListedV2>
  calculatePostSignature(policy: string): { OSSAccessKeyId: string; Signature: string; policy: string }
  signPostObjectPolicyV4(policy: object, date: Date): string
  signatureUrlV4(method: string, expires: number, request: object, key: string, headers?: string[]): Promise<string>
  putBucketVersioning(bucket: string, status: string): Promise<Answer>
  getBucketVersioning(bucket: string): Promise<Answer & { versionStatus?: string }>
  getBucketVersions(query?: object): Promise<ListedVersions>
  getObjectTagging(key: string, options?: object): Promise<{ tag: Record<string, string> }>
  putObjectTagging(key: string, tags: object, options?: object): Promise<Answer>
  deleteObjectTagging(key: string, options?: object): Promise<Answer>
  restore(key: string, options?: object): Promise<Answer>
}

interface ListedVersions {
  readonly objects: { name: string; versionId: string; isLatest: boolean; size: number }[]
  readonly deleteMarker: { name: string; versionId: string }[]
  readonly prefixes: string[] | null
  readonly isTruncated: boolean
  readonly nextKeyMarker: string | null
  readonly nextVersionIdMarker: string | null
}

interface ListedV2 {
  readonly objects: { name: string; owner: object | null }[]
  readonly prefixes: string[] | null
  readonly keyCount: number
  readonly isTruncated: boolean
  readonly nextContinuationToken: string
}

/** A service in a folder of its own, with one bucket, and what a test needs around it. */
export interface OpenOss {
  readonly service: OssService
  readonly credentials: Credentials
  readonly dir: string
  readonly events: ObjectEvent[]
  /** Sets the clock of the service ahead of the real one. */
  advance(ms: number): void
  /** A real ali-oss client over a socket; without a session it is the account's. */
  client(version: Version, session?: SessionCredentials): Client
  /** Stops the service and starts it over the same folder. */
  restart(): Promise<void>
  close(): Promise<void>
}

export const BUCKET = 'bucket-one'

/** Starts one; close it in `afterAll` or `onTestFinished`. */
export async function openOss(signing: 'by its clock' | 'by the nearer clock' = 'by its clock'): Promise<OpenOss> {
  const dir = await mkdtemp(join(tmpdir(), 'oss-test-'))
  const events: ObjectEvent[] = []
  let ahead = 0
  const now = () => Date.now() + ahead
  const account = { accountId: '1234567890', accessKeyId: 'LTAIaccount', accessKeySecret: 'account-secret' }
  const credentials = openCredentials(account, now)
  const start = () =>
    startOss({
      host: '127.0.0.1',
      port: 0,
      dataDir: dir,
      region: 'cn-hangzhou',
      credentials,
      now,
      ...(signing === 'by its clock' ? {} : { nearest: () => Date.now() }),
      onEvent: (event) => events.push(event),
      ffmpeg: async () => (await findTool('ffmpeg', process.cwd(), process.env))?.path,
    })
  let service = await start()
  await service.createBucket(BUCKET)
  return {
    get service() {
      return service
    },
    credentials,
    dir,
    events,
    advance: (ms) => {
      ahead += ms
    },
    client: (version, session) => newClient(service.url, version, session ?? account),
    async restart() {
      await service.close()
      service = await start()
    },
    async close() {
      await service.close()
      await rm(dir, { recursive: true })
    },
  }
}

function newClient(
  endpoint: string,
  version: Version,
  keys: { accessKeyId: string; accessKeySecret: string; securityToken?: string },
): Client {
  // `sldEnable` is missing from the published types.
  const options = {
    endpoint,
    sldEnable: true,
    bucket: BUCKET,
    region: 'oss-cn-hangzhou',
    authorizationV4: version === 'V4',
    accessKeyId: keys.accessKeyId,
    accessKeySecret: keys.accessKeySecret,
    ...(keys.securityToken === undefined
      ? {}
      : {
          stsToken: keys.securityToken,
          refreshSTSToken: async () => ({
            accessKeyId: keys.accessKeyId,
            accessKeySecret: keys.accessKeySecret,
            stsToken: keys.securityToken ?? '',
          }),
          refreshSTSTokenInterval: 3_600_000,
        }),
  }
  return new OSS(options as OSS.Options) as unknown as Client
}
