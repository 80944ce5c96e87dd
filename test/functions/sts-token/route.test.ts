import { describe, expect, test } from 'vitest'
import { type Deps, onRequest } from '../../../functions/sts-token/route.ts'
import { AppError } from '../../../shared/errors.ts'
import { dueTable } from '../../../shared/tables/due.ts'
import { idempotencyTable } from '../../../shared/tables/idempotency.ts'
import { uploadsTable } from '../../../shared/tables/uploads.ts'
import { memoryTables } from '../../fakes/tables.ts'

const NOW = Date.UTC(2030, 0, 1)
const DAY = 24 * 3600 * 1000
const wish = { fileName: 'film.mp4', sizeBytes: 1000, contentType: 'video/mp4' }

function world() {
  const tables = memoryTables()
  let ids = 0
  let grants = 0
  const deps: Deps = {
    uploads: uploadsTable(tables),
    idempotency: idempotencyTable(tables),
    due: dueTable(tables),
    async verifySession(token) {
      if (!token.startsWith('session-of-')) throw new AppError('unauthenticated', 'Expected a session token')
      return { accountId: token.slice('session-of-'.length) }
    },
    uploadToken: (uploadId, expiresAt) => `token-of-${uploadId}-until-${expiresAt}`,
    async grant(key) {
      grants += 1
      const credentials = { accessKeyId: `id${grants}`, accessKeySecret: 's', securityToken: 't', expiration: 'soon' }
      return { bucket: 'b', region: 'cn-hangzhou', endpoint: 'http://oss', addressing: 'path', key, credentials }
    },
    newId() {
      ids += 1
      return `id${String(ids).padStart(14, '0')}`
    },
    now: () => NOW,
    maxSourceBytes: 5000,
    uploadExpiresMs: DAY,
  }
  const post = (body: unknown, headers: Record<string, string> = {}, text = JSON.stringify(body)) =>
    onRequest(
      new Request('http://api/v1/uploads', {
        method: 'POST',
        headers: { authorization: 'Bearer session-of-ann', ...headers },
        body: text,
      }),
      deps,
    )
  const begin = async (body: unknown, headers?: Record<string, string>) => {
    const response = await post(body, headers)
    return { status: response.status, data: ((await response.json()) as { data: Record<string, unknown> }).data }
  }
  return { tables, deps, post, begin }
}

describe('a new upload', () => {
  test('gets a key of its own, rights to it and a token', async () => {
    const { begin, tables } = world()
    const { status, data } = await begin(wish)
    expect(status).toBe(201)
    expect(data).toEqual({
      uploadId: 'id00000000000001',
      videoId: 'id00000000000002',
      playbackId: 'id00000000000004',
      uploadToken: `token-of-id00000000000001-until-${NOW + DAY}`,
      state: 'waiting',
      expiresAt: '2030-01-02T00:00:00.000Z',
      bucket: 'b',
      region: 'cn-hangzhou',
      endpoint: 'http://oss',
      addressing: 'path',
      key: 'uploads/id00000000000001/source',
      credentials: { accessKeyId: 'id1', accessKeySecret: 's', securityToken: 't', expiration: 'soon' },
    })
    expect(tables.rows('uploads')).toMatchObject([{ owner_id: 'ann', title: 'film', state: 'waiting' }])
    expect(tables.rows('due')).toMatchObject([{ ref: 'upload#id00000000000001', due_at: NOW + 600_000 }])
  })

  test('leaves its hint before the row that the hint is about', async () => {
    const order: string[] = []
    const tables = memoryTables({ onOperation: ({ kind, table }) => void (kind === 'write' && order.push(table)) })
    const { deps } = world()
    const request = new Request('http://api/v1/uploads', {
      method: 'POST',
      headers: { authorization: 'Bearer session-of-ann' },
      body: JSON.stringify(wish),
    })
    await onRequest(request, { ...deps, uploads: uploadsTable(tables), due: dueTable(tables) })
    expect([...new Set(order)]).toEqual(['due', 'uploads'])
  })

  test.each([
    ['its own title', { title: 'Summer' }, 'Summer'],
    ['a title around blanks', { title: '  Summer ' }, 'Summer'],
    ['a name without an ending', { fileName: 'film' }, 'film'],
    ['a name that is only an ending', { fileName: '.mp4' }, '.mp4'],
    ['a Chinese name', { fileName: '夏天 的海.mov' }, '夏天 的海'],
    ['a name with a long tail', { fileName: 'a.b.final version' }, 'a.b.final version'],
  ])('is named by %s', async (_, part, title) => {
    const { begin, tables } = world()
    await begin({ ...wish, ...part })
    expect(tables.rows('uploads')).toMatchObject([{ title }])
  })

  test('keeps what its app says about it', async () => {
    const { begin, tables } = world()
    await begin({ ...wish, classId: 'course-7', sourceContext: '{"user":1}', sha256: 'a'.repeat(64), method: 'sts' })
    expect(tables.rows('uploads')).toMatchObject([{ class_id: 'course-7', source_context: '{"user":1}' }])
  })
})

describe('a request that cannot be met', () => {
  test.each([
    ['no name', { fileName: undefined }, 'invalid_request', 'fileName is missing'],
    ['an empty name', { fileName: '' }, 'invalid_request', /^fileName must be a text of 1 to 255/],
    ['a line break in a name', { fileName: 'a\nb' }, 'invalid_request', /^fileName/],
    ['a size of nothing', { sizeBytes: 0 }, 'invalid_request', /^sizeBytes must be a whole number of bytes/],
    ['half a byte', { sizeBytes: 0.5 }, 'invalid_request', /^sizeBytes/],
    ['a size as text', { sizeBytes: '5' }, 'invalid_request', /^sizeBytes/],
    ['more than is accepted', { sizeBytes: 5001 }, 'too_large', 'sizeBytes must be at most 5000'],
    ['no media type', { contentType: 'mp4' }, 'invalid_request', /^contentType must be a media type/],
    ['a header inside a media type', { contentType: 'video/mp4\r\nx: y' }, 'invalid_request', /^contentType/],
    ['a short hash', { sha256: 'abc' }, 'invalid_request', 'sha256 must be 64 hexadecimal digits'],
    ['a class with blanks', { classId: 'a b' }, 'invalid_request', /^classId/],
    ['a long context', { sourceContext: 'x'.repeat(1001) }, 'invalid_request', /^sourceContext/],
    ['a form upload', { method: 'form' }, 'invalid_request', /^method must be "sts"/],
    ['a procedure', { procedure: 'p1' }, 'invalid_request', /^procedure is not supported yet/],
    ['a cover', { cover: true }, 'invalid_request', /^cover is not supported yet/],
    ['a misspelt field', { titel: 'x' }, 'invalid_request', 'titel is not a known field'],
  ])('because of %s is refused by name', async (_, part, code, message) => {
    await expect(world().post({ ...wish, ...part })).rejects.toMatchObject({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  })

  test('because it is not JSON is refused', async () => {
    await expect(world().post(undefined, {}, '{')).rejects.toMatchObject({ code: 'invalid_json' })
  })

  test.each([['Basic abc'], ['Bearer'], ['Upload session-of-ann'], ['Bearer forged']])(
    'because nobody is signed in with "%s" is refused',
    async (authorization) => {
      await expect(world().post(wish, { authorization })).rejects.toMatchObject({ code: 'unauthenticated' })
    },
  )

  test('leaves nothing behind', async () => {
    const { post, tables } = world()
    await post({ ...wish, sizeBytes: 0 }, { 'idempotency-key': 'k' }).then(
      () => expect.unreachable(),
      () => undefined,
    )
    expect(Object.values(tables.dump()).flat()).toEqual([])
  })
})

describe('a repeat with the same Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k1' }

  test('is the same upload with fresh credentials', async () => {
    const { begin, tables } = world()
    const first = await begin(wish, key)
    const second = await begin(wish, key)
    expect(second.status).toBe(201)
    expect(second.data).toEqual({ ...first.data, credentials: expect.objectContaining({ accessKeyId: 'id2' }) })
    expect(tables.rows('uploads')).toHaveLength(1)
  })

  test('finds the same upload when both come at once', async () => {
    const { begin, tables } = world()
    const [first, second] = await Promise.all([begin(wish, key), begin(wish, key)])
    expect(first?.data.videoId).toBe(second?.data.videoId)
    expect(tables.rows('uploads')).toHaveLength(1)
  })

  test('but another body is a conflict', async () => {
    const { begin, post } = world()
    await begin(wish, key)
    await expect(post({ ...wish, title: 'x' }, key)).rejects.toMatchObject({ code: 'idempotency_conflict' })
  })

  test('of another person is another upload', async () => {
    const { begin, tables } = world()
    await begin(wish, key)
    await begin(wish, { ...key, authorization: 'Bearer session-of-bob' })
    expect(tables.rows('uploads')).toHaveLength(2)
  })

  test('after the upload is over is refused, since rights are no longer given', async () => {
    const { begin, post, deps } = world()
    const { data } = await begin(wish, key)
    await deps.uploads.move(String(data.uploadId), 'waiting', 'cancelled')
    await expect(post(wish, key)).rejects.toMatchObject({ code: 'upload_closed' })
  })

  test.each([['two words'], ['x'.repeat(256)]])('that is no key is refused: %s', async (bad) => {
    await expect(world().post(wish, { 'idempotency-key': bad })).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

test('answers its health check, and nothing else', async () => {
  const { deps } = world()
  expect((await onRequest(new Request('http://api/healthz/sts-token'), deps)).status).toBe(200)
  expect((await onRequest(new Request('http://api/v1/uploads'), deps)).status).toBe(405)
  await expect(onRequest(new Request('http://api/v1/other'), deps)).rejects.toMatchObject({ code: 'not_found' })
})
