import OSS from 'ali-oss'
import { expect, test, vi } from 'vitest'
import { presignUrl } from '../../../shared/auth/oss-url.ts'

const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const place = {
  endpoint: 'http://localhost:9001',
  bucket: 'yunbo',
  addressing: 'path' as const,
  region: 'cn-hangzhou',
}
const account = { accessKeyId: 'AKID', accessKeySecret: 'secret' }
const session = { ...account, accessKeyId: 'STS.x', securityToken: 'CAIS+token/=' }
const request = { method: 'GET' as const, key: 'm/abc/0.ts', expiresSeconds: 3600, nowMs: now }

/** What the vendor's SDK makes of the same request at the same moment. */
async function vendorUrl(
  credentials: { accessKeyId: string; accessKeySecret: string; securityToken?: string },
  signed: { method: 'GET' | 'PUT'; key: string; queries?: Record<string, string>; headers?: Record<string, string> },
) {
  vi.useFakeTimers({ now, toFake: ['Date'] })
  try {
    const client = new OSS({
      accessKeyId: credentials.accessKeyId,
      accessKeySecret: credentials.accessKeySecret,
      ...(credentials.securityToken
        ? { stsToken: credentials.securityToken, refreshSTSToken: undefined as never, refreshSTSTokenInterval: 1e9 }
        : {}),
      endpoint: place.endpoint,
      region: `oss-${place.region}`,
      bucket: place.bucket,
      sldEnable: true,
      authorizationV4: true,
    } as OSS.Options)
    const { method, key, queries = {}, headers = {} } = signed
    return new URL(await client.signatureUrlV4(method, 3600, { headers, queries }, key))
  } finally {
    vi.useRealTimers()
  }
}

function parts(url: URL) {
  return { origin: url.origin, path: decodeURIComponent(url.pathname), query: Object.fromEntries(url.searchParams) }
}

test.each([
  ['an account', account, 'm/abc/0.ts'],
  ['a session', session, 'm/abc/0.ts'],
  ['a key with unusual characters', account, "uploads/视频 a+b&c=d!'()*.mp4"],
])('a URL of %s is the one that the vendor SDK makes', async (_name, credentials, key) => {
  const ours = new URL(presignUrl(place, credentials, { ...request, key }))
  expect(parts(ours)).toEqual(parts(await vendorUrl(credentials, { method: 'GET', key })))
})

test('overrides of the answer are signed as the vendor SDK signs them', async () => {
  const response = { 'content-type': 'video/mp2t', 'content-disposition': 'attachment; filename="ü (1).ts"' }
  const queries = Object.fromEntries(Object.entries(response).map(([name, value]) => [`response-${name}`, value]))
  const ours = new URL(presignUrl(place, session, { ...request, response }))
  expect(parts(ours)).toEqual(parts(await vendorUrl(session, { method: 'GET', key: request.key, queries })))
})

test('headers of an upload are signed as the vendor SDK signs them', async () => {
  const headers = { 'x-oss-forbid-overwrite': 'true', 'Content-Type': 'video/mp4' }
  const ours = new URL(presignUrl(place, account, { ...request, method: 'PUT', headers }))
  expect(parts(ours)).toEqual(parts(await vendorUrl(account, { method: 'PUT', key: request.key, headers })))
})

test('the bucket is in the host name when addressed so, and the signature is the same', () => {
  const path = new URL(presignUrl(place, account, request))
  const virtual = new URL(
    presignUrl({ ...place, addressing: 'virtual', endpoint: 'https://oss-cn-hangzhou.aliyuncs.com' }, account, request),
  )
  expect(virtual.origin).toBe('https://yunbo.oss-cn-hangzhou.aliyuncs.com')
  expect(virtual.pathname).toBe('/m/abc/0.ts')
  expect(virtual.search).toBe(path.search)
})

test('the day key that is kept belongs to the secret, the day and the region', () => {
  const signatures = [
    presignUrl(place, account, request),
    presignUrl(place, { ...account, accessKeySecret: 'other' }, request),
    presignUrl(place, account, { ...request, nowMs: now + 86_400_000 }),
    presignUrl({ ...place, region: 'cn-beijing' }, account, request),
  ].map((url) => new URL(url).searchParams.get('x-oss-signature'))
  expect(new Set(signatures).size).toBe(4)
  expect(presignUrl(place, account, request)).toContain(signatures[0])
})

test.each([0, -1, 604_801, 1.5, Number.NaN])('a life of %s seconds is refused', (expiresSeconds) => {
  expect(() => presignUrl(place, account, { ...request, expiresSeconds })).toThrow('604800')
})
