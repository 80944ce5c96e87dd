import { createHash } from 'node:crypto'
import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { stsSdk } from '../local/fc/sdk.ts'
import type { Client, Version } from '../local/oss/open.ts'
import { type Keys, openTarget, uniqueName } from './target.ts'

/*
 * What OSS promises, as far as a video product and its tools stand on it; each test fails where the promise is broken.
 * The address above a test is where the promise is made.
 */
const target = await openTarget()
const bucket = uniqueName('contract')
const PART = 100 * 1024

beforeAll(async () => {
  await (connect('V4') as unknown as OSS).putBucket(bucket)
})
afterAll(async () => {
  await emptyBucket(connect('V4'))
  await connect('V4').deleteBucket(bucket)
  await target.close()
})

function connect(version: Version, keys: Keys = target.keys): Client {
  const { securityToken, ...pair } = keys
  const options = {
    ...pair,
    ...(securityToken ? { stsToken: securityToken } : {}),
    bucket,
    endpoint: target.oss.endpoint,
    region: `oss-${target.region}`,
    // On its own domains the service wants the bucket in the host.
    sldEnable: !target.isRemote,
    authorizationV4: version === 'V4',
    retryMax: 0,
  }
  return new OSS(options as OSS.Options) as unknown as Client
}

async function emptyBucket(client: Client): Promise<void> {
  const { objects } = await client.listV2({ 'max-keys': 1000 })
  if (objects?.length) await client.deleteMulti(objects.map(({ name }) => name))
}

const client = connect('V4')

async function codeOf(response: Response): Promise<string | undefined> {
  return /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1]
}

describe.each(['V1', 'V4'] as const)('with signatures of version %s', (version) => {
  const own = connect(version)

  // https://help.aliyun.com/zh/oss/developer-reference/putobject
  test('what is stored comes back byte for byte, under MD5 and CRC-64', async () => {
    const content = Buffer.from('123456789')
    const key = uniqueName('crc')
    const put = await own.put(key, content)
    const headers = put.res.headers as Record<string, string>
    expect(headers.etag).toBe(`"${createHash('md5').update(content).digest('hex').toUpperCase()}"`)
    // The check value of CRC-64/XZ for these nine digits. https://reveng.sourceforge.io/crc-catalogue/17plus.htm
    expect(headers['x-oss-hash-crc64ecma']).toBe(String(0x995dc9bbdf1939fan))
    expect((await own.get(key)).content).toEqual(content)
  })

  test.each(['a b+c&d=e', '中文/日本語.mp4', '%41%2F', "it's (1)*!~", 'a//b/', '🎬/🎞.m3u8', '..a/b.'])(
    'the key %j means itself',
    async (key) => {
      await own.put(key, Buffer.from(key))
      expect((await own.get(key)).content.toString()).toBe(key)
      const { objects } = await own.listV2({ prefix: key, 'max-keys': 1 })
      expect(objects.map(({ name }) => name)).toEqual([key])
    },
  )

  // https://help.aliyun.com/zh/oss/developer-reference/add-signatures-to-urls
  test('a signed URL opens what it was signed for, and nothing else', async () => {
    const key = uniqueName('url')
    await own.put(key, Buffer.from('x'))
    const url = version === 'V4' ? await own.signatureUrlV4('GET', 60, {}, key) : own.signatureUrl(key, { expires: 60 })
    expect((await fetch(url)).status).toBe(200)
    const put = await fetch(url, { method: 'PUT', body: 'y' })
    expect([put.status, await codeOf(put)]).toEqual([403, 'SignatureDoesNotMatch'])
    const other = await fetch(url.replace(key, `${key}2`))
    expect([other.status, await codeOf(other)]).toEqual([403, 'SignatureDoesNotMatch'])
  })
})

describe('objects', () => {
  // https://help.aliyun.com/zh/oss/developer-reference/putobject (x-oss-forbid-overwrite)
  test('are not overwritten when that is forbidden', async () => {
    const key = uniqueName('once')
    const headers = { 'x-oss-forbid-overwrite': 'true' }
    await client.put(key, Buffer.from('first'), { headers })
    const again = client.put(key, Buffer.from('second'), { headers })
    await expect(again).rejects.toMatchObject({ status: 409, code: 'FileAlreadyExists' })
    expect((await client.get(key)).content.toString()).toBe('first')
  })

  // https://help.aliyun.com/zh/oss/user-guide/can-i-use-etag-values-as-oss-md5-hashes-to-check-data-consistency
  test('are refused, and not stored, when they are not what Content-MD5 says', async () => {
    const key = uniqueName('md5')
    const md5 = createHash('md5').update('other').digest('base64')
    const put = client.put(key, Buffer.from('this'), { headers: { 'Content-MD5': md5 } })
    await expect(put).rejects.toMatchObject({ status: 400, code: 'InvalidDigest' })
    await expect(client.head(key)).rejects.toMatchObject({ status: 404 })
  })

  // https://help.aliyun.com/zh/oss/developer-reference/getobject (Range; x-oss-range-behavior)
  test('are given whole for a range beyond their end, unless the standard is asked for', async () => {
    const key = uniqueName('range')
    await client.put(key, Buffer.from('0123456789'))
    const range = (value: string, more = {}) => client.get(key, { headers: { Range: value, ...more } })
    expect((await range('bytes=3-5')).content.toString()).toBe('345')
    expect((await range('bytes=20-30')).res.status).toBe(200)
    const standard = range('bytes=20-30', { 'x-oss-range-behavior': 'standard' })
    await expect(standard).rejects.toMatchObject({ status: 416, code: 'InvalidRange' })
  })

  // https://help.aliyun.com/zh/oss/developer-reference/getobject (If-Match, If-None-Match)
  test('are read on conditions', async () => {
    const key = uniqueName('if')
    const { res } = await client.put(key, Buffer.from('x'))
    const { etag = '' } = res.headers as { etag?: string }
    const read = (headers: object) => client.get(key, { headers })
    expect((await read({ 'If-None-Match': etag })).res.status).toBe(304)
    await expect(read({ 'If-Match': '"0"' })).rejects.toMatchObject({ status: 412, code: 'PreconditionFailed' })
    expect((await read({ 'If-Match': etag })).res.status).toBe(200)
  })

  // https://help.aliyun.com/zh/oss/developer-reference/copyobject (x-oss-metadata-directive)
  test('take their metadata along when they are copied, or leave it behind', async () => {
    const [from, kept, replaced] = [uniqueName('from'), uniqueName('kept'), uniqueName('replaced')]
    await client.put(from, Buffer.from('x'), { meta: { uid: 1, pid: 2 } })
    await client.copy(kept, from)
    await client.copy(replaced, from, { headers: { 'x-oss-metadata-directive': 'REPLACE' } })
    expect((await client.head(kept)).meta).toEqual({ uid: '1', pid: '2' })
    expect((await client.head(replaced)).meta).toBeNull()
  })

  // https://help.aliyun.com/zh/oss/developer-reference/deleteobject
  test('that are not there can be deleted', async () => {
    expect((await client.delete(uniqueName('nothing'))).res.status).toBe(204)
  })

  // https://help.aliyun.com/zh/oss/developer-reference/listobjectsv2
  test('are listed in the order of the bytes of their keys, folders as one', async () => {
    const prefix = `${uniqueName('list')}/`
    const names = ['Z', 'a', 'a/1', 'a/2', 'é', 'ｚ', '🎬']
    for (const name of names) await client.put(prefix + name, Buffer.from(''))
    const all = await client.listV2({ prefix, 'max-keys': 100 })
    const order = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(all.objects.map(({ name }) => name.slice(prefix.length))).toEqual(order)
    const folders = await client.listV2({ prefix, delimiter: '/', 'max-keys': 100 })
    expect(folders.prefixes).toEqual([`${prefix}a/`])
    expect(folders.objects).toHaveLength(names.length - 2)
    const first = await client.listV2({ prefix, 'max-keys': 3 })
    const rest = await client.listV2({ prefix, 'continuation-token': first.nextContinuationToken, 'max-keys': 100 })
    expect([...first.objects, ...rest.objects].map(({ name }) => name)).toEqual(all.objects.map(({ name }) => name))
  })
})

describe('uploads in parts', () => {
  async function begin(parts: readonly Buffer[]) {
    const key = uniqueName('parts')
    const { uploadId } = await client.initMultipartUpload(key)
    onTestFinished(() => client.abortMultipartUpload(key, uploadId).then(noop, noop))
    const sent: { number: number; etag: string }[] = []
    for (const [index, part] of parts.entries()) {
      const { etag } = await client.uploadPart(key, uploadId, index + 1, part as never, 0, part.length)
      sent.push({ number: index + 1, etag })
    }
    return { key, uploadId, sent, complete: (list = sent) => client.completeMultipartUpload(key, uploadId, list) }
  }

  // The example of https://help.aliyun.com/zh/oss/developer-reference/completemultipartupload has this sum over its parts.
  test('end in an ETag over the ETags of the parts, and in the CRC-64 of the whole', async () => {
    const contents = [Buffer.alloc(PART, 1), Buffer.alloc(PART, 2), Buffer.from('end')]
    const upload = await begin(contents)
    await upload.complete()
    const { res } = await client.head(upload.key)
    const headers = res.headers as Record<string, string>
    const texts = contents.map((part) => createHash('md5').update(part).digest('hex').toUpperCase())
    expect(headers.etag).toBe(`"${md5Of(texts.join(''))}-3"`)
    expect(md5Of(DOCUMENTED_PARTS.join(''))).toBe('B864DB6A936D376F9F8D3ED3BBE540DD')
    const whole = await client.put(uniqueName('whole'), Buffer.concat(contents))
    const { 'x-oss-hash-crc64ecma': crc64 } = whole.res.headers as Record<string, string>
    expect(headers['x-oss-hash-crc64ecma']).toBe(crc64)
  })

  // https://help.aliyun.com/zh/oss/developer-reference/completemultipartupload
  test.each([
    ['a small part before the last', [10, PART], (sent: Sent) => sent, 'EntityTooSmall'],
    ['parts in another order', [PART, PART], (sent: Sent) => sent.toReversed(), 'InvalidPartOrder'],
    [
      'a part with another ETag',
      [PART],
      (sent: Sent) => sent.map((one) => ({ ...one, etag: `"${'0'.repeat(32)}"` })),
      'InvalidPart',
    ],
  ] as const)('do not complete with %s', async (_name, sizes, change, code) => {
    const upload = await begin(sizes.map((size) => Buffer.alloc(size)))
    // The client puts the list in order itself.
    const complete = postParts(upload.key, upload.uploadId, change(upload.sent))
    expect(await complete).toEqual([400, code])
    await expect(client.head(upload.key)).rejects.toMatchObject({ status: 404 })
  })

  // https://help.aliyun.com/zh/oss/developer-reference/uploadpart
  test('have no part 10,001', async () => {
    const { key, uploadId } = await begin([])
    const part = client.uploadPart(key, uploadId, 10_001, Buffer.alloc(1) as never, 0, 1)
    await expect(part).rejects.toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  async function postParts(key: string, uploadId: string, parts: Sent): Promise<[number, string | undefined]> {
    const body = parts.map(({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
    const url = await client.signatureUrlV4('POST', 60, { queries: { uploadId } }, key)
    const answer = await fetch(url, {
      method: 'POST',
      // Bytes: text would get a Content-Type that is not signed.
      body: Buffer.from(`<CompleteMultipartUpload>${body.join('')}</CompleteMultipartUpload>`),
    })
    return [answer.status, await codeOf(answer)]
  }
})
type Sent = readonly { readonly number: number; readonly etag: string }[]

const DOCUMENTED_PARTS = [
  '3349DC700140D7F86A078484278075A9',
  '8EFDA8BE206636A695359836FE0A0E0A',
  '8C315065167132444177411FDA149B92',
]

function md5Of(text: string): string {
  return createHash('md5').update(text).digest('hex').toUpperCase()
}

const noop = () => {}

describe('who may', () => {
  // https://help.aliyun.com/zh/oss/user-guide/use-temporary-access-credentials-provided-by-sts-to-access-oss
  test('a session does what its policy says and no more', async () => {
    const [own, other] = [uniqueName('own'), uniqueName('other')]
    await client.put(other, Buffer.from('x'))
    const session = connect('V4', await assume(['oss:PutObject'], `acs:oss:*:*:${bucket}/${own}`))
    expect((await session.put(own, Buffer.from('x'))).res.status).toBe(200)
    await expect(session.get(own)).rejects.toMatchObject({ status: 403, code: 'AccessDenied' })
    await expect(session.put(other, Buffer.from('y'))).rejects.toMatchObject({ status: 403, code: 'AccessDenied' })
    await expect(session.delete(other)).rejects.toMatchObject({ status: 403, code: 'AccessDenied' })
    expect((await client.get(other)).content.toString()).toBe('x')
  })

  test('the keys of a session are worth nothing without its token', async () => {
    const { securityToken: _token, ...pair } = await assume(['oss:*'], '*')
    await expect(connect('V1', pair).head('x')).rejects.toMatchObject({ status: 403 })
  })

  test('a private object is not for everybody', async () => {
    const key = uniqueName('private')
    await client.put(key, Buffer.from('x'))
    const answer = await fetch(`${target.oss.bucketUrl(bucket)}/${key}`)
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'AccessDenied'])
  })

  // https://help.aliyun.com/zh/oss/support/0002-00000504
  test.each([-16, 16])('nobody whose clock is %i minutes off', async (minutes) => {
    const date = new Date(Date.now() + minutes * 60_000).toUTCString()
    const answer = await fetch(`${target.oss.bucketUrl(bucket)}/x`, {
      headers: { 'x-oss-date': date, authorization: `OSS ${target.keys.accessKeyId}:AAAAAAAAAAAAAAAAAAAAAAAAAAA=` },
    })
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'RequestTimeTooSkewed'])
  })

  async function assume(actions: readonly string[], resource: string): Promise<Required<Keys>> {
    const config = { ...target.keys, ...target.sts } as ConstructorParameters<typeof stsSdk.default>[0]
    const policy = { Version: '1', Statement: [{ Effect: 'Allow', Action: actions, Resource: [resource] }] }
    const request = { roleArn: target.roleArn, roleSessionName: 'contracts', policy: JSON.stringify(policy) }
    const { body } = await new stsSdk.default(config).assumeRole(new stsSdk.AssumeRoleRequest(request))
    const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = body?.credentials ?? {}
    return { accessKeyId, accessKeySecret, securityToken }
  }
})

describe('buckets', () => {
  // https://help.aliyun.com/zh/oss/developer-reference/deletebucket
  test('that hold something are not deleted', async () => {
    await client.put(uniqueName('held'), Buffer.from('x'))
    await expect(client.deleteBucket(bucket)).rejects.toMatchObject({ status: 409, code: 'BucketNotEmpty' })
  })

  // https://help.aliyun.com/zh/oss/developer-reference/putbucketversioning
  test('with versions keep what was overwritten and deleted', async () => {
    const name = uniqueName('versions')
    const own = connect('V4') as Client & Versioned
    await own.putBucket(name)
    own.useBucket(name)
    await own.putBucketVersioning(name, 'Enabled')
    const key = 'k'
    const first = (await own.put(key, Buffer.from('1'))).res.headers as Record<string, string>
    const versionId = first['x-oss-version-id']
    expect(versionId).toBeTruthy()
    await own.put(key, Buffer.from('2'))
    await own.delete(key)
    await expect(own.get(key)).rejects.toMatchObject({ status: 404, code: 'NoSuchKey' })
    expect((await own.get(key, { versionId } as object)).content.toString()).toBe('1')
    const { objects, deleteMarker } = await own.getBucketVersions({ 'max-keys': 100 })
    expect([objects?.length, deleteMarker?.length]).toEqual([2, 1])
    await expect(own.deleteBucket(name)).rejects.toMatchObject({ code: 'BucketNotEmpty' })
    for (const one of [...(objects ?? []), ...(deleteMarker ?? [])]) {
      await own.delete(key, { versionId: one.versionId } as object)
    }
    await own.deleteBucket(name)
  })
})

/** What the published types of the client leave out. */
interface Versioned {
  putBucketVersioning(bucket: string, status: 'Enabled' | 'Suspended'): Promise<unknown>
  getBucketVersions(
    query: object,
  ): Promise<{ objects?: { versionId: string }[]; deleteMarker?: { versionId: string }[] }>
}

// https://help.aliyun.com/zh/oss/developer-reference/appendobject
test('bytes are appended at the end only', async () => {
  const key = uniqueName('append')
  const first = await client.append(key, Buffer.from('one'))
  expect(String(first.nextAppendPosition)).toBe('3')
  const wrong = client.append(key, Buffer.from('x'), { position: '1' })
  await expect(wrong).rejects.toMatchObject({ status: 409, code: 'PositionNotEqualToLength' })
  await client.append(key, Buffer.from('two'), { position: '3' })
  expect((await client.get(key)).content.toString()).toBe('onetwo')
  const { res } = await client.head(key)
  expect((res.headers as Record<string, string>)['x-oss-object-type']).toBe('Appendable')
})

// The SDK of Go writes a space in a key as `+`.
test('a plus in a path is a space, unless it is encoded', async () => {
  const prefix = uniqueName('plus')
  await client.put(`${prefix} a`, Buffer.from('space'))
  await client.put(`${prefix}+a`, Buffer.from('plus'))
  const url = await client.signatureUrlV4('GET', 60, {}, `${prefix} a`)
  expect(await (await fetch(url.replace('%20a', '+a'))).text()).toBe('space')
})
