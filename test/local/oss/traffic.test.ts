import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

/** 100 KB a second. */
const LIMIT = '819200'
const SECOND = Buffer.alloc(102_400, 'x')
/** Anew each time: ali-oss adds to the headers that it is given. */
const limited = () => ({ 'x-oss-traffic-limit': LIMIT })

async function secondsFor<Result>(work: () => Promise<Result>) {
  const started = performance.now()
  const result = await work()
  return { seconds: (performance.now() - started) / 1000, result }
}

type Answered = { readonly res: { readonly headers: object } }

const transfers: readonly (readonly [string, () => Promise<Answered>])[] = [
  ['PutObject', () => oss.client('V4').put('put', SECOND, { headers: limited() })],
  ['GetObject', () => oss.client('V4').get('source', { headers: limited() } as never)],
  ['AppendObject', () => oss.client('V4').append('append', SECOND, { headers: limited() })],
  ['CopyObject', () => oss.client('V4').copy('copy', 'source', { headers: limited() })],
  [
    'UploadPart',
    async () => {
      const client = oss.client('V4')
      const { uploadId } = await client.initMultipartUpload('part')
      return (await client.uploadPart('part', uploadId, 1, SECOND as never, 0, SECOND.length, {
        headers: limited(),
      } as never)) as never
    },
  ],
  [
    'UploadPartCopy',
    async () => {
      const client = oss.client('V4')
      const { uploadId } = await client.initMultipartUpload('part-copy')
      const source = { sourceKey: 'source', sourceBucketName: BUCKET }
      return await client.uploadPartCopy('part-copy', uploadId, 1, '0-102399', source, { headers: limited() } as never)
    },
  ],
]

describe('x-oss-traffic-limit', () => {
  beforeAll(async () => {
    await oss.client('V4').put('source', SECOND)
  })

  test.concurrent.each(transfers)('holds %s to its rate', async (_name, transfer) => {
    const { seconds, result } = await secondsFor(transfer)
    expect(seconds).toBeGreaterThan(0.9)
    expect(seconds).toBeLessThan(2)
    expect(result.res.headers).toHaveProperty('x-oss-qos-delay-time')
  })

  test.concurrent.each(['header', 'field'] as const)('holds a form to its rate, as a %s', async (where) => {
    await oss.client('V4').putBucketACL(BUCKET, 'public-read-write')
    const form = new FormData()
    form.append('key', `form-${where}`)
    if (where === 'field') form.append('x-oss-traffic-limit', LIMIT)
    form.append('file', new Blob([SECOND]))
    const { seconds, result } = await secondsFor(() =>
      fetch(`${oss.service.url}/${BUCKET}`, {
        method: 'POST',
        body: form,
        ...(where === 'header' ? { headers: limited() } : {}),
      }),
    )
    expect(result.status).toBe(204)
    expect(seconds).toBeGreaterThan(0.9)
  })

  test.concurrent('holds presigned URLs to their rate, in both signatures', async () => {
    const urls = [
      oss.client('V1').signatureUrl('source', { trafficLimit: Number(LIMIT) } as never),
      await oss.client('V4').signatureUrlV4('GET', 60, { queries: limited() }, 'source'),
    ]
    const { seconds, result } = await secondsFor(() =>
      Promise.all(urls.map(async (url) => Buffer.from(await (await fetch(url)).arrayBuffer()))),
    )
    expect(seconds).toBeGreaterThan(0.9)
    for (const bytes of result) expect(Buffer.compare(bytes, SECOND)).toBe(0)
  })

  test.concurrent('says how long even the smallest transfer was held up', async () => {
    const { res } = await oss.client('V4').put('tiny', Buffer.from('content'), { headers: limited() })
    expect(res.headers).toMatchObject({ 'x-oss-qos-delay-time': expect.stringMatching(/^\d+$/) })
  })

  test.concurrent('of a copy leaves it whole when the source is replaced meanwhile', async () => {
    const client = oss.client('V4')
    const [first, second] = [SECOND, Buffer.alloc(SECOND.length, 'y')]
    await client.put('replaced', first)
    const copying = client.copy('copy-of-replaced', 'replaced', { headers: limited() })
    await client.put('replaced', second)
    await copying
    const { content } = await client.get('copy-of-replaced')
    expect([first, second].some((bytes) => bytes.equals(content as Buffer))).toBe(true)
  })

  test('leaves what came before a client that goes away in peace', async () => {
    const abort = new AbortController()
    const url = oss.client('V1').signatureUrl('source', { trafficLimit: 245_760 } as never)
    const answer = await fetch(url, { signal: abort.signal })
    const reader = answer.body?.getReader()
    await reader?.read()
    abort.abort()
    expect(await oss.client('V4').get('source')).toMatchObject({ res: { status: 200 } })
  })

  test.each(['abc', '', '0', '-1', '245759', '838860801', '8192000000000', '819200.5'])(
    'of %j is refused',
    async (value) => {
      const client = oss.client('V4')
      const refused = client.put('refused', SECOND, { headers: { 'x-oss-traffic-limit': value } })
      await expect(refused).rejects.toMatchObject({ status: 400, code: 'InvalidArgument' })
      await expect(client.head('refused')).rejects.toMatchObject({ status: 404 })
    },
  )

  test.each([245_760, 838_860_800])('of %i is taken', async (value) => {
    const { res } = await oss
      .client('V4')
      .put('edge', Buffer.from('x'), { headers: { 'x-oss-traffic-limit': String(value) } })
    expect(res.status).toBe(200)
  })

  test('is refused in two places at once', async () => {
    const url = oss
      .client('V1')
      .signatureUrl('source', { trafficLimit: Number(LIMIT), 'x-oss-traffic-limit': LIMIT } as never)
    const answer = await fetch(url, { headers: limited() })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('<EC>0004-00000501</EC>')])
  })
})
