import { createHash, createHmac, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { flip, type Keys, type RawRequest, send } from './raw.ts'
import { inChunks, type Signing, send4, sha256, signed2, timeNow, url4 } from './s3-signer.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const newPath = () => `/${BUCKET}/s3/${randomUUID()}`
const call = (request: RawRequest, signing?: Signing, keys: Keys = oss.credentials) =>
  send4(oss.service.port, keys, { ...request, headers: { host: 'localhost', ...request.headers } }, signing)
const raw = (request: RawRequest) =>
  send(oss.service.port, { ...request, headers: { host: 'localhost', ...request.headers } })
const put = (path: string, body = 'hello', headers: Record<string, string> = {}) =>
  call({ method: 'PUT', path, body, headers })

describe('a request that is signed with version 4 of Amazon', () => {
  test('stores and reads an object, and is answered in headers of S3', async () => {
    const path = newPath()
    const stored = await put(path, 'hello', { 'x-amz-meta-uid': '1', 'content-type': 'text/plain' })
    expect(stored).toMatchObject({ status: 200, headers: { etag: '"5D41402ABC4B2A76B9719D911017C592"' } })
    const read = await call({ path })
    expect(read.text).toBe('hello')
    expect(read.headers).toMatchObject({ 'x-amz-meta-uid': '1', 'x-amz-storage-class': 'STANDARD' })
    expect(read.headers['x-amz-request-id']).toMatch(/^[0-9A-F]{24}$/)
    expect(read.headers).not.toHaveProperty('x-oss-request-id')
    expect(read.headers).not.toHaveProperty('x-oss-meta-uid')
  })

  test('sees what clients of the service store, and the other way round', async () => {
    const key = `s3/${randomUUID()}`
    await oss.client('V4').put(key, Buffer.from('own'), { meta: { uid: 1, pid: 2 } })
    expect((await call({ path: `/${BUCKET}/${key}` })).headers).toMatchObject({ 'x-amz-meta-uid': '1' })
    await put(`/${BUCKET}/${key}`, 'amazon', { 'x-amz-meta-uid': '3' })
    expect((await oss.client('V4').head(key)).meta).toMatchObject({ uid: '3' })
  })

  test.each(['us-east-1', 'oss-cn-hangzhou', 'cn-hangzhou', 'auto'])('may be for the region %s', async (region) => {
    expect((await call({ path: `/${BUCKET}` }, { region })).status).toBe(200)
  })

  test('may have the bucket in the host, with S3 in its name or without', async () => {
    const key = `s3-${randomUUID()}`
    await put(`/${BUCKET}/${key}`)
    for (const host of [`${BUCKET}.localhost`, `${BUCKET}.s3.localhost`, `${BUCKET}.s3.oss-cn-hangzhou.aliyuncs.com`]) {
      expect(await call({ path: `/${key}`, headers: { host } })).toMatchObject({ status: 200, text: 'hello' })
    }
    const host = 's3.oss-cn-hangzhou.aliyuncs.com'
    expect((await call({ path: '/', headers: { host } })).text).toContain(`<Name>${BUCKET}</Name>`)
  })

  test('is refused with the text that should have been signed', async () => {
    const answer = await call({ path: newPath() }, { spoil: flip })
    expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
    expect(answer.text).toContain('<StringToSign>AWS4-HMAC-SHA256\n')
    expect(answer.headers).toMatchObject({ 'x-oss-ec': '0002-00000429' })
  })

  test('must sign all x-amz- headers', async () => {
    const unsigned = { 'x-amz-acl': 'public-read' }
    const answer = await call({ method: 'PUT', path: newPath(), body: 'x' }, { unsigned })
    expect(answer).toMatchObject({ code: 'SignatureDoesNotMatch', headers: { 'x-oss-ec': '0002-00000431' } })
  })

  test.each([
    ['a clock that is off', { time: timeNow(Date.now() - 16 * 60_000) }, 'RequestTimeTooSkewed', 403],
    ['another service', { service: 'ec2' }, 'InvalidArgument', 400],
    ['no time at all', { time: 'now' }, 'InvalidArgument', 400],
    ['a hash that is none', { content: 'abc' }, 'InvalidArgument', 400],
    ['the hash of something on a GET', { content: sha256('x') }, 'InvalidArgument', 400],
  ])('is refused with %s', async (_, signing, code, status) => {
    expect(await call({ path: newPath() }, signing)).toMatchObject({ code, status })
  })

  test.each([
    ['AWS4-ECDSA-P256-SHA256 Credential=a', 'InvalidArgument'],
    ['AWS4-HMAC-SHA256 Credential=a/b/c', 'InvalidArgument'],
    ['AWS4-HMAC-SHA256 ', 'InvalidArgument'],
    ['AWS nonsense', 'InvalidArgument'],
    ['AWS LTAIaccount:c2lnbmF0dXJl', 'SignatureDoesNotMatch'],
    ['AWS unknown:c2lnbmF0dXJl', 'InvalidAccessKeyId'],
  ])('is refused with the Authorization %s', async (authorization, code) => {
    const headers = { authorization, date: new Date().toUTCString() }
    expect(await raw({ path: `/${BUCKET}/x`, headers })).toMatchObject({ code })
  })

  test('is refused when the body is not what was signed, and nothing is kept', async () => {
    const path = newPath()
    const answer = await call({ method: 'PUT', path, body: 'hello' }, { content: sha256('other') })
    expect(answer).toMatchObject({ code: 'InvalidArgument', headers: { 'x-oss-ec': '0002-00000427' } })
    expect((await call({ path })).code).toBe('NoSuchKey')
  })

  test('need not cover the body', async () => {
    const path = newPath()
    expect((await call({ method: 'PUT', path, body: 'x' }, { content: 'UNSIGNED-PAYLOAD' })).status).toBe(200)
  })

  test('comes from a session, and only as far as its policy goes', async () => {
    const policy = JSON.stringify({
      Version: '1',
      Statement: [{ Effect: 'Allow', Action: 'oss:PutObject', Resource: `acs:oss:*:*:${BUCKET}/s3/*` }],
    })
    const session = oss.credentials.issue({ role: 'r', sessionName: 's', policy, durationSeconds: 900 })
    const path = newPath()
    expect((await call({ method: 'PUT', path, body: 'x' }, {}, session)).status).toBe(200)
    expect(await call({ path }, {}, session)).toMatchObject({ status: 403, code: 'AccessDenied' })
    const { accessKeyId, accessKeySecret } = session
    const without = await call({ path }, {}, { accessKeyId, accessKeySecret })
    expect(without.code).toBe('InvalidAccessKeyId')
  })
})

describe('a body in signed chunks', () => {
  const chunks = [Buffer.alloc(70_000, 'a'), Buffer.alloc(1_000, 'b'), Buffer.from('end')]
  const request = (path: string): RawRequest => ({ method: 'PUT', path, headers: { host: 'localhost' } })

  test('is stored without what is around the chunks', async () => {
    const path = newPath()
    const sent = inChunks(oss.credentials, request(path), chunks)
    expect((await raw(sent)).status).toBe(200)
    const read = await call({ path })
    expect(read.body.equals(Buffer.concat(chunks))).toBe(true)
    expect(read.headers).not.toHaveProperty('content-encoding')
  })

  test('keeps the encoding of the object itself', async () => {
    const path = newPath()
    const headers = { host: 'localhost', 'content-encoding': 'aws-chunked,gzip' }
    await raw(inChunks(oss.credentials, { method: 'PUT', path, headers }, [Buffer.from('x')]))
    expect((await call({ path })).headers['content-encoding']).toBe('gzip')
  })

  test('may leave out the last line end', async () => {
    const sent = inChunks(oss.credentials, request(newPath()), chunks, (body) => body.slice(0, -2))
    expect((await raw(sent)).status).toBe(200)
  })

  test.each<[string, (body: string) => string, string]>([
    ['another byte in the first', (body) => body.replace('aaaaaaaa', 'aaaabaaa'), 'SignatureDoesNotMatch'],
    ['another byte in the second', (body) => body.replace('bbbbbbbb', 'bbbbcbbb'), 'SignatureDoesNotMatch'],
    ['another signature', (body) => body.replace(/signature=./, 'signature=g'), 'InvalidArgument'],
    ['no end', (body) => body.slice(0, body.lastIndexOf('0;chunk')), 'InvalidArgument'],
    ['more after its end', (body) => `${body}1;chunk-signature=${'0'.repeat(64)}\r\nx\r\n`, 'InvalidArgument'],
    ['no line ends', (body) => body.replaceAll('\r\n', ''), 'InvalidArgument'],
    ['no chunks', () => 'hello', 'InvalidArgument'],
    ['nothing', () => '', 'InvalidArgument'],
    ['a chunk without an end', (body) => body.slice(0, 50_000), 'InvalidArgument'],
  ])('is refused with %s, and nothing is kept', async (_, change, code) => {
    const path = newPath()
    const answer = await raw(inChunks(oss.credentials, request(path), chunks, change))
    expect(answer.code).toBe(code)
    if (code === 'SignatureDoesNotMatch') expect(answer.headers['x-oss-ec']).toBe('0002-00000430')
    expect((await call({ path })).code).toBe('NoSuchKey')
  })

  test.each(['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'])(
    'is refused as %s',
    async (content) => {
      const headers = { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '5' }
      const answer = await call({ method: 'PUT', path: newPath(), body: 'hello', headers }, { content })
      expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument', headers: { 'x-oss-ec': '0017-00000804' } })
      expect(answer.text).toContain(
        'aws-chunked encoding is not supported with the specified x-amz-content-sha256 value.',
      )
    },
  )
})

describe('a signed URL of Amazon', () => {
  test('reads, writes and overrides headers', async () => {
    const path = newPath()
    expect((await raw({ method: 'PUT', path: url4(oss.credentials, { method: 'PUT', path }), body: 'x' })).status).toBe(
      200,
    )
    const read = await raw({ path: url4(oss.credentials, { path: `${path}?response-content-type=text%2Fhtml` }) })
    expect(read).toMatchObject({ text: 'x', headers: { 'content-type': 'text/html' } })
  })

  test('carries headers as parameters', async () => {
    const path = newPath()
    const url = url4(oss.credentials, { method: 'PUT', path }, (given) => ({ ...given, 'x-amz-acl': 'public-read' }))
    expect((await raw({ method: 'PUT', path: url, body: 'x' })).status).toBe(200)
    expect((await raw({ path })).text).toBe('x')
  })

  test('ends when it says', async () => {
    const clock = await openOss()
    onTestFinished(() => clock.close())
    const path = url4(clock.credentials, { path: `/${BUCKET}/x` })
    clock.advance(601_000)
    const answer = await send(clock.service.port, { path, headers: { host: 'localhost' } })
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' })
    expect(answer.text).toContain('Request has expired.')
  })

  test.each([
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA1', '0002-00000411'],
    ['X-Amz-Algorithm', '', '0002-00000410'],
    ['X-Amz-Credential', '', '0002-00000412'],
    ['X-Amz-Credential', 'LTAIaccount/us-east-1/s3/aws4_request', '0002-00000413'],
    ['X-Amz-Credential', 'LTAIaccount/20221220/us-east-1/s3/aws4', '0002-00000425'],
    ['X-Amz-Date', '2022-12-20-08:48:18', '0002-00000415'],
    ['X-Amz-Expires', '', '0002-00000416'],
    ['X-Amz-Expires', 'abc', '0002-00000417'],
    ['X-Amz-Expires', '604801', '0002-00000417'],
    ['X-Amz-SignedHeaders', '', '0002-00000419'],
    ['X-Amz-Signature', 'abc', '0002-00000423'],
  ])('is refused with %s=%s', async (name, value, number) => {
    const path = url4(oss.credentials, { path: newPath() }, (given) => ({ ...given, [name]: value }))
    const answer = await raw({ path })
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument', headers: { 'x-oss-ec': number } })
  })

  test('of version 2 reads the object, and is refused when it is another', async () => {
    const path = newPath()
    await put(path)
    const expires = Math.floor(Date.now() / 1000) + 60
    const sign = (resource: string) =>
      createHmac('sha1', oss.credentials.accessKeySecret).update(`GET\n\n\n${expires}\n${resource}`).digest('base64')
    const url = (signature: string, at = path) =>
      `${at}?AWSAccessKeyId=${oss.credentials.accessKeyId}&Expires=${expires}&Signature=${encodeURIComponent(signature)}`
    expect(await raw({ path: url(sign(path)) })).toMatchObject({ status: 200, text: 'hello' })
    const refused = await raw({ path: url(sign(path), `${path}x`) })
    expect(refused).toMatchObject({ code: 'SignatureDoesNotMatch', headers: { 'x-oss-ec': '0002-00000307' } })
    expect((await raw({ path: `${path}?AWSAccessKeyId=x&Signature=y` })).code).toBe('AccessDenied')
  })
})

describe('a request that is signed with version 2 of Amazon', () => {
  test('stores and reads, with the bucket in the path or in the host', async () => {
    const key = `s3-${randomUUID()}`
    const headers = { 'x-amz-meta-uid': '2', 'x-amz-date': new Date().toUTCString() }
    const path = `/${BUCKET}/${key}`
    const stored = await raw(signed2(oss.credentials, { method: 'PUT', path, body: 'two', headers }, path))
    expect(stored.status).toBe(200)
    const host = `${BUCKET}.localhost`
    const read = await raw(signed2(oss.credentials, { path: `/${key}`, headers: { host } }, path))
    expect(read).toMatchObject({ text: 'two', headers: { 'x-amz-meta-uid': '2' } })
    expect((await raw(signed2(oss.credentials, { path: `/${BUCKET}?acl` }, `/${BUCKET}/?acl`))).status).toBe(200)
  })
})

describe('documents of S3', () => {
  const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

  test('are in its namespace and have its storage classes', async () => {
    const path = newPath()
    await put(path, 'x', { 'x-amz-storage-class': 'STANDARD_IA' })
    const listed = await call({ path: `/${BUCKET}?list-type=2&prefix=${path.slice(BUCKET.length + 2)}` })
    expect(listed.text).toContain(`<ListBucketResult ${NAMESPACE}>`)
    expect(listed.text).toContain('<StorageClass>STANDARD_IA</StorageClass>')
    expect((await oss.client('V4').head(path.slice(BUCKET.length + 2))).res.headers).toMatchObject({
      'x-oss-storage-class': 'IA',
    })
  })

  test('make a bucket in the region that is signed for, and in no other', async () => {
    const body = (location: string) =>
      `<CreateBucketConfiguration ${NAMESPACE}><LocationConstraint>${location}</LocationConstraint></CreateBucketConfiguration>`
    for (const location of ['cn-hangzhou', 'oss-cn-hangzhou']) {
      const path = `/s3-${randomUUID()}`
      expect((await call({ method: 'PUT', path, body: body(location) })).status).toBe(200)
      expect((await call({ path: `${path}?location` })).text).toContain('>oss-cn-hangzhou</LocationConstraint>')
      expect((await call({ method: 'HEAD', path })).headers['x-amz-bucket-region']).toBe('oss-cn-hangzhou')
    }
    const refused = await call({ method: 'PUT', path: `/s3-${randomUUID()}`, body: body('eu-west-1') })
    expect(refused.code).toBe('InvalidLocationConstraint')
  })

  test.each([
    ['private', 0],
    ['public-read', 1],
    ['public-read-write', 2],
  ])('spell out the ACL %s, and set it', async (acl, others) => {
    const path = newPath()
    await put(path)
    expect((await call({ method: 'PUT', path: `${path}?acl`, headers: { 'x-amz-acl': acl } })).status).toBe(200)
    const told = await call({ path: `${path}?acl` })
    expect(told.text.match(/AllUsers/g) ?? []).toHaveLength(others)
    await call({ method: 'PUT', path: `${path}?acl`, headers: { 'x-amz-acl': 'private' } })
    expect((await call({ method: 'PUT', path: `${path}?acl`, body: told.text })).status).toBe(200)
    expect((await call({ path: `${path}?acl` })).text).toBe(told.text)
  })

  test('of grants that the service has no word for are refused', async () => {
    const path = newPath()
    await put(path)
    const grant = '<Grant><Grantee><ID>somebody</ID></Grantee><Permission>READ</Permission></Grant>'
    const body = `<AccessControlPolicy><AccessControlList>${grant}</AccessControlList></AccessControlPolicy>`
    expect(await call({ method: 'PUT', path: `${path}?acl`, body })).toMatchObject({
      status: 501,
      code: 'NotImplemented',
    })
    expect((await call({ method: 'PUT', path: `${path}?acl`, body: '<Acc' })).code).toBe('MalformedXML')
  })

  test('set rules for what is old', async () => {
    const path = `/s3-${randomUUID()}`
    await call({ method: 'PUT', path })
    const rule = [
      '<ID>old</ID><Status>Enabled</Status><Filter><And><Prefix>tmp/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>',
      '<Transition><Days>10</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>30</Days></Expiration>',
      '</Rule><Rule><ID>unfinished</ID><Status>Enabled</Status><Filter><Prefix>new/</Prefix></Filter>',
      '<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>',
    ].join('')
    const body = `<LifecycleConfiguration ${NAMESPACE}><Rule>${rule}</Rule></LifecycleConfiguration>`
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    expect((await call({ method: 'PUT', path: `${path}?lifecycle`, body, headers })).status).toBe(200)
    const { text } = await call({ path: `${path}?lifecycle` })
    const told = text.replace(/>\s+</g, '><')
    expect(told).toContain('<And><Prefix>tmp/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>')
    expect(told).toContain('<StorageClass>GLACIER</StorageClass>')
    expect(told).toContain('<Filter><Prefix>new/</Prefix></Filter>')
    expect(told).toContain('<DaysAfterInitiation>3</DaysAfterInitiation>')
    const wrong = { 'content-md5': createHash('md5').update('other').digest('base64') }
    expect((await call({ method: 'PUT', path: `${path}?lifecycle`, body, headers: wrong })).code).toBe('InvalidDigest')
  })
})

describe('what S3 has and the service has not', () => {
  test.each([
    ['GET', '?object-lock', {}],
    ['GET', '?accelerate', {}],
    ['PUT', '?notification', {}],
    ['GET', '/key?torrent', {}],
    ['GET', '/key?attributes', {}],
    ['POST', '/key?select&select-type=2', {}],
    ['PUT', '/key', { 'x-amz-object-lock-mode': 'GOVERNANCE' }],
    ['PUT', '/key', { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' }],
    ['PUT', '/key', { 'x-amz-website-redirect-location': '/elsewhere' }],
    ['PUT', '/key', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }],
    ['GET', '?encryption', {}],
    ['GET', '?bucketInfo', {}],
  ])('is not implemented: %s %s %j', async (method, rest, headers: Record<string, string>) => {
    const answer = await call({ method, path: `/${BUCKET}${rest}`, headers })
    expect(answer).toMatchObject({ status: 501, code: 'NotImplemented' })
  })

  test.each([
    [{ 'x-amz-storage-class': 'DEEP_ARCHIVE' }, 'InvalidArgument'],
    [{ 'x-amz-acl': 'bucket-owner-full-control' }, 'InvalidArgument'],
    [{ 'x-amz-expected-bucket-owner': '999' }, 'AccessDenied'],
  ])('is refused: %j', async (headers: Record<string, string>, code) => {
    expect((await put(newPath(), 'x', headers)).code).toBe(code)
  })

  test('video is not processed for S3 clients', async () => {
    const answer = await call({ path: `/${BUCKET}/clip.mp4?x-oss-process=video/snapshot,t_0,f_jpg` })
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  test('several objects are not deleted without the sum of the list', async () => {
    const body = '<Delete><Object><Key>x</Key></Object></Delete>'
    const path = `/${BUCKET}?delete`
    expect((await call({ method: 'POST', path, body })).code).toBe('MissingArgument')
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    expect((await call({ method: 'POST', path, body, headers })).text).toContain('<Key>x</Key>')
  })
})

test.each(['4', '2'])('takes a form that is signed with version %s of Amazon', async (version) => {
  const key = `s3/${randomUUID()}`
  const { accessKeyId, accessKeySecret } = oss.credentials
  const time = timeNow()
  const scope = [time.slice(0, 8), 'cn-hangzhou', 's3', 'aws4_request']
  const signing = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': [accessKeyId, ...scope].join('/'),
    'x-amz-date': time,
  }
  const fields: Record<string, string> = { key, 'x-amz-meta-uid': '1', ...(version === '4' ? signing : {}) }
  const conditions = Object.entries({ ...fields, bucket: BUCKET }).map(([name, value]) => ({ [name]: value }))
  const expiration = new Date(Date.now() + 60_000).toISOString()
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64')
  const derived = scope.reduce<string | Buffer>(
    (last, step) => createHmac('sha256', last).update(step).digest(),
    `AWS4${accessKeySecret}`,
  )
  const four = { 'x-amz-signature': createHmac('sha256', derived).update(policy).digest('hex') }
  const two = {
    AWSAccessKeyId: accessKeyId,
    signature: createHmac('sha1', accessKeySecret).update(policy).digest('base64'),
  }
  const send = async (more: Record<string, string>) => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ ...fields, policy, ...more })) form.append(name, value)
    form.append('file', new Blob(['by form']))
    return await fetch(`${oss.service.url}/${BUCKET}`, { method: 'POST', body: form })
  }
  const right: Record<string, string> = version === '4' ? four : two
  const wrong = Object.fromEntries(
    Object.entries(right).map(([name, value]) => [name, /ignature/.test(name) ? flip(value) : value]),
  )
  expect((await send(wrong)).status).toBe(403)
  expect((await send(right)).status).toBe(204)
  const read = await call({ path: `/${BUCKET}/${key}` })
  expect(read).toMatchObject({ text: 'by form', headers: { 'x-amz-meta-uid': '1' } })
})

test('copies by the headers of S3', async () => {
  const source = newPath()
  await put(source, 'hello', { 'x-amz-meta-uid': '1' })
  const path = newPath()
  const from = { 'x-amz-copy-source': encodeURIComponent(source.slice(1)) }
  const copied = await call({ method: 'PUT', path, headers: from })
  expect(copied.text).toContain('<CopyObjectResult xmlns=')
  expect((await call({ method: 'HEAD', path })).headers['x-amz-meta-uid']).toBe('1')
  const replaced = { ...from, 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-uid': '2' }
  await call({ method: 'PUT', path, headers: replaced })
  expect((await call({ method: 'HEAD', path })).headers['x-amz-meta-uid']).toBe('2')
  const unless = { ...from, 'x-amz-copy-source-if-none-match': '"5D41402ABC4B2A76B9719D911017C592"' }
  expect((await call({ method: 'PUT', path, headers: unless })).status).toBe(304)
})

test('tells versions and delete markers by the headers of S3', async () => {
  const bucket = `/s3-${randomUUID()}`
  await call({ method: 'PUT', path: bucket })
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  await call({ method: 'PUT', path: `${bucket}?versioning`, body })
  const version = (await put(`${bucket}/x`)).headers['x-amz-version-id']
  expect((await call({ method: 'DELETE', path: `${bucket}/x` })).headers['x-amz-delete-marker']).toBe('true')
  expect((await call({ path: `${bucket}/x` })).headers['x-amz-delete-marker']).toBe('true')
  expect((await call({ path: `${bucket}/x?versionId=${version}` })).text).toBe('hello')
})

test('restores what is archived for a day, however long it is asked for', async () => {
  const path = newPath()
  await put(path, 'x', { 'x-amz-storage-class': 'GLACIER' })
  expect((await call({ path })).code).toBe('InvalidObjectState')
  const body = '<RestoreRequest><Days>1000</Days></RestoreRequest>'
  expect((await call({ method: 'POST', path: `${path}?restore`, body })).status).toBe(202)
  expect((await call({ method: 'HEAD', path })).headers['x-amz-restore']).toBe('ongoing-request="true"')
})
