import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSts } from '../../../local/sts/index.ts'
import type { LocalServer } from '../../../local/wire/http.ts'
import { assumeUploader, uploadPolicy } from '../../../shared/cloud/sts.ts'
import { BUCKET, type OpenOss, openOss } from '../oss/open.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

const key = 'uploads/u1/source'
let oss: OpenOss
let sts: LocalServer
let proxy: FaultProxy
beforeAll(async () => {
  oss = await openOss()
  sts = await startSts({ host: '127.0.0.1', port: 0, credentials: oss.credentials, now: Date.now })
  proxy = await faultProxy(sts.url)
})
afterAll(async () => {
  await proxy.close()
  await sts.close()
  await oss.close()
})

const grant = { bucket: BUCKET, key, sessionName: 'u1', seconds: 900 }
const config = () => ({
  endpoint: proxy.url,
  uploadRoleArn: `acs:ram::${oss.credentials.accountId}:role/yunbo-uploader`,
})

async function uploader() {
  const session = await assumeUploader(config(), oss.credentials, grant)
  return oss.client('V4', { ...session, expiresAt: Date.parse(session.expiration) })
}

describe('credentials of one upload', () => {
  test('last as long as was asked for', async () => {
    const { expiration, accessKeyId } = await assumeUploader(config(), oss.credentials, grant)
    expect(accessKeyId).toMatch(/^STS\./)
    expect(Math.abs(Date.parse(expiration) - Date.now() - 900_000)).toBeLessThan(10_000)
  })

  test('put, upload in parts, list them and abort, on their own key', async () => {
    const client = await uploader()
    await client.put(key, Buffer.from('x'))
    await client.multipartUpload(key, Buffer.alloc(250_000), { partSize: 102_400 })
    const { uploadId } = await client.initMultipartUpload(key)
    await client.listParts(key, uploadId, { 'max-parts': 10, 'part-number-marker': 0, 'encoding-type': 'url' })
    await client.abortMultipartUpload(key, uploadId)
  })

  test.each([
    ['put another key', (client: Client) => client.put('uploads/u2/source', Buffer.from('x'))],
    ['put below their key', (client: Client) => client.put(`${key}/more`, Buffer.from('x'))],
    ['read', (client: Client) => client.get(key)],
    ['look', (client: Client) => client.head(key)],
    ['delete', (client: Client) => client.delete(key)],
    ['list', (client: Client) => client.listV2({ prefix: 'uploads/' })],
    ['change the ACL', (client: Client) => client.putACL(key, 'public-read')],
  ])('cannot %s', async (_name, attempt) => {
    const client = await uploader()
    await client.put(key, Buffer.from('x'))
    await expect(attempt(client)).rejects.toMatchObject({ status: 403 })
  })
})
type Client = ReturnType<OpenOss['client']>

describe('the policy', () => {
  test('allows three actions on one object', () => {
    expect(JSON.parse(uploadPolicy('b', 'k'))).toEqual({
      Version: '1',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['oss:PutObject', 'oss:AbortMultipartUpload', 'oss:ListParts'],
          Resource: ['acs:oss:*:*:b/k'],
        },
      ],
    })
  })

  test.each(['uploads/*', 'uploads/u?/source'])('is not made for the key %s, which matches others', (wild) => {
    expect(() => uploadPolicy('b', wild)).toThrow('wildcards')
  })

  test('is not made longer than STS takes', () => {
    expect(() => uploadPolicy('b', 'k'.repeat(2000))).toThrow('2048')
  })
})

describe('failures', () => {
  test('on the way are tried again', async () => {
    proxy.next({ status: 503, body: '{"Code":"ServiceUnavailable","Message":"later"}' }, 'cut before')
    expect(await assumeUploader(config(), oss.credentials, grant)).toHaveProperty('securityToken')
  })

  test('by refusal are said at once', async () => {
    const before = proxy.seen.length
    const wrong = { ...oss.credentials, accessKeySecret: 'wrong' }
    await expect(assumeUploader(config(), wrong, grant)).rejects.toMatchObject({
      code: 'upstream_failed',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    })
    expect(proxy.seen.length - before).toBe(1)
  })
})
