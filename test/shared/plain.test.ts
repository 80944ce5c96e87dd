import { describe, expect, test } from 'vitest'
import { AppError } from '../../shared/errors.ts'
import { type Answer, okAnswer, type PlainRequest, plainRoutes, problemAnswer } from '../../shared/plain.ts'

const text = (body: string): Answer => ({ status: 200, headers: {}, body })
const route = plainRoutes<string>((app) => {
  app.get('/play/:playbackId/master.m3u8', (_request, _deps, { playbackId }) => text(`master of ${playbackId}`))
  app.get('/play/:playbackId/:rendition/index.m3u8', (_request, _deps, { playbackId, rendition }) =>
    text(`${rendition} of ${playbackId}`),
  )
  app.get('/play/:playbackId/:rendition/:file{[0-9]+\\.ts}', (_request, deps, { file }) => text(`${file} for ${deps}`))
  app.get('/both', () => text('read'))
  app.post('/both', async (request) => text(`took ${await request.text()}`))
})

function request(method: string, path: string): PlainRequest {
  const headers = { get: () => null, has: () => false }
  return { method, path, headers, query: () => new URLSearchParams(), text: async () => 'a body' }
}

describe('a route', () => {
  test.each([
    ['GET', '/play/p1/master.m3u8', 'master of p1'],
    ['GET', '/play/p1/720p/index.m3u8', '720p of p1'],
    ['GET', '/play/p1/720p/12.ts', '12.ts for ann'],
    ['HEAD', '/play/p1/720p/12.ts', '12.ts for ann'],
    ['GET', '/play/a%2Fb%20c/master.m3u8', 'master of a/b c'],
    ['GET', '/play/%ff/master.m3u8', 'master of %ff'],
    ['POST', '/both', 'took a body'],
  ])('%s %s is found by method and path, its parameters decoded', async (method, path, body) => {
    expect(await route(request(method, path), 'ann')).toMatchObject({ status: 200, body })
  })

  test.each(['/', '/play', '/play/p1/720p/x.ts', '/play/p1/720p/1.ts/', '/play//master.m3u8', '/both/'])(
    'is not found at %s',
    async (path) => {
      await expect(route(request('GET', path), 'ann')).rejects.toMatchObject({ code: 'not_found' })
    },
  )

  test.each([
    ['POST', '/play/p1/master.m3u8', 'GET, HEAD'],
    ['DELETE', '/both', 'GET, HEAD, POST'],
  ])('is answered 405 for %s %s, with what is allowed', async (method, path, allow) => {
    const answer = await route(request(method, path), 'ann')
    expect([answer.status, answer.headers.allow]).toEqual([405, allow])
  })
})

test('a success and a failure are JSON that nothing keeps', () => {
  expect(okAnswer([1])).toMatchObject({ status: 200, body: { data: [1] }, headers: { 'cache-control': 'no-store' } })
  const problem = problemAnswer(new AppError('unauthenticated', 'Who are you?'), { extra: '1' })
  expect(problem).toMatchObject({ status: 401, body: { code: 'unauthenticated', detail: 'Who are you?' } })
  expect(problem.headers).toMatchObject({ 'www-authenticate': 'Bearer', extra: '1' })
  expect(problem.headers['content-type']).toBe('application/problem+json')
})
