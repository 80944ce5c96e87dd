import { describe, expect, test } from 'vitest'
import { onRequest } from '../../../functions/upload-notify/route.ts'
import { film, NOW, newWorld, waiting } from '../world.ts'

const owner = 'Bearer session-of-ann'
const holder = `Upload token-of-${waiting.uploadId}`

async function world() {
  const made = newWorld()
  await made.deps.uploads.create(waiting)
  const ask = async (method: string, path = '', authorization = owner, more: { key?: string; body?: string } = {}) => {
    const url = `http://api/v1/uploads/${waiting.uploadId}${path}`
    const headers = { authorization, ...(more.key === undefined ? {} : { 'idempotency-key': more.key }) }
    const init = { method, headers, ...(more.body === undefined ? {} : { body: more.body }) }
    const response = await onRequest(new Request(url, init), made.deps)
    const text = await response.text()
    return { status: response.status, data: text === '' ? undefined : (JSON.parse(text) as { data: unknown }).data }
  }
  const move = (to: Parameters<typeof made.deps.uploads.move>[2], error?: string) =>
    made.deps.uploads.move(waiting.uploadId, 'waiting', to, error)
  return { ...made, ask, move }
}

describe('an upload', () => {
  test.each([owner, holder])('is shown to "%s"', async (authorization) => {
    const { ask } = await world()
    expect(await ask('GET', '', authorization)).toEqual({
      status: 200,
      data: {
        uploadId: waiting.uploadId,
        videoId: waiting.videoId,
        playbackId: waiting.playbackId,
        state: 'waiting',
        fileName: 'film.mp4',
        title: 'film',
        sizeBytes: 10,
        contentType: 'video/mp4',
        key: waiting.key,
        error: null,
        createdAt: '2030-01-01T00:00:00.000Z',
        expiresAt: '2030-01-02T00:00:00.000Z',
      },
    })
  })

  test('that was refused says why', async () => {
    const { ask, move } = await world()
    await move('errored', 'The object is empty')
    const error = { code: 'source_not_accepted', message: 'The object is empty' }
    expect((await ask('GET')).data).toMatchObject({ state: 'errored', error })
  })

  test.each([
    ['nobody', '', 'unauthenticated'],
    ['a forged session', 'Bearer x', 'unauthenticated'],
    ['somebody else', 'Bearer session-of-bob', 'upload_not_found'],
    ['the token of another upload', 'Upload token-of-other', 'unauthenticated'],
    ['an unknown scheme', 'Basic YTpi', 'unauthenticated'],
  ])('is closed to %s, for every operation', async (_, authorization, code) => {
    const { ask } = await world()
    const operations = [['GET'], ['DELETE'], ['POST', '/complete'], ['POST', '/credentials']] as const
    for (const [method, path] of operations) {
      await expect(ask(method, path, authorization)).rejects.toMatchObject({ code })
    }
  })

  test('that does not exist is not found', async () => {
    const { deps } = newWorld()
    const request = new Request('http://api/v1/uploads/none', { headers: { authorization: owner } })
    await expect(onRequest(request, deps)).rejects.toMatchObject({ code: 'upload_not_found' })
  })
})

describe('fresh credentials', () => {
  test('are for the same key, and the upload is then running', async () => {
    const { ask } = await world()
    const { status, data } = await ask('POST', '/credentials', holder)
    expect(status).toBe(200)
    expect(data).toMatchObject({
      uploadId: waiting.uploadId,
      state: 'uploading',
      key: waiting.key,
      bucket: 'b',
      expiresAt: '2030-01-02T00:00:00.000Z',
      credentials: { accessKeyId: 'a', accessKeySecret: 's', securityToken: 't', expiration: 'soon' },
    })
  })

  test('may be had again and again, and by several at once', async () => {
    const { ask } = await world()
    const answers = await Promise.all([1, 2, 3].map(() => ask('POST', '/credentials')))
    expect(answers.map(({ data }) => (data as { state: string }).state)).toEqual([
      'uploading',
      'uploading',
      'uploading',
    ])
    expect((await ask('POST', '/credentials')).status).toBe(200)
  })

  test.each(['verifying', 'done', 'errored', 'cancelled', 'expired'] as const)(
    'are refused once it is %s',
    async (state) => {
      const { ask, move } = await world()
      await move(state)
      await expect(ask('POST', '/credentials')).rejects.toMatchObject({
        code: 'upload_closed',
        message: expect.stringContaining(state),
      })
    },
  )

  test('are refused after its time is over', async () => {
    const { deps } = await world()
    const request = new Request(`http://api/v1/uploads/${waiting.uploadId}/credentials`, {
      method: 'POST',
      headers: { authorization: owner },
    })
    const late = { ...deps, now: () => waiting.expiresAt }
    await expect(onRequest(request, late)).rejects.toMatchObject({ code: 'upload_closed' })
    expect(NOW).toBeLessThan(waiting.expiresAt)
  })
})

describe('complete', () => {
  test('is answered alike to the owner and to the holder of the token', async () => {
    const { ask, bucket } = await world()
    bucket.set(waiting.key, film)
    const answer = await ask('POST', '/complete', holder)
    expect(answer).toMatchObject({ status: 200, data: { videoId: waiting.videoId, status: 'processing' } })
    expect(await ask('POST', '/complete')).toEqual(answer)
  })
})

describe.each(['/complete', '/credentials'])('an Idempotency-Key at %s', (path) => {
  test('may be sent again with the same body, by the owner and by the holder of the token', async () => {
    const { ask, bucket } = await world()
    bucket.set(waiting.key, film)
    const first = await ask('POST', path, owner, { key: 'k' })
    expect(first.status).toBe(200)
    expect(await ask('POST', path, holder, { key: 'k' })).toEqual(first)
  })

  test('is refused with another body, and stands for one request only', async () => {
    const { ask, bucket, deps } = await world()
    bucket.set(waiting.key, film)
    await ask('POST', path, owner, { key: 'k' })
    const before = await deps.uploads.find(waiting.uploadId)
    await expect(ask('POST', path, owner, { key: 'k', body: '{}' })).rejects.toMatchObject({
      code: 'idempotency_conflict',
    })
    expect(await deps.uploads.find(waiting.uploadId)).toEqual(before)
    expect((await ask('POST', path, owner, { key: 'l', body: '{}' })).status).toBe(200)
  })

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('is refused as "%s"', async (key) => {
    const { ask } = await world()
    await expect(ask('POST', path, owner, { key })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('of a stranger leaves no trace', async () => {
    const { ask, tables } = await world()
    await expect(ask('POST', path, 'Bearer session-of-bob', { key: 'k' })).rejects.toMatchObject({
      code: 'upload_not_found',
    })
    expect(tables.rows('idempotency')).toEqual([])
  })
})

describe('to cancel', () => {
  test('ends the upload and removes parts and object; a repeat does it again', async () => {
    const { ask, bucket, calls } = await world()
    bucket.set(waiting.key, film)
    expect(await ask('DELETE')).toEqual({ status: 204, data: undefined })
    expect(calls).toEqual([`abort ${waiting.key}`, `remove ${waiting.key}`])
    expect((await ask('GET')).data).toMatchObject({ state: 'cancelled' })
    expect((await ask('DELETE')).status).toBe(204)
    await expect(ask('POST', '/complete')).rejects.toMatchObject({ code: 'upload_closed' })
  })

  test('a running upload works as well', async () => {
    const { ask } = await world()
    await ask('POST', '/credentials')
    expect((await ask('DELETE')).status).toBe(204)
  })

  test('a refused upload removes its object and keeps the reason', async () => {
    const { ask, move, calls } = await world()
    await move('errored', 'The object is empty')
    expect((await ask('DELETE')).status).toBe(204)
    expect(calls).toHaveLength(2)
    expect((await ask('GET')).data).toMatchObject({ state: 'errored' })
  })

  test.each(['verifying', 'done'] as const)('is too late once it is %s', async (state) => {
    const { ask, move, calls } = await world()
    await move(state)
    await expect(ask('DELETE')).rejects.toMatchObject({ code: 'upload_closed' })
    expect(calls).toEqual([])
  })
})

test('answers its health check, and says which methods there are', async () => {
  const { ask, deps } = await world()
  expect((await onRequest(new Request('http://api/healthz/upload-notify'), deps)).status).toBe(200)
  expect((await ask('PUT')).status).toBe(405)
  await expect(ask('POST', '/other')).rejects.toMatchObject({ code: 'not_found' })
})
