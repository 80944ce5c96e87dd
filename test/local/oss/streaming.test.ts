import { createHash } from 'node:crypto'
import http from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BUCKET, type OpenOss, openOss } from './open.ts'
import { type RawRequest, sendSigned, signedV1 } from './raw.ts'

const MB = 1024 * 1024
/** 256 MB, or as many as are asked for: 5120 in the long run. */
const SIZE = Number(process.env.OSS_STREAM_MB ?? 256) * MB
const CHUNK = Buffer.alloc(MB, 'a chunk of some bytes that repeat ')
/** Far below the size of the object: buffers of sockets and files, and what the collector has not yet come to. */
const MAX_GROWTH = 128 * MB

let oss: OpenOss
beforeAll(async () => {
  oss = await openOss()
})
afterAll(() => oss.close())

const keys = () => {
  const { accessKeyId, accessKeySecret } = oss.credentials
  return { accessKeyId, accessKeySecret }
}

/** What the process holds beyond what it held before, at most, while something goes on. */
async function growthOf(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 20)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return most - before
}

function* chunks(size: number): Iterable<Buffer> {
  for (let left = size; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

function upload(path: string, size: number): Promise<number> {
  const { headers } = signedV1(keys(), { method: 'PUT', path }, path)
  const options = { host: '127.0.0.1', port: oss.service.port, method: 'PUT', path }
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, headers: { ...headers, 'content-length': size } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
    request.on('error', reject)
    Readable.from(chunks(size)).pipe(request)
  })
}

async function download(path: string, each: (chunk: Buffer) => Promise<void> | void): Promise<void> {
  const { headers } = signedV1(keys(), { path }, path)
  const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ host: '127.0.0.1', port: oss.service.port, path, headers: headers ?? {} }, resolve).on('error', reject)
  })
  for await (const chunk of answer) await each(chunk as Buffer)
}

describe(`an object of ${SIZE / MB} MB`, { timeout: 60_000 + (50 * SIZE) / MB }, () => {
  const path = `/${BUCKET}/big`

  test(
    'is taken in, given out and copied in memory that does not grow with it',
    async () => {
      const put = await growthOf(async () => expect(await upload(path, SIZE)).toBe(200))
      expect(put).toBeLessThan(MAX_GROWTH)
      const wanted = createHash('md5')
      for (const chunk of chunks(SIZE)) wanted.update(chunk)
      const got = createHash('md5')
      let bytes = 0
      const read = await growthOf(() =>
        download(path, (chunk) => {
          bytes += chunk.length
          got.update(chunk)
        }),
      )
      expect(bytes).toBe(SIZE)
      expect(got.digest('hex')).toBe(wanted.digest('hex'))
      expect(read).toBeLessThan(MAX_GROWTH)
      const copy: RawRequest = { method: 'PUT', path: `${path}-copy`, headers: { 'x-oss-copy-source': path }, body: '' }
      expect(await sendSigned(oss.service.port, keys(), copy)).toMatchObject({ status: 200 })
    },
    30 * 60_000,
  )

  test('waits for a client that does not read', async () => {
    let first = true
    const growth = await growthOf(async () => {
      const stopped = download(path, async () => {
        if (!first) return
        first = false
        // While the client holds back, others are served and the object is not read ahead of it.
        for (let n = 0; n < 50; n++) await oss.client('V1').put('small', Buffer.from(String(n)))
      })
      await stopped
    })
    expect(growth).toBeLessThan(MAX_GROWTH)
  })
})

test('downloads at once get their own bytes, though some clients are slow and others leave', async () => {
  // More than the buffers of sockets take, so that the slow ones hold up what sends to them.
  const size = 16 * MB + 12_345
  const bodies = [1, 2, 3].map((seed) => Buffer.alloc(size).map((_, at) => (at * seed) % 251))
  for (const [at, body] of bodies.entries()) await oss.client('V1').put(`own/${at}`, body)
  const sums = bodies.map((body) => createHash('sha1').update(body).digest('hex'))
  const get = async (nth: number, hold: Promise<unknown> | undefined, leaves: boolean) => {
    const hash = createHash('sha1')
    let held = hold
    const { stream } = (await oss.client('V1').getStream(`own/${nth % 3}`)) as { stream: Readable }
    for await (const chunk of stream) {
      hash.update(chunk)
      await held
      held = undefined
      // Leaving the loop ends the connection.
      if (leaves) return 'left'
    }
    return hash.digest('hex') === sums[nth % 3] ? 'whole' : 'other bytes'
  }
  const each = (get: (nth: number) => Promise<string>) => Promise.all(Array.from({ length: 6 }, (_, nth) => get(nth)))
  let release = (_: unknown) => {}
  const later = new Promise((resolve) => {
    release = resolve
  })
  const slow = each((nth) => get(nth, later, false))
  const others = Promise.all([each((nth) => get(nth, undefined, false)), each((nth) => get(nth, undefined, true))])
  release(await others)
  expect(await others).toEqual([Array(6).fill('whole'), Array(6).fill('left')])
  expect(await slow).toEqual(Array(6).fill('whole'))
})
