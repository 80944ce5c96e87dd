import { createHmac, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { type RawRequest, send, sendSigned } from './raw.ts'

/*
 * What the suites of the vendor's SDKs for Java, PHP, Python, C++ and Go assert and no other test here looks at.
 */

let oss: OpenOss
let bucket: string
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())
beforeEach(async () => {
  bucket = `suites-${randomUUID()}`
  await oss.client('V4').putBucket(bucket)
})

const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}
const put = (path: string, body: string, headers: Record<string, string> = {}) =>
  signed({ method: 'PUT', path: `/${bucket}/${path}`, body, headers })
const get = (path: string) => signed({ path: `/${bucket}/${path}` })

describe('the name of a bucket that belongs to another account', () => {
  test.each([
    ['GET', '/oss/'],
    ['GET', '/oss/?acl'],
    ['GET', '/oss/?logging'],
    ['DELETE', '/oss/'],
    ['PUT', '/oss/key'],
    ['POST', '/oss/?delete'],
  ])('is not ours to %s %s', async (method, path) => {
    expect(await signed({ method, path })).toMatchObject({ status: 403, code: 'AccessDenied' })
  })

  test('cannot be taken', async () => {
    expect(await signed({ method: 'PUT', path: '/oss/' })).toMatchObject({ status: 409, code: 'BucketAlreadyExists' })
  })
})

test('a bucket with an underscore is missing when it is read and invalid when it is made', async () => {
  expect(await signed({ path: '/old_bucket/?bucketInfo' })).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  expect(await signed({ method: 'PUT', path: '/old_bucket/' })).toMatchObject({
    status: 400,
    code: 'InvalidBucketName',
  })
})

describe('making a bucket', () => {
  const make = (body: string, headers: Record<string, string> = {}) => {
    bucket = `suites-${randomUUID()}`
    return put('', body, headers)
  }

  test('takes its own region and no other', async () => {
    const body = (region: string) =>
      `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`
    expect(await make(body('oss-cn-hangzhou'))).toMatchObject({ status: 200 })
    const refused = await make(body('oss-ap-southeast-1'))
    expect(refused).toMatchObject({ status: 400, code: 'InvalidLocationConstraint' })
    expect(refused.text).toContain('<Message>The specified location-constraint is not valid')
  })

  test('sets its default encryption by headers', async () => {
    const headers = { 'x-oss-server-side-encryption': 'KMS', 'x-oss-server-side-data-encryption': 'SM4' }
    expect(await make('', headers)).toMatchObject({ status: 200 })
    const { text } = await get('?encryption')
    expect(text).toContain('<SSEAlgorithm>KMS</SSEAlgorithm>')
    expect(text).toContain('<KMSDataEncryption>SM4</KMSDataEncryption>')
  })

  test('cannot change the class of one that is there', async () => {
    const body = '<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>'
    const refused = await put('', body)
    expect(refused).toMatchObject({ status: 409, code: 'BucketAlreadyExists' })
    expect(refused.text).toContain('Cannot modify existing bucket&apos;s storage class.')
  })
})

test('a bucket that is not empty says so in the words of the service', async () => {
  await put('key', 'x')
  const { text } = await signed({ method: 'DELETE', path: `/${bucket}/` })
  expect(text).toContain('<Message>The bucket has objects. Please delete them first.</Message>')
})

test('a redirection of a website goes to another place unless it says what it is', async () => {
  const rule = (number: number, condition: string, redirect: string) =>
    `<RoutingRule><RuleNumber>${number}</RuleNumber><Condition><HttpErrorCodeReturnedEquals>${condition}</HttpErrorCodeReturnedEquals></Condition><Redirect>${redirect}</Redirect></RoutingRule>`
  const website = (rules: string) =>
    `<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><RoutingRules>${rules}</RoutingRules></WebsiteConfiguration>`
  const host = '<HostName>oss.aliyuncs.com</HostName>'
  expect(await put('?website', website(rule(5, '403', host)))).toMatchObject({ status: 200 })
  expect((await get('?website')).text).toContain(`<Redirect><RedirectType>External</RedirectType>${host}</Redirect>`)
  const mirror = '<RedirectType>Mirror</RedirectType><MirrorURL>http://a.test/</MirrorURL>'
  expect(await put('?website', website(rule(1, '404', mirror)))).toMatchObject({ status: 200 })
  expect(await put('?website', website(rule(1, '403', mirror)))).toMatchObject({ status: 400, code: 'InvalidArgument' })
})

describe('the capacity of a bucket', () => {
  const capacity = (value: number) =>
    put('?qos', `<BucketUserQos><StorageCapacity>${value}</StorageCapacity></BucketUserQos>`)

  test('has no limit until one is set', async () => {
    expect((await get('?qos')).text).toContain('<StorageCapacity>-1</StorageCapacity>')
    expect(await capacity(1000)).toMatchObject({ status: 200 })
    expect((await get('?qos')).text).toContain('<StorageCapacity>1000</StorageCapacity>')
    expect(await put('key', 'x')).toMatchObject({ status: 200 })
    expect(await capacity(-2)).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  test('is kept to', async () => {
    await capacity(0)
    const refused = await put('key', 'x')
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('<Message>Bucket storage exceed max storage capacity.</Message>')
    await capacity(-1)
    expect(await put('key', 'x')).toMatchObject({ status: 200 })
  })
})

describe('flow control', () => {
  const qos = (fields: Record<string, number>) => {
    const inner = Object.entries(fields).map(([name, value]) => `<${name}>${value}</${name}>`)
    return put('?qosInfo', `<QoSConfiguration>${inner.join('')}</QoSConfiguration>`)
  }

  test('of the account is told', async () => {
    const { text } = await signed({ path: '/?qosInfo' })
    expect(text).toContain('<Region>oss-cn-hangzhou</Region>')
    expect(text).toContain('<TotalUploadBandwidth>10</TotalUploadBandwidth>')
    expect(text).toContain('<ExtranetQps>-1</ExtranetQps>')
  })

  test('of a bucket is set, told in full and removed', async () => {
    expect(await get('?qosInfo')).toMatchObject({ status: 404, code: 'NoSuchBucketQosInfo' })
    expect(await qos({ TotalUploadBandwidth: -1, IntranetUploadBandwidth: 2 })).toMatchObject({ status: 200 })
    const { text } = await get('?qosInfo')
    expect(text).toContain('<IntranetUploadBandwidth>2</IntranetUploadBandwidth>')
    expect(text.match(/-1/g)).toHaveLength(8)
    expect(await signed({ method: 'DELETE', path: `/${bucket}/?qosInfo` })).toMatchObject({ status: 204 })
    expect(await get('?qosInfo')).toMatchObject({ status: 404 })
  })

  test.each([
    ['more than the account has', { TotalUploadBandwidth: 11 }],
    ['a part above the total', { TotalQps: 100, ExtranetQps: 101 }],
    ['a part above the account', { IntranetDownloadBandwidth: 11 }],
    ['less than none', { TotalQps: -2 }],
  ])('refuses %s', async (_name, fields) => {
    expect(await qos(fields)).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })
})

test.each([
  [
    '?comp=callback&policy',
    '<BucketCallbackPolicy><PolicyItem><PolicyName>first</PolicyName><Callback>e30=</Callback><CallbackVar></CallbackVar></PolicyItem></BucketCallbackPolicy>',
    'NoSuchBucketCallbackPolicy',
  ],
  [
    '?userDefinedLogFieldsConfig',
    '<UserDefinedLogFieldsConfiguration><HeaderSet><header>header1</header></HeaderSet></UserDefinedLogFieldsConfiguration>',
    'NoSuchUserDefinedLogFieldsConfig',
  ],
])('the setting %s is kept and removed', async (query, document, missing) => {
  // Signed in the URL, since the older signature does not know every name.
  const client = oss.client('V4')
  const request = async (method: string, content?: string) => {
    const queries = Object.fromEntries(
      query
        .slice(1)
        .split('&')
        .map((pair) => [...pair.split('='), ''].slice(0, 2)),
    )
    client.useBucket(bucket)
    const url = await client.signatureUrlV4(method, 60, { queries }, '')
    const answer = await fetch(url, { method, ...(content && { body: Buffer.from(content) }) })
    return { status: answer.status, text: await answer.text() }
  }
  expect((await request('GET')).text).toContain(missing)
  expect(await request('PUT', document)).toMatchObject({ status: 200 })
  expect((await request('GET')).text).toContain(document)
  expect(await request('DELETE')).toMatchObject({ status: 204 })
  expect(await request('GET')).toMatchObject({ status: 404 })
})

test('uploads tell the end of the last page too, and nothing where there are none', async () => {
  expect((await get('?uploads')).text).not.toContain('NextKeyMarker')
  const client = oss.client('V4')
  client.useBucket(bucket)
  const { uploadId } = await client.initMultipartUpload('a/key')
  const { text } = await get('?uploads')
  expect(text).toContain('<NextKeyMarker>a/key</NextKeyMarker>')
  expect(text).toContain(`<NextUploadIdMarker>${uploadId}</NextUploadIdMarker>`)
})

test('a completed upload is told where it is by its name, not by its encoding', async () => {
  const client = oss.client('V4')
  client.useBucket(bucket)
  const { uploadId } = await client.initMultipartUpload('a b  c')
  const part = await client.uploadPart('a b  c', uploadId, 1, Buffer.from('x') as never, 0, 1)
  const eTag = (part as unknown as { etag: string }).etag
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${eTag}</ETag></Part></CompleteMultipartUpload>`
  const { text } = await signed({ method: 'POST', path: `/${bucket}/a%20b%20%20c?uploadId=${uploadId}`, body })
  expect(text).toMatch(new RegExp(`<Location>http://[^/]+/${bucket}/a b  c</Location>`))
})

test('HEAD tells of the compression that GET would do', async () => {
  await put('page.txt', 'x'.repeat(2000), { 'content-type': 'text/plain' })
  const head = (accepted: Record<string, string>) =>
    signed({ method: 'HEAD', path: `/${bucket}/page.txt`, headers: accepted })
  const compressed = await head({ 'accept-encoding': 'deflate, gzip' })
  expect(compressed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
  expect(compressed.headers['content-length']).toBeUndefined()
  expect((await head({})).headers).toMatchObject({ 'content-length': '2000' })
})

test('an append without a position lacks an argument', async () => {
  const answer = await signed({ method: 'POST', path: `/${bucket}/key?append`, body: 'x' })
  expect(answer).toMatchObject({ status: 400, code: 'MissingArgument' })
  expect(answer.text).toContain('<Message>Missing Some Required Arguments.</Message>')
})

test('a key in another encoding is refused in the words of the service', async () => {
  const answer = await send(oss.service.port, { path: `/${BUCKET}/%D6%D0%CE%C4.txt` })
  expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
  expect(answer.text).toContain('<Message>The characters encoding must be utf-8.</Message>')
})

describe('numbers of errors', () => {
  test('tell a clock that is wrong', async () => {
    const answer = await signed({
      path: `/${bucket}/?acl`,
      headers: { date: new Date(Date.now() + 3_600_000).toUTCString() },
    })
    expect(answer).toMatchObject({ status: 403, code: 'RequestTimeTooSkewed' })
    expect(answer.headers['x-oss-ec']).toBe('0002-00000504')
    expect(answer.text).toMatch(/<RequestTime>.+<\/RequestTime>[\s\S]*<ServerTime>.+<\/ServerTime>/)
  })

  test('tell a signature for another product', async () => {
    const time = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    const scope = `${oss.credentials.accessKeyId}/${time.slice(0, 8)}/cn-hangzhou/oss-cloudbox/aliyun_v4_request`
    const signature = createHmac('sha256', 'any').update(scope).digest('hex')
    const authorization = `OSS4-HMAC-SHA256 Credential=${scope},Signature=${signature}`
    const headers = { authorization, 'x-oss-date': time, 'x-oss-content-sha256': 'UNSIGNED-PAYLOAD' }
    const answer = await send(oss.service.port, { path: `/${bucket}/key`, headers })
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
    expect(answer.headers['x-oss-ec']).toBe('0002-00000227')
    expect(answer.text).toContain('<Message>Invalid signing product in Authorization header.</Message>')
  })
})

describe('with a key that does not exist', () => {
  const asked = (method: string, path: string) => {
    const strange = { accessKeyId: 'unknown', accessKeySecret: oss.credentials.accessKeySecret }
    return sendSigned(oss.service.port, strange, { method, path })
  }

  test.each([
    ['GET', '?acl'],
    ['GET', ''],
    ['GET', '?bucketInfo'],
    ['PUT', '?lifecycle'],
    ['PUT', 'key'],
  ])('a missing bucket is missing to %s /%s', async (method, path) => {
    expect(await asked(method, `/missing-${randomUUID()}/${path}`)).toMatchObject({ status: 404, code: 'NoSuchBucket' })
    expect(await asked(method, `/${bucket}/${path}`)).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' })
  })

  test.each(['', '?acl'])('no bucket is made by PUT /%s', async (path) => {
    const answer = await asked('PUT', `/missing-${randomUUID()}/${path}`)
    expect(answer).toMatchObject({ status: 403, code: 'InvalidAccessKeyId' })
  })
})

test('a rule of CORS has its headers in small letters, and may expose names that are none', async () => {
  const rule = `<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>X-Oss-Test</AllowedHeader>`
  const cors = (expose: string) =>
    put(
      '?cors',
      `<CORSConfiguration><CORSRule>${rule}<ExposeHeader>${expose}</ExposeHeader></CORSRule></CORSConfiguration>`,
    )
  expect(await cors('|K+k~ wJIC')).toMatchObject({ status: 200 })
  expect((await get('?cors')).text).toContain('<AllowedHeader>x-oss-test</AllowedHeader>')
  const preflight = await send(oss.service.port, {
    method: 'OPTIONS',
    path: `/${bucket}/key`,
    headers: {
      origin: 'http://a.example',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'X-Oss-Test',
    },
  })
  expect(preflight.headers).toMatchObject({
    'access-control-allow-headers': 'X-Oss-Test',
    'access-control-expose-headers': '|K+k~ wJIC',
  })
  expect(await cors('*')).toMatchObject({ status: 400, code: 'InvalidArgument' })
  expect(await cors('a\nb: c')).toMatchObject({ status: 400, code: 'InvalidArgument' })
})

describe('a restored object', () => {
  const post = (action: string) => signed({ method: 'POST', path: `/${bucket}/cold?${action}` })

  test('can be sent back before its time', async () => {
    await put('cold', 'x', { 'x-oss-storage-class': 'Archive' })
    expect(await post('cleanRestoredObject')).toMatchObject({ status: 409, code: 'ArchiveRestoreFileStale' })
    expect(await post('restore')).toMatchObject({ status: 202 })
    expect(await post('cleanRestoredObject')).toMatchObject({ status: 409, code: 'ArchiveRestoreNotFinished' })
    oss.advance(60_000)
    expect(await get('cold')).toMatchObject({ status: 200, text: 'x' })
    expect(await post('cleanRestoredObject')).toMatchObject({ status: 200 })
    expect(await get('cold')).toMatchObject({ status: 403, code: 'InvalidObjectState' })
    expect(await post('cleanRestoredObject')).toMatchObject({ status: 409, code: 'ArchiveRestoreFileStale' })
  })

  test('has to be of a class that is restored', async () => {
    await put('cold', 'x')
    expect(await post('cleanRestoredObject')).toMatchObject({ status: 400, code: 'OperationNotSupported' })
  })
})

describe('rules against overwriting', () => {
  const rule = (body: string) => `<Rule><Action>forbid</Action>${body}</Rule>`
  const configure = (...rules: readonly string[]) =>
    put('?overwriteConfig', `<OverwriteConfiguration>${rules.join('')}</OverwriteConfiguration>`)

  test('keep what is there from being replaced', async () => {
    expect(await get('?overwriteConfig')).toMatchObject({ status: 404, code: 'NoSuchBucketOverwriteConfig' })
    const others = '<Principals><Principal>111</Principal></Principals>'
    await configure(rule('<Prefix>a/</Prefix><Suffix>.txt</Suffix>'), rule(`<Prefix>b/</Prefix>${others}`))
    expect((await get('?overwriteConfig')).text).toMatch(/<Rule><ID>[\w-]{36}<\/ID><Action>forbid<\/Action>/)
    for (const [key, again] of [
      ['a/1.txt', 409],
      ['a/1.jpg', 200],
      ['c/1.txt', 200],
      ['b/1.txt', 200],
    ] as const) {
      expect((await put(key, 'old')).status, key).toBe(200)
      expect((await put(key, 'new')).status, key).toBe(again)
    }
    expect(await put('a/1.txt', 'new')).toMatchObject({ code: 'FileAlreadyExists' })
    const copy = { 'x-oss-copy-source': `/${bucket}/c/1.txt` }
    expect(await put('a/1.txt', '', copy)).toMatchObject({ status: 409, code: 'FileAlreadyExists' })
    expect(await get('a/1.txt')).toMatchObject({ text: 'old' })
    expect(await signed({ method: 'DELETE', path: `/${bucket}/?overwriteConfig` })).toMatchObject({ status: 204 })
    expect(await put('a/1.txt', 'new')).toMatchObject({ status: 200 })
  })

  test('apply to whom they name', async () => {
    await configure(rule(`<Principals><Principal>${oss.credentials.accountId}</Principal></Principals>`))
    expect(await put('key', 'old')).toMatchObject({ status: 200 })
    expect(await put('key', 'new')).toMatchObject({ status: 409, code: 'FileAlreadyExists' })
  })

  test.each([
    ['no rule', []],
    ['another action', ['<Rule><Action>allow</Action></Rule>']],
    ['a prefix that is too long', [rule(`<Prefix>${'x'.repeat(1024)}</Prefix>`)]],
    ['the same ID twice', [rule('<ID>1</ID>'), rule('<ID>1</ID>')]],
  ])('are refused with %s', async (_name, rules) => {
    expect(await configure(...rules)).toMatchObject({ status: 400 })
    expect(await get('?overwriteConfig')).toMatchObject({ status: 404 })
  })
})

test.each([
  ['PUT', 'key?retention'],
  ['PUT', 'key?legalHold'],
  ['PUT', '?objectWorm'],
  ['DELETE', '?quota'],
  ['DELETE', '?metadataConfiguration'],
  ['POST', '?redundancyTransition'],
])('%s /%s is not taken for an operation that is served', async (method, path) => {
  await put('key', 'old')
  expect(await signed({ method, path: `/${bucket}/${path}`, body: 'new' })).toMatchObject({
    status: 501,
    code: 'NotImplemented',
  })
  expect(await get('key')).toMatchObject({ text: 'old' })
})
