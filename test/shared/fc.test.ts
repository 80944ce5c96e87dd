import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { AppError } from '../../shared/errors.ts'
import { combined, eventHandler, type FcContext, httpHandler, type RuntimeContext } from '../../shared/fc.ts'
import { list, ok } from '../../shared/http.ts'
import { routes } from '../../shared/routes.ts'

const context: RuntimeContext = {
  requestId: 'r-1',
  credentials: { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token' },
  accountId: '123',
  region: 'cn-hangzhou',
  function: { name: 'videos' },
}

let lines: Record<string, unknown>[]
beforeEach(() => {
  lines = []
  const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(JSON.parse(line)))
  onTestFinished(() => spy.mockRestore())
})
afterEach(() => vi.restoreAllMocks())

interface EventOptions {
  method?: string
  path?: string
  headers?: Record<string, string>
  query?: Record<string, string>
  body?: string
  base64?: boolean
}

function httpEvent(options: EventOptions = {}): Buffer {
  const { method = 'GET', path = '/v1/videos', headers = { Host: 'api.example.com' } } = options
  return Buffer.from(
    JSON.stringify({
      version: 'v1',
      rawPath: path,
      headers,
      queryParameters: options.query ?? {},
      body: options.body ?? '',
      isBase64Encoded: options.base64 ?? false,
      requestContext: {
        domainName: 'x.cn-hangzhou.fcapp.run',
        http: { method, path: decodeURI(path), protocol: 'HTTP/1.1', sourceIp: '203.0.113.7' },
        requestId: 'r-1',
      },
    }),
  )
}

/** Runs a route behind the adapter and gives what the gateway gets. */
async function call(route: (request: Request, deps: FcContext) => Promise<Response>, event: Buffer = httpEvent()) {
  return httpHandler((fc) => fc, route)(event, context)
}

describe('the request', () => {
  test('has the address the client used: forwarded scheme, host, raw path, query', async () => {
    const headers = { HOST: 'api.example.com', 'X-Forwarded-Proto': 'https' }
    const event = httpEvent({ headers, path: '/v1/videos/a%2Fb', query: { q: 'a b&c', limit: '5' } })
    const { body } = await call(async (request) => new Response(request.url), event)
    expect(body).toBe('https://api.example.com/v1/videos/a%2Fb?q=a+b%26c&limit=5')
  })

  test('falls back to the domain of the trigger when there is no Host header', async () => {
    const { body } = await call(async (request) => new Response(request.url), httpEvent({ headers: {} }))
    expect(body).toBe('http://x.cn-hangzhou.fcapp.run/v1/videos')
  })

  test('has its headers in any case, and none of the platform', async () => {
    const headers = { AUTHORIZATION: 'Bearer x', 'x-fc-access-key-secret': 'secret', 'X-Fc-Request-Id': 'r' }
    const { body } = await call(async (request) => Response.json([...request.headers.keys()]), httpEvent({ headers }))
    expect(JSON.parse(body)).toEqual(['authorization', 'host'])
  })

  test.each([
    ['text', '{"名":1}', false, '{"名":1}'],
    ['base64', Buffer.from([0, 255, 1]).toString('base64'), true, Buffer.from([0, 255, 1]).toString('latin1')],
  ])('has its body, sent as %s', async (_name, body, base64, expected) => {
    let got: Buffer | undefined
    await call(
      async (request) => {
        got = Buffer.from(await request.arrayBuffer())
        return ok(null)
      },
      httpEvent({ method: 'POST', body, base64 }),
    )
    expect(got?.toString(base64 ? 'latin1' : 'utf8')).toBe(expected)
  })

  test('that names an impossible host is answered 400', async () => {
    const { statusCode } = await call(async () => ok(null), httpEvent({ headers: { host: 'a b' } }))
    expect(statusCode).toBe(400)
  })

  test('reaches dependencies made from the context of this invocation', async () => {
    const { body } = await call(async (_request, deps) => Response.json(deps))
    expect(JSON.parse(body)).toEqual({
      requestId: 'r-1',
      credentials: context.credentials,
      accountId: '123',
      region: 'cn-hangzhou',
      functionName: 'videos',
      sourceIp: '203.0.113.7',
    })
  })

  test('finds empty credentials when the function has no role', async () => {
    const handler = httpHandler(
      (fc) => fc,
      async (_request, deps) => Response.json(deps.credentials),
    )
    const { body } = await handler(httpEvent(), { requestId: 'r' })
    expect(JSON.parse(body)).toEqual({ accessKeyId: '', accessKeySecret: '', securityToken: '' })
  })
})

describe('the answer', () => {
  test('of a success holds data and the request id', async () => {
    const result = await call(async () => ok({ a: '}' }, { status: 201, headers: { location: '/x' } }))
    expect(result).toMatchObject({ statusCode: 201, isBase64Encoded: false })
    expect(JSON.parse(result.body)).toEqual({ data: { a: '}' }, requestId: 'r-1' })
    expect(result.headers).toEqual({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      location: '/x',
      'x-request-id': 'r-1',
    })
  })

  test('of a list holds the cursor too', async () => {
    const { body } = await call(async () => list([1], 'next'))
    expect(JSON.parse(body)).toEqual({ data: [1], nextCursor: 'next', requestId: 'r-1' })
  })

  test('of an expected error is a problem with the code', async () => {
    const result = await call(async () => {
      throw new AppError('video_not_found', 'There is no video with this id')
    })
    expect(result.statusCode).toBe(404)
    expect(result.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(result.body)).toEqual({
      type: 'urn:yunbo:problem:video_not_found',
      title: 'There is no such video',
      status: 404,
      detail: 'There is no video with this id',
      code: 'video_not_found',
      requestId: 'r-1',
    })
  })

  test('of anything else is 500 and says nothing, while the log has the stack', async () => {
    const result = await call(async () => {
      throw new Error('password is hunter2', { cause: new Error('deep') })
    })
    expect(result.statusCode).toBe(500)
    expect(JSON.parse(result.body)).toMatchObject({ code: 'internal', requestId: 'r-1' })
    expect(result.body).not.toContain('hunter2')
    expect(lines[0]).toMatchObject({ level: 'error', requestId: 'r-1', error: 'password is hunter2' })
    expect(lines[0]).toHaveProperty('stack')
    expect(lines[0]).toHaveProperty('cause.error', 'deep')
  })

  test.each([
    ['unauthenticated', 'www-authenticate', 'Bearer'],
    ['rate_limited', 'retry-after', '1'],
    ['upstream_busy', 'retry-after', '1'],
  ] as const)('of %s carries %s', async (code, header, value) => {
    const { headers } = await call(async () => {
      throw new AppError(code, 'x')
    })
    expect(headers[header]).toBe(value)
  })

  test('is base64 only when it is not text', async () => {
    const text = await call(async () => new Response('#EXTM3U ü'))
    expect(text).toMatchObject({ isBase64Encoded: false, body: '#EXTM3U ü' })
    const bytes = await call(async () => new Response(new Uint8Array([255, 0])))
    expect(bytes).toMatchObject({ isBase64Encoded: true, body: '/wA=' })
  })

  test('never has cross-origin headers, which the gateway adds', async () => {
    const headers = { 'Access-Control-Allow-Origin': '*', 'access-control-expose-headers': 'etag', 'x-kept': '1' }
    const result = await call(async () => new Response('', { headers }))
    expect(Object.keys(result.headers)).not.toContainEqual(expect.stringMatching(/^access-control-/))
    expect(result.headers['x-kept']).toBe('1')
  })

  test('with more headers than the gateway takes is a logged error', async () => {
    const location = `https://oss.example.com/?token=${'x'.repeat(8200)}`
    const result = await call(async () => new Response(null, { status: 302, headers: { location } }))
    expect(result.statusCode).toBe(500)
    expect(lines[0]?.error).toMatch(/response headers take \d+ bytes/)
  })

  test('to HEAD has headers and no body', async () => {
    const result = await call(async () => ok(1), httpEvent({ method: 'HEAD' }))
    expect(result).toMatchObject({ statusCode: 200, body: '' })
    expect(result.headers['content-type']).toBe('application/json')
  })

  test('is one line in the access log, without the query', async () => {
    await call(async () => ok(1), httpEvent({ query: { token: 'secret' } }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      level: 'info',
      message: 'request',
      requestId: 'r-1',
      method: 'GET',
      path: '/v1/videos',
      status: 200,
      sourceIp: '203.0.113.7',
    })
    expect(JSON.stringify(lines)).not.toContain('secret')
  })
})

describe('several routes', () => {
  const route = routes<FcContext>((app) => {
    app.get('/v1/videos', (c) => ok({ caller: c.env.requestId }))
    app.get('/v1/videos/:id', (c) => ok({ id: c.req.param('id') }))
    app.delete('/v1/videos/:id', () => {
      throw new AppError('forbidden', 'Not yours')
    })
  })

  test('are found by path and method, with dependencies as bindings', async () => {
    expect(JSON.parse((await call(route)).body).data).toEqual({ caller: 'r-1' })
    const one = await call(route, httpEvent({ path: '/v1/videos/abc' }))
    expect(JSON.parse(one.body).data).toEqual({ id: 'abc' })
  })

  test('let errors through to the adapter', async () => {
    const result = await call(route, httpEvent({ method: 'DELETE', path: '/v1/videos/abc' }))
    expect(JSON.parse(result.body)).toMatchObject({ status: 403, code: 'forbidden', detail: 'Not yours' })
  })

  test('answer HEAD as GET without the body', async () => {
    expect(await call(route, httpEvent({ method: 'HEAD' }))).toMatchObject({ statusCode: 200, body: '' })
  })

  test('answer an unknown path with 404', async () => {
    const result = await call(route, httpEvent({ path: '/v1/none' }))
    expect(JSON.parse(result.body)).toMatchObject({ status: 404, code: 'not_found', requestId: 'r-1' })
  })

  test('answer another method with 405 and what is allowed', async () => {
    const result = await call(route, httpEvent({ method: 'PATCH', path: '/v1/videos/abc' }))
    expect(JSON.parse(result.body)).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(result.headers.allow).toBe('GET, HEAD, DELETE')
  })
})

describe('events', () => {
  test('arrive parsed, and what the function returns is the result', async () => {
    const handler = eventHandler(
      (fc) => fc.requestId,
      async (event, requestId) => ({ event, requestId }),
    )
    expect(await handler(Buffer.from('{"a":1}'), context)).toEqual({ event: { a: 1 }, requestId: 'r-1' })
  })

  test.each([
    ['the function throws', '{}'],
    ['the payload is not JSON', 'not json'],
  ])('fail visibly and with a log entry when %s', async (_name, payload) => {
    const handler = eventHandler(
      () => null,
      async () => {
        throw new SyntaxError('broken')
      },
    )
    await expect(handler(Buffer.from(payload), context)).rejects.toThrow(SyntaxError)
    expect(lines[0]).toMatchObject({ level: 'error', message: 'event failed', requestId: 'r-1' })
  })

  test('and HTTP requests are told apart by their shape', async () => {
    const handler = combined(
      httpHandler(
        () => null,
        async () => ok('http'),
      ),
      eventHandler(
        () => null,
        async () => 'event',
      ),
    )
    expect(await handler(httpEvent(), context)).toMatchObject({ statusCode: 200 })
    expect(await handler(Buffer.from('{"events":[{"oss":{}}]}'), context)).toBe('event')
    expect(await handler(Buffer.from('{"requestContext":{"functionArn":"x"}}'), context)).toBe('event')
  })

  test('are refused by a function that only serves HTTP', async () => {
    await expect(call(async () => ok(1), Buffer.from('{"events":[]}'))).rejects.toThrow('HTTP trigger')
  })
})
