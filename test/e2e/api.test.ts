import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiOperation, openApi } from '../../docs/generator/open-api.ts'
import { answersOf } from '../docs/answers.ts'
import { clipFile, openStage, ossOf, type Stage, type Ticket } from './cloud.ts'

const api = openApi()
const { faults } = answersOf(api)
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)

let stage: Stage
let ticket: Ticket
/** Successes that were seen, as `operationId status`. */
const seen = new Set<string>()

beforeAll(async () => {
  stage = await openStage()
  ticket = (await stage.upload(await clipFile('plain'))).ticket
})
afterAll(() => stage?.close())

interface Call {
  readonly parameters?: Readonly<Record<string, string>>
  readonly query?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Calls an operation as the document describes it, and holds whatever is answered against the document. */
async function call(operationId: string, { parameters = {}, query = '', body, headers = {} }: Call = {}) {
  const found = operations.find(({ operation }) => operation.operationId === operationId)
  if (!found) throw new Error(`the document has no ${operationId}`)
  const path = found.path.replace(/\{(\w+)\}/g, (_match, name: string) => parameters[name] ?? '')
  const response = await fetch(`${stage.local.cloud.gateway}${path}${query}`, {
    method: found.method,
    redirect: 'manual',
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(answerFaults(found.operation, response, text), `${found.method} ${path} answered ${text}`).toEqual([])
  if (response.status < 400) seen.add(`${operationId} ${response.status}`)
  const json = text.startsWith('{') ? JSON.parse(text) : {}
  return { status: response.status, headers: response.headers, text, code: json.code, data: json.data }
}

function answerFaults(operation: ApiOperation, response: Response, text: string): string[] {
  const own = operation.responses[String(response.status)]
  const described = own ?? (response.status >= 400 ? operation.responses.default : undefined)
  if (!described) return [`the status ${response.status} is not described`]
  const [[mediaType, media] = []] = Object.entries(described.content ?? {})
  if (!mediaType || !media) return text === '' ? [] : ['a body is not described']
  if (response.headers.get('content-type')?.split(';')[0] !== mediaType) return [`expected ${mediaType}`]
  return faults(media.schema, mediaType.endsWith('json') ? JSON.parse(text) : text)
}

const token = async () => ({ authorization: `Bearer ${(await signIn()).token}` })

async function signIn(): Promise<{ token: string }> {
  const { username, password } = stage.local.cloud.user
  return (await call('createSession', { body: { username, password } })).data
}

const newUpload = { fileName: 'a.mp4', sizeBytes: 5, contentType: 'video/mp4' }

describe('every answer is one that the document describes:', () => {
  test('accounts and sessions', async () => {
    const account = { username: 'ann-of-the-api', password: 'correct horse' }
    expect(await call('createAccount', { body: account })).toMatchObject({ status: 201 })
    expect(await call('createAccount', { body: account })).toMatchObject({ code: 'username_taken' })
    expect(await call('createAccount', { body: { ...account, age: 7 } })).toMatchObject({ code: 'invalid_request' })
    expect(await call('createAccount', { body: '{' })).toMatchObject({ code: 'invalid_json' })
    expect(await call('createSession', { body: account })).toMatchObject({ status: 201 })
    const wrong = { ...account, password: 'wrong' }
    expect(await call('createSession', { body: wrong })).toMatchObject({ code: 'wrong_credentials' })
  })

  test('an upload', async () => {
    const headers = { ...(await token()), 'idempotency-key': 'the-one' }
    const created = await call('createUpload', { headers, body: newUpload })
    expect(created.status).toBe(201)
    expect((await call('createUpload', { headers, body: newUpload })).data.uploadId).toBe(created.data.uploadId)
    const other = { ...newUpload, sizeBytes: 6 }
    expect(await call('createUpload', { headers, body: other })).toMatchObject({ code: 'idempotency_conflict' })
    const large = { ...newUpload, sizeBytes: 1e15 }
    expect(await call('createUpload', { headers: await token(), body: large })).toMatchObject({ code: 'too_large' })

    const parameters = { id: created.data.uploadId }
    const upload = { authorization: `Upload ${created.data.uploadToken}` }
    expect(await call('getUpload', { parameters, headers: upload })).toMatchObject({ status: 200 })
    expect(await call('renewUploadCredentials', { parameters, headers: upload })).toMatchObject({ status: 200 })
    const early = await call('completeUpload', { parameters, headers: upload })
    expect(early).toMatchObject({ code: 'upload_incomplete' })
    expect(await call('cancelUpload', { parameters, headers: upload })).toMatchObject({ status: 204 })
    expect(await call('renewUploadCredentials', { parameters, headers: upload })).toMatchObject({
      code: 'upload_closed',
    })
    expect(await call('getUpload', { parameters: { id: 'x' }, headers })).toMatchObject({ code: 'upload_not_found' })
    const done = { id: ticket.uploadId }
    expect(await call('completeUpload', { parameters: done, headers })).toMatchObject({ status: 200 })
  })

  test('an upload whose object is no source', async () => {
    const headers = await token()
    const { data } = await call('createUpload', { headers, body: newUpload })
    const empty = join(stage.dataDir, 'empty.mp4')
    await writeFile(empty, '')
    await ossOf(data, true).put(data.key, empty)
    const parameters = { id: data.uploadId }
    expect(await call('completeUpload', { parameters, headers })).toMatchObject({ code: 'source_not_accepted' })
    expect(await call('getUpload', { parameters, headers })).toMatchObject({ data: { state: 'errored' } })
  })

  test('videos', async () => {
    const headers = await token()
    expect(await call('listVideos', { headers, query: '?limit=1' })).toMatchObject({ status: 200 })
    for (const query of ['?limit=0', '?limit=101', '?cursor=x']) {
      expect(await call('listVideos', { headers, query })).toMatchObject({ code: 'invalid_request' })
    }
    const parameters = { id: ticket.videoId }
    expect(await call('getVideo', { parameters, headers })).toMatchObject({ data: { status: 'ready' } })
    expect(await call('getVideo', { parameters: { id: 'x' }, headers })).toMatchObject({ code: 'video_not_found' })
  })

  test('playback', async () => {
    const { playbackId } = ticket
    const info = await call('getPlayInfo', { parameters: { playbackId } })
    expect(info).toMatchObject({ status: 200, data: { playable: true } })
    const master = await call('getMasterPlaylist', { parameters: { playbackId } })
    const headers = { 'if-none-match': master.headers.get('etag') ?? '' }
    expect(await call('getMasterPlaylist', { parameters: { playbackId }, headers })).toMatchObject({ status: 304 })
    const audio = { playbackId, rendition: 'audio' }
    const media = await call('getMediaPlaylist', { parameters: audio })
    expect(media.text).toContain('#EXT-X-ENDLIST')
    const tag = { 'if-none-match': media.headers.get('etag') ?? '' }
    expect(await call('getMediaPlaylist', { parameters: audio, headers: tag })).toMatchObject({ status: 304 })
    const segment = await call('getSegment', { parameters: { ...audio, file: '0.ts' } })
    expect(segment).toMatchObject({ status: 302 })
    expect(segment.headers.get('location')).toContain('http')
    const none = { ...audio, file: '99999.ts' }
    expect(await call('getSegment', { parameters: none })).toMatchObject({ code: 'segment_not_found' })
    expect(await call('getMediaPlaylist', { parameters: { playbackId, rendition: '9p' } })).toMatchObject({
      code: 'not_found',
    })
    expect(await call('getPlayInfo', { parameters: { playbackId: 'x' } })).toMatchObject({ code: 'playback_not_found' })
  })

  test('beats and positions', async () => {
    const { playbackId } = ticket
    const { data } = await call('getPlayInfo', { parameters: { playbackId } })
    const viewerId = 'a-viewer-of-the-api'
    const beat = {
      playbackId,
      sessionId: data.session,
      viewerId,
      seq: 1,
      positionMs: 400,
      event: 'play',
      playing: true,
    }
    expect(await call('sendBeat', { body: beat })).toMatchObject({ status: 200 })
    expect(await call('sendBeat', { body: { ...beat, seq: 0 } })).toMatchObject({ code: 'invalid_request' })
    const query = `?playbackId=${playbackId}&viewerId=${viewerId}`
    expect(await call('getProgress', { query })).toMatchObject({ data: { positionMs: 400 } })
    expect(await call('getProgress', { query: `?playbackId=${playbackId}` })).toMatchObject({ code: 'invalid_request' })
  })

  test('what our own functions tell each other', async () => {
    const body = JSON.stringify({ mediaId: 'a'.repeat(16) })
    const query = await internalQuery('/callbacks/transcode', body)
    expect(await call('transcodeCallback', { query, body })).toMatchObject({ data: { repeated: false } })
    expect(await call('transcodeCallback', { query, body })).toMatchObject({ data: { repeated: true } })
    expect(await call('transcodeCallback', { query, body: `${body} ` })).toMatchObject({ code: 'signature_mismatch' })
    expect(await call('transcodeCallback', { body })).toMatchObject({ code: 'invalid_signature' })
  })

  test('health of every function', async () => {
    const health = operations.find(({ operation }) => operation.operationId === 'getHealth')
    for (const name of (health?.operation.parameters?.[0]?.schema.enum ?? []) as string[]) {
      expect(await call('getHealth', { parameters: { function: name } })).toMatchObject({ status: 200 })
    }
  })

  test('a video that gets another title, is deleted, and restored', async () => {
    const headers = await token()
    const parameters = { id: ticket.videoId }
    const body = { title: '第二个标题' }
    expect(await call('renameVideo', { parameters, headers, body })).toMatchObject({ data: body })
    expect(await call('renameVideo', { parameters, headers, body: {} })).toMatchObject({ code: 'invalid_request' })
    expect(await call('deleteVideo', { parameters, headers })).toMatchObject({ status: 204 })
    expect(await call('deleteVideo', { parameters, headers })).toMatchObject({ code: 'video_not_found' })
    expect(await call('restoreVideo', { parameters, headers })).toMatchObject({ data: body })
  })

  test('whoever does not say who they are', async () => {
    for (const { operation } of operations.filter(({ operation }) => asksForSession(operation))) {
      const body = operation.requestBody ? {} : undefined
      const parameters = { id: 'x'.repeat(16) }
      for (const authorization of ['', 'Basic x', 'Bearer x']) {
        const headers: Record<string, string> = authorization === '' ? {} : { authorization }
        expect(await call(operation.operationId, { parameters, body, headers })).toMatchObject({
          code: 'unauthenticated',
        })
      }
    }
  })
})

test('every success that the document describes was seen', () => {
  const described = operations.flatMap(({ operation }) =>
    Object.keys(operation.responses)
      .filter((status) => Number(status) < 400)
      .map((status) => `${operation.operationId} ${status}`),
  )
  expect(described.filter((one) => !seen.has(one))).toEqual([])
})

/** Operations for which a session is needed, and not just welcome. */
function asksForSession({ security }: ApiOperation): boolean {
  return security.some((one) => 'session' in one) && !security.some((one) => Object.keys(one).length === 0)
}

/** Signed by hand: what signs in the product must not be what proves it. */
async function internalQuery(path: string, body: string): Promise<string> {
  const { secretKey } = JSON.parse(await readFile(join(stage.dataDir, 'account.json'), 'utf8')) as { secretKey: string }
  const key = createHmac('sha256', secretKey).update(`route:${path}`).digest()
  const query = `nonce=once&timestamp=${Math.floor(Date.now() / 1000)}`
  const sign = createHmac('sha256', key).update(`${query}\n${body}\n`).digest('base64')
  return `?${query}&sign=${encodeURIComponent(sign)}`
}
