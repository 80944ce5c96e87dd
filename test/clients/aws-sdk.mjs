/** Amazon's SDK for JavaScript, version 3, installed for the occasion. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { installed, runSteps, same } from './steps.mjs'

const PACKAGES = ['client-s3@3.1169.0', 'lib-storage@3.1169.0', 's3-request-presigner@3.1162.0']

/** @type {import('./clients.d.ts').Client} */
export const awsSdk = {
  name: 'aws-sdk',
  missing: async () => undefined,
  version: async () => `npm @aws-sdk/${PACKAGES[0]}`,
  async run(cloud, workDir) {
    const load = await installed(
      PACKAGES.map((name) => `@aws-sdk/${name}`),
      workDir,
    )
    return await runSteps(steps(cloud, load))
  },
  known: {
    'deletes several objects at once':
      'sends no Content-MD5 by itself, which the service insists on (https://github.com/stormkit-io/stormkit-io/pull/142)',
  },
}

/** @typedef {Record<string, any>} Fields what the SDK takes and gives, whose types are not at hand */

/** @param {import('./clients.d.ts').Cloud} cloud @param {(name: string) => any} load */
function steps(cloud, load) {
  const sdk = load('@aws-sdk/client-s3')
  const { Upload } = load('@aws-sdk/lib-storage')
  const { getSignedUrl } = load('@aws-sdk/s3-request-presigner')
  const { endpoint } = cloud.oss
  const credentials = { accessKeyId: cloud.accessKeyId, secretAccessKey: cloud.accessKeySecret }
  const settings = { endpoint, region: cloud.region, credentials, forcePathStyle: true, maxAttempts: 1 }
  // Sums as trailers after the body are what the service does not know.
  const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }
  const client = new sdk.S3Client({ ...settings, ...checksums })
  const asItComes = new sdk.S3Client(settings)
  const Bucket = `aws-sdk-${Date.now()}`
  const Key = 'a b+c/中文.txt'
  /** @param {string} name @param {Fields} [fields] @returns {Promise<Fields>} */
  const call = (name, fields = {}, by = client) => by.send(new sdk[`${name}Command`]({ Bucket, ...fields }))
  const codeOf = (/** @type {Promise<unknown>} */ call) =>
    call.then(
      () => 'no error',
      (error) => error.name,
    )
  const big = randomBytes(60_000_000)
  return {
    'makes a bucket': async () => {
      await call('CreateBucket')
      const { Buckets } = await call('ListBuckets')
      same(Buckets.map((/** @type {Fields} */ one) => one.Name).includes(Bucket), true)
      same((await call('HeadBucket')).BucketRegion, `oss-${cloud.region}`)
    },
    'puts and gets': async () => {
      const { ETag } = await call('PutObject', {
        Key,
        Body: 'hello',
        ContentType: 'text/plain',
        Metadata: { uid: '1' },
      })
      same(ETag, '"5D41402ABC4B2A76B9719D911017C592"')
      const { Body, Metadata, ContentType } = await call('GetObject', { Key })
      same([await Body.transformToString(), Metadata, ContentType], ['hello', { uid: '1' }, 'text/plain'])
      same(await (await call('GetObject', { Key, Range: 'bytes=1-3' })).Body.transformToString(), 'ell')
    },
    'puts with its sums of the body': async () => {
      await call('PutObject', { Key: 'sums', Body: 'hello' }, asItComes)
      same((await call('HeadObject', { Key: 'sums' }, asItComes)).ContentLength, 5)
    },
    'is refused with sums after the body': async () => {
      const Body = Readable.from([Buffer.from('hello')])
      same(await codeOf(call('PutObject', { Key: 'late', Body, ContentLength: 5 }, asItComes)), 'InvalidArgument')
    },
    'uploads in parts, and copies in parts': async () => {
      const params = { Bucket, Key: 'big', Body: Readable.from([big]), StorageClass: 'STANDARD_IA' }
      await new Upload({ client, params, partSize: 8 << 20 }).done()
      same((await call('HeadObject', { Key: 'big' })).StorageClass, 'STANDARD_IA')
      const { UploadId } = await call('CreateMultipartUpload', { Key: 'big2' })
      const CopySource = `${Bucket}/big`
      const part = { Key: 'big2', UploadId, PartNumber: 1, CopySource, CopySourceRange: 'bytes=0-999999' }
      const { CopyPartResult } = await call('UploadPartCopy', part)
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult.ETag }] }
      await call('CompleteMultipartUpload', { Key: 'big2', UploadId, MultipartUpload })
      const bytes = await (await call('GetObject', { Key: 'big2' })).Body.transformToByteArray()
      same(Buffer.compare(bytes, big.subarray(0, 1_000_000)), 0)
    },
    'lists in pages': async () => {
      const names = Array.from({ length: 25 }, (_, index) => `many/${index}`)
      for (const name of names) await call('PutObject', { Key: name, Body: 'x' })
      let found = 0
      for await (const page of sdk.paginateListObjectsV2({ client, pageSize: 10 }, { Bucket, Prefix: 'many/' })) {
        found += page.Contents.length
      }
      same(found, 25)
      const { CommonPrefixes } = await call('ListObjectsV2', { Delimiter: '/' })
      same(CommonPrefixes, [{ Prefix: 'a b+c/' }, { Prefix: 'many/' }])
    },
    'keeps versions': async () => {
      await call('PutBucketVersioning', { VersioningConfiguration: { Status: 'Enabled' } })
      const { VersionId } = await call('PutObject', { Key: 'versioned', Body: '1' })
      same((await call('DeleteObject', { Key: 'versioned' })).DeleteMarker, true)
      same(await (await call('GetObject', { Key: 'versioned', VersionId })).Body.transformToString(), '1')
    },
    'signs URLs': async () => {
      const put = await getSignedUrl(client, new sdk.PutObjectCommand({ Bucket, Key: 'signed', ACL: 'public-read' }))
      same((await fetch(put, { method: 'PUT', body: 'by url' })).status, 200)
      const get = await getSignedUrl(client, new sdk.GetObjectCommand({ Bucket, Key: 'signed' }))
      same(await (await fetch(get)).text(), 'by url')
      same(await (await fetch(`${endpoint}/${Bucket}/signed`)).text(), 'by url')
    },
    'is told what is wrong': async () => {
      const wrong = new sdk.S3Client({ ...settings, credentials: { ...credentials, secretAccessKey: 'wrong' } })
      same(
        [
          await codeOf(call('GetObject', { Key: 'nothing' })),
          await codeOf(call('ListObjectsV2', { Bucket: 'aws-sdk-nothing' })),
          await codeOf(call('ListObjectsV2', {}, wrong)),
          await codeOf(call('GetObjectLockConfiguration')),
        ],
        ['NoSuchKey', 'NoSuchBucket', 'SignatureDoesNotMatch', 'NotImplemented'],
      )
    },
    'deletes several objects at once': async () =>
      void (await call('DeleteObjects', { Delete: { Objects: [{ Key: 'sums' }] } })),
    'deletes several with their sum': async () => {
      const { Versions, DeleteMarkers } = await call('ListObjectVersions', { MaxKeys: 1000 })
      const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
      const summing = new sdk.S3Client({ ...settings, ...checksums })
      summing.middlewareStack.add(withContentMd5, { step: 'build' })
      same((await call('DeleteObjects', { Delete: { Objects } }, summing)).Deleted.length, Objects.length)
      await call('DeleteBucket')
    },
  }
}

/** What users of such services add. @param {any} next */
function withContentMd5(next) {
  return (/** @type {any} */ args) => {
    const md5 = createHash('md5').update(args.request.body).digest('base64')
    args.request.headers['content-md5'] = md5
    return next(args)
  }
}
