import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type Client, type OpenOss, openOss } from './open.ts'
import { type RawRequest, sendSigned } from './raw.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const KEYS: readonly (readonly [name: string, key: string])[] = [
  ['Chinese', '杭州・中国'],
  ['signs', '是 空格 yeah +-/\\&*#(1)!~@$^=;:,[]{}|`" '],
  ['control characters', '\x01\x0a\x0c\x07\x50\x63\x7f'],
  ['what XML escapes', `a<b&c>d + "e" 'f' ]]>`],
  ['emoji', '🎬/👩‍👩‍👧‍👦.mp4'],
  ['escaped steps', '%2e%2e/%2e%2e/x'],
  ['an absolute path inside', 'a//etc/passwd'],
  ['blanks', '   '],
  ['a slash at the end', 'folder/'],
  ['what looks like a query', 'a?acl&versionId=1'],
]

describe.each(['V1', 'V4'] as const)('with %s signatures a key of', (version) => {
  test.each(KEYS)('%s is put, read, listed, copied and deleted', async (_name, key) => {
    const client: Client = oss.client(version)
    const name = `${version}${key}`
    await client.put(name, Buffer.from(key))
    expect((await client.get(name)).content.toString()).toBe(key)
    const listed = await client.listV2({ 'encoding-type': 'url', 'max-keys': 1000 })
    expect(listed.objects.map((one) => decodeURIComponent(one.name))).toContain(name)
    await client.copy(`copy/${name}`, name)
    expect((await client.get(`copy/${name}`)).content.toString()).toBe(key)
    await client.deleteMulti([name, `copy/${name}`])
    await expect(client.head(name)).rejects.toMatchObject({ status: 404 })
  })
})

const signed = (request: RawRequest) => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return sendSigned(oss.service.port, { accessKeyId, accessKeySecret }, request)
}

// Libraries fold these before they send them, so they are sent as bytes.
describe.each([
  '../../../etc/passwd',
  'a/../../b',
  './a',
  '..%2f..%2fa',
  '%2e%2e/%2e%2e/b',
  '....//c',
  `${'%C3%A9'.repeat(511)}x`,
])('the path %s', (path) => {
  test('is a key like any other', async () => {
    const url = `/${BUCKET}/${path}`
    expect(await signed({ method: 'PUT', path: url, body: path })).toMatchObject({ status: 200 })
    expect(await signed({ path: url })).toMatchObject({ status: 200, text: path })
    const { objects } = await oss.client('V4').listV2({ 'max-keys': 1000 })
    expect(objects.map(({ name }) => name)).toContain(decodeURIComponent(path))
  })
})

test('the bucket is not left by steps up', async () => {
  await oss.service.createBucket('bucket-two')
  await signed({ method: 'PUT', path: `/${BUCKET}/../bucket-two/key`, body: 'x' })
  const other = oss.client('V4')
  other.useBucket('bucket-two')
  expect((await other.listV2({})).objects).toEqual([])
})

test('a carriage return in a list of deletions is read where it is escaped', async () => {
  const client = oss.client('V4')
  await client.put('a\rb', Buffer.from('x'))
  const body = '<Delete><Object><Key>a&#xD;b</Key></Object></Delete>'
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
  const request = { method: 'POST', path: `/${BUCKET}/?delete`, body, headers }
  expect(await signed(request)).toMatchObject({ status: 200 })
  await expect(client.head('a\rb')).rejects.toMatchObject({ status: 404 })
})

test('no key makes a file outside the folder of blobs, or one with its name', async () => {
  const client = oss.client('V4')
  const before = await readdir(oss.dir)
  for (const [, key] of KEYS) await client.put(`x${key}`, Buffer.from('content'))
  expect(await readdir(oss.dir)).toEqual(before)
  const files = await readdir(`${oss.dir}/blobs`, { recursive: true, withFileTypes: true })
  for (const file of files.filter((one) => one.isFile())) expect(file.name).toMatch(/^[0-9a-f]{24}$/)
  const beside = await readdir(dirname(oss.dir))
  for (const name of ['a', 'b', 'c', 'etc']) expect(beside).not.toContain(name)
})
