import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Keys } from '../contracts/target.ts'
import { type OpenOss, openOss } from '../local/oss/open.ts'

/* The SDK that is generated from the description of the API; it takes an address and puts the bucket in the path. */
const load = createRequire(import.meta.url)
const sdk = load('@alicloud/oss-client') as typeof import('@alicloud/oss-client')

const bucketName = 'generated'
let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
  const createBucketConfiguration = new sdk.PutBucketRequestBodyCreateBucketConfiguration({ storageClass: 'IA' })
  const body = new sdk.PutBucketRequestBody({ createBucketConfiguration })
  await client('V1').putBucket(new sdk.PutBucketRequest({ bucketName, body }), runtime)
})
afterAll(() => oss.close())

const runtime = {} as Parameters<InstanceType<typeof sdk.default>['getService']>[1]

function client(signatureVersion: string, { accessKeyId, accessKeySecret }: Keys = oss.credentials) {
  return new sdk.default(
    new sdk.Config({
      type: 'access_key',
      accessKeyId,
      accessKeySecret,
      endpoint: `127.0.0.1:${oss.service.port}`,
      protocol: 'http',
      regionId: 'cn-hangzhou',
      hostModel: 'ip',
      signatureVersion,
    }),
  )
}

describe.each(['V1', 'V2'])('with signatures of version %s', (version) => {
  test('an object is put, read, copied, listed and deleted', async () => {
    const own = client(version)
    const objectName = `${version}/a b.txt`
    const put = { bucketName, objectName, userMeta: { uid: '1' }, body: Readable.from([Buffer.from('hello')]) }
    await own.putObject(new sdk.PutObjectRequest(put), runtime)
    const got = await own.getObject(new sdk.GetObjectRequest({ bucketName, objectName }), runtime)
    const chunks: Buffer[] = []
    for await (const chunk of got.body ?? []) chunks.push(Buffer.from(chunk))
    expect(Buffer.concat(chunks).toString()).toBe('hello')
    const prefix = new sdk.GetBucketRequestFilter({ prefix: `${version}/`, encodingType: 'url' })
    const listed = await own.getBucket(new sdk.GetBucketRequest({ bucketName, filter: prefix }), runtime)
    expect(listed.listBucketResult?.keyCount ?? listed.listBucketResult?.contents?.length).toBeTruthy()
    await own.deleteObject(new sdk.DeleteObjectRequest({ bucketName, objectName }), runtime)
    const gone = own.getObject(new sdk.GetObjectRequest({ bucketName, objectName }), runtime)
    await expect(gone).rejects.toMatchObject({ code: 'NoSuchKey' })
  })

  test('bytes are appended', async () => {
    const own = client(version)
    const objectName = `${version}-append`
    const append = (position: string, text: string) => {
      const filter = new sdk.AppendObjectRequestFilter({ position })
      const request = { bucketName, objectName, filter, body: Readable.from([Buffer.from(text)]) }
      return own.appendObject(new sdk.AppendObjectRequest(request), runtime)
    }
    const { nextAppendPosition } = await append('0', 'one')
    expect(nextAppendPosition).toBe('3')
    await expect(append('1', 'x')).rejects.toMatchObject({ code: 'PositionNotEqualToLength' })
  })

  test('the tags of a bucket read back', async () => {
    const own = client(version)
    const tag = [new sdk.PutBucketTagsRequestBodyTaggingTagSetTag({ key: 'made-with', value: version })]
    const tagSet = new sdk.PutBucketTagsRequestBodyTaggingTagSet({ tag })
    const body = new sdk.PutBucketTagsRequestBody({ tagging: new sdk.PutBucketTagsRequestBodyTagging({ tagSet }) })
    await own.putBucketTags(new sdk.PutBucketTagsRequest({ bucketName, body }), runtime)
    const read = await own.getBucketTags(new sdk.GetBucketTagsRequest({ bucketName }), runtime)
    expect(JSON.stringify(read)).toContain(`"value":"${version}"`)
  })

  test('who is not known is told so', async () => {
    const stranger = client(version, { accessKeyId: 'LTAInobody', accessKeySecret: 'x' })
    await expect(stranger.getService(new sdk.GetServiceRequest({}), runtime)).rejects.toMatchObject({
      code: 'InvalidAccessKeyId',
    })
  })
})

// With version 1 this client signs `?partNumber` and what follows as `&partNumber`, which no service takes; with version 2
// it fails by itself unless there is another parameter than `uploads`.
test('an object is uploaded in parts and copied', async () => {
  const own = client('V2')
  const objectName = 'parts'
  const encoding = new sdk.InitiateMultipartUploadRequestFilter({ encodingType: 'url' })
  const begun = await own.initiateMultipartUpload(
    new sdk.InitiateMultipartUploadRequest({ bucketName, objectName, filter: encoding }),
    runtime,
  )
  const uploadId = begun.initiateMultipartUploadResult?.uploadId ?? ''
  const contents = [Buffer.alloc(102_400, 1), Buffer.from('end')]
  const part = []
  for (const [index, content] of contents.entries()) {
    const filter = new sdk.UploadPartRequestFilter({ partNumber: String(index + 1), uploadId })
    const request = { bucketName, objectName, filter, body: Readable.from([content]) }
    await own.uploadPart(new sdk.UploadPartRequest(request), runtime)
    // The answer that it gives has no ETag.
    const eTag = createHash('md5').update(content).digest('hex').toUpperCase()
    part.push(
      new sdk.CompleteMultipartUploadRequestBodyCompleteMultipartUploadPart({ partNumber: String(index + 1), eTag }),
    )
  }
  const filter = new sdk.CompleteMultipartUploadRequestFilter({ uploadId })
  const list = new sdk.CompleteMultipartUploadRequestBodyCompleteMultipartUpload({ part })
  const body = new sdk.CompleteMultipartUploadRequestBody({ completeMultipartUpload: list })
  const complete = new sdk.CompleteMultipartUploadRequest({ bucketName, objectName, filter, body })
  const completed = await own.completeMultipartUpload(complete, runtime)
  expect(completed.completeMultipartUploadResult?.eTag).toMatch(/-2"$/)
  const header = new sdk.CopyObjectRequestHeader({ copySource: `/${bucketName}/${objectName}` })
  const destObjectName = `${objectName}-copy`
  await own.copyObject(new sdk.CopyObjectRequest({ bucketName, destObjectName, header }), runtime)
  const head = new sdk.HeadObjectRequest({ bucketName, objectName: destObjectName })
  expect((await own.headObject(head, runtime)).objectType).toBe('Multipart')
})
