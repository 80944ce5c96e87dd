import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { heldIn } from './held.ts'
import { type Client, type OpenOss, openOss } from './open.ts'
import { sendSigned } from './raw.ts'

let oss: OpenOss
let client: Client
let bucket: string
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())
beforeEach(async () => {
  bucket = `versions-${randomUUID()}`
  client = oss.client('V4')
  await client.putBucket(bucket)
  client.useBucket(bucket)
})

async function enable(status = 'Enabled') {
  await client.putBucketVersioning(bucket, status)
}

async function put(key: string, text: string): Promise<string | undefined> {
  const { res } = await client.put(key, Buffer.from(text))
  return headersOf({ res })['x-oss-version-id']
}

/** The published types of results lack the headers. */
function headersOf(result: { res: object }): Record<string, string | undefined> {
  return (result.res as { headers: Record<string, string | undefined> }).headers
}

async function read(key: string, versionId?: string): Promise<string> {
  const options = versionId === undefined ? {} : { versionId }
  return (await client.get(key, undefined, options as never)).content.toString()
}

const remove = (key: string, versionId?: string) => client.delete(key, (versionId ? { versionId } : {}) as never)

test('a bucket keeps no versions until it is told to, and says so', async () => {
  expect((await client.getBucketVersioning(bucket)).versionStatus).toBeUndefined()
  expect(await put('key', 'x')).toBeUndefined()
  for (const status of ['Enabled', 'Suspended']) {
    await enable(status)
    expect((await client.getBucketVersioning(bucket)).versionStatus).toBe(status)
    expect((await client.getBucketInfo(bucket)).bucket).toMatchObject({ Versioning: status })
  }
})

test.each(['', 'Disabled', 'enabled'])('the status %j is refused', async (status) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  const body = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
  const request = { method: 'PUT', path: `/${bucket}/?versioning`, body }
  const answer = await sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
  expect(answer).toMatchObject({ status: 400, code: 'MalformedXML' })
})

describe('with versions', () => {
  beforeEach(() => enable())

  test('an overwrite keeps what was there, under the name that its put was told', async () => {
    const first = await put('key', 'one')
    const second = await put('key', 'two')
    expect(first).toMatch(/^CAEQ[A-Za-z0-9+/]{60}$/)
    expect(second).not.toBe(first)
    expect(await read('key')).toBe('two')
    expect(await read('key', first)).toBe('one')
    expect(headersOf(await client.head('key', { versionId: first } as never))).toMatchObject({
      'x-oss-version-id': first,
    })
  })

  test('what was written before is the version null', async () => {
    await enable('Suspended')
    expect(await put('key', 'null')).toBe('null')
    await enable()
    const later = await put('key', 'later')
    expect(await read('key', 'null')).toBe('null')
    await remove('key', later)
    expect(await read('key')).toBe('null')
  })

  test('a deletion hides the key behind a marker, and to delete the marker shows it again', async () => {
    const version = await put('key', 'one')
    const deleted = headersOf(await remove('key'))
    expect(deleted).toMatchObject({ 'x-oss-delete-marker': 'true' })
    const marker = deleted['x-oss-version-id']
    await expect(client.get('key')).rejects.toMatchObject({ status: 404, code: 'NoSuchKey' })
    expect(await read('key', version)).toBe('one')
    expect(headersOf(await remove('key', marker))).toMatchObject({
      'x-oss-version-id': marker,
      'x-oss-delete-marker': 'true',
    })
    expect(headersOf(await client.head('key'))).toMatchObject({ 'x-oss-version-id': version })
  })

  test('a marker cannot be read by its name', async () => {
    await put('key', 'one')
    const marker = headersOf(await remove('key'))['x-oss-version-id'] ?? ''
    const { accessKeyId, accessKeySecret } = oss.credentials
    const ask = (path: string) => sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, { path })
    const named = await ask(`/${bucket}/key?versionId=${encodeURIComponent(marker)}`)
    expect(named).toMatchObject({ status: 405, code: 'MethodNotAllowed' })
    expect(named.headers).toMatchObject({ 'x-oss-delete-marker': 'true', 'x-oss-version-id': marker, allow: 'DELETE' })
    const current = await ask(`/${bucket}/key`)
    expect(current).toMatchObject({ status: 404, code: 'NoSuchKey' })
    expect(current.headers).toMatchObject({ 'x-oss-delete-marker': 'true', 'x-oss-version-id': marker })
  })

  test('a version is deleted for good, and its bytes leave the disk', async () => {
    const first = await put('key', 'first of two')
    await put('key', 'second of two')
    const held = async () => (await heldIn(oss.dir)).length
    const before = await held()
    await remove('key', first)
    await expect(read('key', first)).rejects.toMatchObject({ status: 404, code: 'NoSuchVersion' })
    expect(await read('key')).toBe('second of two')
    await expect.poll(held).toBe(before - 1)
    await remove('key', first)
  })

  test.each([
    ['IllegalVersion', 400, 'InvalidArgument'],
    ['CAEQJhiBgIDVmYrr1RYiIGE5ZmUxMjViZDIwYjQwY2I5ODA1YWIxNmIyNDNjYjk4', 404, 'NoSuchVersion'],
    ['null', 404, 'NoSuchVersion'],
  ])('version %s is refused', async (versionId, status, code) => {
    await put('key', 'x')
    await expect(read('key', versionId)).rejects.toMatchObject({ status, code })
    await expect(client.getACL('key', { versionId } as never)).rejects.toMatchObject({ status, code })
    await expect(client.getObjectTagging('key', { versionId })).rejects.toMatchObject({ status, code })
    await expect(client.copy('other', 'key', { versionId } as never)).rejects.toMatchObject({ status, code })
  })

  test('ACL, tags and symbolic links belong to a version', async () => {
    const first = await put('key', 'one')
    await put('key', 'two')
    await client.putACL('key', 'public-read', { versionId: first } as never)
    expect((await client.getACL('key', { versionId: first } as never)).acl).toBe('public-read')
    expect((await client.getACL('key')).acl).toBe('default')
    await client.putObjectTagging('key', { a: '1' }, { versionId: first })
    expect((await client.getObjectTagging('key', { versionId: first })).tag).toEqual({ a: '1' })
    expect((await client.getObjectTagging('key')).tag).toEqual({})
    const link = headersOf((await client.putSymlink('link', 'key', {} as never)) as never)['x-oss-version-id']
    await client.putSymlink('link', 'other', {} as never)
    expect(await client.getSymlink('link', { versionId: link } as never)).toMatchObject({ targetName: 'key' })
  })

  test('an old version is copied, as a whole and as a part', async () => {
    const first = await put('key', 'one')
    await put('key', 'two')
    const copied = await client.copy('copy', 'key', { versionId: first } as never)
    expect(headersOf(copied as never)).toMatchObject({ 'x-oss-copy-source-version-id': first })
    expect(await read('copy')).toBe('one')
    const { uploadId } = await client.initMultipartUpload('parts')
    const source = { sourceKey: 'key', sourceBucketName: bucket }
    const part = (await client.uploadPartCopy('parts', uploadId, 1, '0-2', source)) as never as { etag: string }
    const done = await client.completeMultipartUpload('parts', uploadId, [{ number: 1, etag: part.etag }])
    expect(headersOf(done as never)['x-oss-version-id']).toBeDefined()
    expect(await read('parts')).toBe('two')
  })

  test('several keys and versions are deleted at once', async () => {
    const first = await put('one', '1')
    const second = await put('two', '2')
    const hidden = (await client.deleteMulti(['one', 'two', 'three'])).deleted as never as Record<string, string>[]
    expect(hidden).toMatchObject(['one', 'two', 'three'].map((Key) => ({ Key, DeleteMarker: 'true' })))
    const markers = hidden.map(({ Key, DeleteMarkerVersionId }) => ({ key: Key, versionId: DeleteMarkerVersionId }))
    const versions = [
      { key: 'one', versionId: first },
      { key: 'two', versionId: second },
    ]
    const gone = (await client.deleteMulti([...versions, ...markers] as never)).deleted as never as object[]
    expect(gone.slice(0, 2)).toEqual([
      { Key: 'one', VersionId: first },
      { Key: 'two', VersionId: second },
    ])
    expect(gone.slice(2)).toMatchObject(markers.map(({ versionId }) => ({ DeleteMarkerVersionId: versionId })))
    await client.deleteBucket(bucket)
  })

  test('a bucket with nothing but old versions and markers is not empty', async () => {
    const version = await put('key', 'x')
    const marker = headersOf(await remove('key'))['x-oss-version-id']
    expect((await client.listV2({})).objects).toEqual([])
    await expect(client.deleteBucket(bucket)).rejects.toMatchObject({ code: 'BucketNotEmpty' })
    await remove('key', version)
    await expect(client.deleteBucket(bucket)).rejects.toMatchObject({ code: 'BucketNotEmpty' })
    await remove('key', marker)
    await client.deleteBucket(bucket)
  })

  test('the wish not to overwrite is passed over', async () => {
    await put('key', 'one')
    await client.put('key', Buffer.from('two'), { headers: { 'x-oss-forbid-overwrite': 'true' } })
    expect(await read('key')).toBe('two')
  })

  test('versions are still there after a restart', async () => {
    const first = await put('key', 'one')
    await put('key', 'two')
    await oss.restart()
    client = oss.client('V4')
    client.useBucket(bucket)
    expect(await read('key', first)).toBe('one')
    expect((await client.getBucketVersions()).objects).toHaveLength(2)
  })

  test('an appendable object grows without new versions', async () => {
    const first = headersOf((await client.append('log', Buffer.from('a'))) as never)['x-oss-version-id']
    expect(first).toBe('null')
    await client.append('log', Buffer.from('b'), { position: '1' } as never)
    expect((await client.getBucketVersions({ prefix: 'log' })).objects).toMatchObject([{ versionId: first, size: 2 }])
  })
})

describe('without new versions any more', () => {
  test('a put replaces the version null and nothing else', async () => {
    await enable()
    const named = await put('key', 'named')
    await enable('Suspended')
    expect(await put('key', 'null 1')).toBe('null')
    expect(await put('key', 'null 2')).toBe('null')
    expect(await read('key')).toBe('null 2')
    expect((await client.getBucketVersions()).objects.map(({ versionId }) => versionId)).toEqual(['null', named])
  })

  test('a deletion replaces the version null by a marker', async () => {
    await put('key', 'before')
    await enable('Suspended')
    expect(headersOf(await remove('key'))).toMatchObject({ 'x-oss-version-id': 'null', 'x-oss-delete-marker': 'true' })
    const { objects, deleteMarker } = await client.getBucketVersions()
    expect(objects).toEqual([])
    expect(deleteMarker).toMatchObject([{ name: 'key', versionId: 'null' }])
    await put('key', 'after')
    expect((await client.getBucketVersions()).deleteMarker).toEqual([])
    expect(await read('key')).toBe('after')
  })
})

describe('the list of versions', () => {
  test('has the latest of a key first, and goes on from a marker', async () => {
    await enable()
    const ids: string[] = []
    for (let n = 0; n < 7; n++) ids.unshift((await put('b', String(n))) ?? '')
    await put('a', 'x')
    await put('c', 'x')
    await remove('c')
    const seen: string[] = []
    let query: object = { maxKeys: 3 }
    for (;;) {
      const page = await client.getBucketVersions(query)
      for (const { name, versionId } of [...page.deleteMarker, ...page.objects]) seen.push(`${name} ${versionId}`)
      if (!page.isTruncated) break
      query = { maxKeys: 3, keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    }
    expect(seen.filter((one) => one.startsWith('b'))).toEqual(ids.map((id) => `b ${id}`))
    expect(seen.map((one) => one[0]).sort()).toEqual([...'abbbbbbbcc'])
    const { objects } = await client.getBucketVersions({ keyMarker: 'a' })
    expect(objects.map(({ isLatest }) => isLatest)).toEqual([true, ...Array(6).fill(false), false])
  })

  test('goes on where the version of the marker is gone', async () => {
    await enable()
    for (let n = 0; n < 5; n++) await put('key', String(n))
    const page = await client.getBucketVersions({ maxKeys: 2 })
    await remove('key', page.nextVersionIdMarker ?? '')
    const query = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    expect((await client.getBucketVersions(query)).objects).toHaveLength(3)
  })

  test('groups keys at a delimiter', async () => {
    await enable()
    for (const key of ['a/1', 'a/2', 'a/2', 'b', 'c/1']) await put(key, 'x')
    const first = await client.getBucketVersions({ delimiter: '/', maxKeys: 1 })
    expect(first).toMatchObject({ prefixes: ['a/'], nextKeyMarker: 'a/' })
    const rest = await client.getBucketVersions({ delimiter: '/', keyMarker: 'a/' })
    expect(rest).toMatchObject({ prefixes: ['c/'], objects: [{ name: 'b' }], isTruncated: false })
  })

  test.each([
    ['prefix', 'a'.repeat(1025)],
    ['key-marker', 'a'.repeat(1025)],
    ['delimiter', 'a'.repeat(1025)],
    ['version-id-marker', 'x'],
    ['max-keys', '1001'],
    ['max-keys', '0'],
    ['encoding-type', 'base64'],
  ])('refuses the %s %s', async (name, value) => {
    await expect(client.getBucketVersions({ [name]: value })).rejects.toMatchObject({ code: 'InvalidArgument' })
  })
})
