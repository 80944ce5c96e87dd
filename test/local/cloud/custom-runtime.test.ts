import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AppError } from '../../../shared/errors.ts'
import type { FcContext } from '../../../shared/fc.ts'
import { type FcServer, type PlainRoute, serveHttp } from '../../../shared/fc-server.ts'
import { type Answer, okAnswer } from '../../../shared/plain.ts'

const platform = {
  'x-fc-request-id': 'r-1',
  'x-fc-access-key-id': 'STS.x',
  'x-fc-access-key-secret': 'secret',
  'x-fc-security-token': 'token',
  'x-fc-account-id': '123',
  'x-fc-region': 'cn-hangzhou',
  'x-fc-function-name': 'play-redirect',
}
let logged: string[]
const servers: FcServer[] = []
beforeEach(() => {
  logged = []
  vi.spyOn(console, 'log').mockImplementation((line: string) => void logged.push(line))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serve(route: PlainRoute<FcContext>, onEvent?: (event: unknown, context: FcContext) => Promise<unknown>) {
  const server = await serveHttp((context) => context, route, {
    port: 0,
    host: '127.0.0.1',
    ...(onEvent ? { onEvent } : {}),
  })
  servers.push(server)
  return { server, url: `http://127.0.0.1:${server.port}` }
}

test('a request comes through verbatim, repeated parameters included', async () => {
  const { url } = await serve(async (request) =>
    okAnswer({ path: request.path, x: request.query().getAll('x'), body: await request.text() }),
  )
  const answer = await fetch(`${url}/play/a%2Fb?x=1&x=2,3`, { method: 'POST', body: 'häß', headers: platform })
  expect(await answer.json()).toMatchObject({ data: { path: '/play/a%2Fb', x: ['1', '2,3'], body: 'häß' } })
})

test('the context comes from the headers of the platform, which the route does not see', async () => {
  const { url } = await serve(async (request, context) =>
    okAnswer({ context, seen: [...Object.keys(platform), 'X-Own'].filter((name) => request.headers.has(name)) }),
  )
  const headers = { ...platform, 'x-forwarded-for': '1.1.1.1, 203.0.113.7', 'x-own': '1' }
  const { data } = (await (await fetch(url, { headers })).json()) as { data: unknown }
  expect(data).toEqual({
    context: {
      requestId: 'r-1',
      credentials: { accessKeyId: 'STS.x', accessKeySecret: 'secret', securityToken: 'token' },
      accountId: '123',
      region: 'cn-hangzhou',
      functionName: 'play-redirect',
      sourceIp: '203.0.113.7',
    },
    seen: ['X-Own'],
  })
  expect(logged.join()).not.toContain('secret')
})

test('answers have the same form as in a built-in runtime', async () => {
  const { url } = await serve(async (request) => {
    if (request.path === '/ok') return okAnswer({ a: 1 })
    if (request.path === '/known') throw new AppError('segment_not_found', 'No such segment')
    throw new Error('hunter2')
  })
  const success = await fetch(`${url}/ok`, { headers: platform })
  expect(await success.json()).toEqual({ data: { a: 1 }, requestId: 'r-1' })
  expect(success.headers.get('x-request-id')).toBe('r-1')
  const known = await fetch(`${url}/known`, { headers: platform })
  expect([known.status, await known.json()]).toMatchObject([404, { code: 'segment_not_found', requestId: 'r-1' }])
  const bug = await fetch(`${url}/bug`, { headers: platform })
  const text = await bug.text()
  expect([bug.status, text.includes('hunter2')]).toEqual([500, false])
})

test('a redirect and text leave as they are, with their length', async () => {
  const answers: Record<string, Answer> = {
    '/': { status: 302, headers: { location: 'http://oss/a?b=c' }, body: '' },
    '/text': { status: 200, headers: { etag: '"1"' }, body: 'häß' },
    '/same': { status: 304, headers: { etag: '"1"' }, body: '' },
  }
  const { url } = await serve(async (request) => answers[request.path] ?? okAnswer(null))
  const get = async (path: string, method = 'GET') => {
    const answer = await fetch(`${url}${path}`, { method, redirect: 'manual' })
    const { status, headers } = answer
    return [status, headers.get('location') ?? headers.get('etag'), headers.get('content-length'), await answer.text()]
  }
  expect(await get('/')).toEqual([302, 'http://oss/a?b=c', '0', ''])
  expect(await get('/text')).toEqual([200, '"1"', '5', 'häß'])
  expect(await get('/text', 'HEAD')).toEqual([200, '"1"', '5', ''])
  expect(await get('/same')).toEqual([304, '"1"', null, ''])
})

test('HEAD is answered without a body', async () => {
  const { url } = await serve(async () => okAnswer({ a: 1 }))
  const answer = await fetch(url, { method: 'HEAD' })
  expect([answer.status, await answer.text()]).toEqual([200, ''])
})

test('many requests run at the same time', async () => {
  let waiting = 0
  let release = () => {}
  const all = new Promise<void>((resolve) => {
    release = resolve
  })
  const { url } = await serve(async () => {
    if (++waiting === 5) release()
    await all
    return okAnswer(null)
  })
  const answers = await Promise.all(Array.from({ length: 5 }, () => fetch(url)))
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200])
})

test('an event is handled, and its failure is told by the header that counts', async () => {
  const { url } = await serve(
    async () => okAnswer('http'),
    async (event) => {
      if ((event as { fail?: boolean }).fail) throw new Error('no')
      return 'done'
    },
  )
  const send = (body: string) => fetch(`${url}/invoke`, { method: 'POST', body, headers: platform })
  const good = await send('{}')
  expect([good.status, await good.json(), good.headers.get('x-fc-status')]).toEqual([200, 'done', null])
  for (const body of ['{"fail":true}', 'not json']) {
    const bad = await send(body)
    expect([bad.status, bad.headers.get('x-fc-status')]).toEqual([404, '404'])
  }
})

test('nobody can send events to a function that has none', async () => {
  const { url } = await serve(async (request) => okAnswer(request.path))
  expect(await (await fetch(`${url}/invoke`, { method: 'POST', body: '{}' })).json()).toMatchObject({ data: '/invoke' })
})

test('a body beyond what the gateway lets through is refused', async () => {
  const { url } = await serve(async (request) => okAnswer((await request.text()).length))
  const answer = await fetch(url, { method: 'POST', body: Buffer.alloc(33 * 1024 * 1024), headers: platform })
  expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'too_large' }])
})

test('closing lets a running request end and takes no new one', async () => {
  let release = () => {}
  let arrived = () => {}
  const inside = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const { server, url } = await serve(async () => {
    arrived()
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return okAnswer('late')
  })
  const running = fetch(url)
  await inside
  const closed = server.close()
  release()
  expect(await (await running).json()).toMatchObject({ data: 'late' })
  await closed
  await expect(fetch(url)).rejects.toThrow()
})
