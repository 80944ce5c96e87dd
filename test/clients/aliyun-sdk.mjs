/** The vendor's older SDK for Node, installed for the occasion; it wants the bucket in the name of the host. */
import dns from 'node:dns'
import { installed, runSteps, same } from './steps.mjs'

const VERSION = '1.12.10'

/** @type {import('./clients.d.ts').Client} */
export const aliyunSdk = {
  name: 'aliyun-sdk',
  missing: async () => undefined,
  version: async () => `npm aliyun-sdk ${VERSION}`,
  async run(cloud, workDir) {
    const load = await installed([`aliyun-sdk@${VERSION}`], workDir)
    const { OSS } = load('aliyun-sdk')
    const { accessKeyId, accessKeySecret: secretAccessKey } = cloud
    const oss = new OSS({ accessKeyId, secretAccessKey, endpoint: cloud.oss.endpoint, apiVersion: '2013-10-15' })
    return await findingLocalNames(() => tryAll(oss))
  },
  known: {},
}

/** @typedef {Record<string, any>} Fields what the SDK gives, which has no types */

/** @param {any} oss @returns {Promise<import('./clients.d.ts').Outcome[]>} */
async function tryAll(oss) {
  const Bucket = `aliyun-sdk-${Date.now()}`
  /** @param {string} operation @param {object} [parameters] @returns {Promise<Fields>} */
  const call = (operation, parameters = {}) =>
    new Promise((resolve, reject) =>
      oss[operation]({ Bucket, ...parameters }, (/** @type {Error | null} */ error, /** @type {Fields} */ data) =>
        error ? reject(error) : resolve(data),
      ),
    )
  const Key = 'a b+c/中文.txt'
  /** @type {Record<string, () => Promise<void>>} */
  const steps = {
    'makes a bucket': async () => void (await call('createBucket')),
    'puts and gets an object': async () => {
      await call('putObject', { Key, Body: 'hello', ContentType: 'text/plain', Metadata: { uid: '1' } })
      const { Body, ContentType } = await call('getObject', { Key })
      same([String(Body), ContentType], ['hello', 'text/plain'])
    },
    'reads a range': async () => same(String((await call('getObject', { Key, Range: 'bytes=1-3' })).Body), 'ell'),
    'looks at an object': async () => same((await call('headObject', { Key })).ContentLength, '5'),
    'lists objects': async () => {
      const { Contents } = await call('listObjects', { Prefix: 'a' })
      same(
        Contents.map((/** @type {Fields} */ one) => one.Key),
        [Key],
      )
    },
    'copies an object': async () => {
      await call('copyObject', { Key: 'copy', CopySource: `/${Bucket}/${encodeURIComponent(Key)}` })
      same(String((await call('getObject', { Key: 'copy' })).Body), 'hello')
    },
    'uploads in parts': async () => {
      const { UploadId } = await call('createMultipartUpload', { Key: 'parts' })
      const { ETag } = await call('uploadPart', { Key: 'parts', UploadId, PartNumber: 1, Body: Buffer.alloc(200_000) })
      const CompleteMultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
      const done = await call('completeMultipartUpload', { Key: 'parts', UploadId, CompleteMultipartUpload })
      same(/-1"$/.test(done.ETag), true)
    },
    'reads its settings back': async () => {
      const LoggingEnabled = { TargetBucket: Bucket, TargetPrefix: 'log-' }
      await call('putBucketLogging', { BucketLoggingStatus: { LoggingEnabled } })
      same((await call('getBucketLogging')).LoggingEnabled.TargetPrefix, 'log-')
    },
    'is told what is missing': async () => {
      const error = await call('getObject', { Key: 'nothing' }).catch((reason) => reason)
      same([error.code, error.statusCode], ['NoSuchKey', 404])
    },
    'removes what it made': async () => {
      const Objects = [Key, 'copy', 'parts'].map((one) => ({ Key: one }))
      same((await call('deleteObjects', { Delete: { Objects, Quiet: false } })).Deleted.length, 3)
      await call('deleteBucket')
    },
  }
  return await runSteps(steps)
}

/** Not every system finds names below `localhost`. @template Result @param {() => Promise<Result>} work */
async function findingLocalNames(work) {
  const { lookup } = dns
  /** @type {any} */
  const local = (/** @type {string} */ name, /** @type {any[]} */ ...rest) =>
    /** @type {any} */ (lookup)(name.endsWith('.localhost') ? 'localhost' : name, ...rest)
  dns.lookup = local
  try {
    return await work()
  } finally {
    dns.lookup = lookup
  }
}
