import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  account,
  functionResource,
  httpTrigger,
  makeProject,
  manifestText,
  type Project,
  type Running,
} from './project.ts'

const ECHO = `
export const handler = async (event, context) => {
  const request = JSON.parse(event)
  return { statusCode: 200, headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ isBuffer: Buffer.isBuffer(event), event: request, context, env: process.env, cwd: process.cwd() }) }
}`

/** Answers with what the path names, so that each result form is one request. */
const RESULTS = `
const results = {
  '/results/binary': { statusCode: 200, headers: { 'content-type': 'image/png' }, isBase64Encoded: true, body: Buffer.from([0, 255, 128]).toString('base64') },
  '/results/bare': { hello: 'world' },
  '/results/text': 'plain text',
  '/results/bad-status': { statusCode: 'many' },
  '/results/big-headers': { statusCode: 200, headers: { 'x-big': 'x'.repeat(8200) }, body: '' },
  '/results/redirect': { statusCode: 302, headers: { Location: 'http://elsewhere/', 'x-fc-mine': '1', Server: 'mine', Connection: 'close', 'x-kept': '1' }, body: '' },
  '/results/cors': { statusCode: 200, headers: { 'Access-Control-Allow-Origin': '*' }, body: '' },
}
export const handler = (event, context, callback) => {
  const { rawPath } = JSON.parse(event)
  if (rawPath === '/results/handled') return callback(new Error('told by callback'))
  if (rawPath === '/results/thrown') throw new TypeError('thrown')
  if (rawPath === '/results/exit') process.exit(3)
  if (rawPath === '/results/forever') return
  callback(null, results[rawPath])
}`

let project: Project
let running: Running

beforeAll(async () => {
  project = await makeProject({
    's.yaml': manifestText(
      {
        echo: functionResource('echo', {
          environmentVariables: {
            GREETING: 'hello',
            TOOL: '/opt/bin/tool',
            PLACE: '/code/data',
            KEPT: 'http://host/opt/x',
          },
          triggers: [httpTrigger(['GET', 'POST', 'PUT'])],
          layers: ['acs:fc:cn-hangzhou:1:layers/tools/versions/2'],
        }),
        results: functionResource('results', { timeout: 1, triggers: [httpTrigger()] }),
        options: functionResource('options', { code: './code/echo', triggers: [httpTrigger(['OPTIONS', 'GET'])] }),
      },
      [
        { path: '/echo/*', functionName: 'echo' },
        { path: '/results/*', functionName: 'results' },
        { path: '/options', functionName: 'options' },
        { path: '/read-only', functionName: 'echo', methods: ['GET'] },
      ],
    ),
    'code/echo/index.mjs': ECHO,
    'code/results/index.mjs': RESULTS,
    'web/index.html': '<title>start</title>',
    'web/assets/app-1234.js': 'export {}',
    'secret.txt': 'outside',
  })
  running = await project.start()
})
afterAll(() => project.dispose())

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  raw: string[]
  body: Buffer
}

/** Plain node:http, since fetch hides repeated headers and refuses some requests that must be tried. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: Buffer | string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const sent = httpRequest(new URL(running.gateway), {
      path,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
    })
    sent.once('error', reject)
    sent.once('response', (message) => {
      const chunks: Buffer[] = []
      message.on('data', (chunk: Buffer) => chunks.push(chunk))
      message.once('end', () =>
        resolve({
          status: message.statusCode ?? 0,
          headers: message.headers,
          raw: message.rawHeaders,
          body: Buffer.concat(chunks),
        }),
      )
    })
    sent.end(options.body)
  })
}

async function echo(path: string, options: Parameters<typeof ask>[1] = {}) {
  const answer = await ask(path, options)
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body.toString())
}

describe('the event of an HTTP trigger', () => {
  test('has the documented fields', async () => {
    const { event, isBuffer } = await echo('/echo/a%20b/c?x=1&x=2&y=%26', {
      headers: { 'x-multi': ['one', 'two'], 'user-agent': 'tester' },
    })
    expect(isBuffer).toBe(true)
    expect(event).toMatchObject({
      version: 'v1',
      rawPath: '/echo/a%20b/c',
      body: '',
      isBase64Encoded: false,
      queryParameters: { x: '1,2', y: '&' },
      requestContext: {
        accountId: account.accountId,
        domainName: '127.0.0.1',
        http: { method: 'GET', path: '/echo/a b/c', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'tester' },
      },
    })
    expect(event.headers['X-Multi'].replace(/\s/g, '')).toBe('one,two')
    expect(event.requestContext.timeEpoch).toMatch(/^\d{13}$/)
    expect(event.requestContext.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  test.each([
    ['JSON', 'application/json', Buffer.from('{"a":"é"}'), false],
    ['a form', 'application/x-www-form-urlencoded', Buffer.from('a=1'), false],
    ['binary', 'application/octet-stream', Buffer.from([0, 1, 255]), true],
    ['text that is not UTF-8', 'text/plain', Buffer.from([255, 254]), true],
  ])('carries %s', async (_what, type, body, isBase64Encoded) => {
    const { event } = await echo('/echo/x', { method: 'POST', headers: { 'content-type': type }, body })
    expect(event.isBase64Encoded).toBe(isBase64Encoded)
    expect(Buffer.from(event.body, isBase64Encoded ? 'base64' : 'utf8')).toEqual(body)
  })
})

test('an instance sees its context and nothing but the documented environment', async () => {
  const { context, env, cwd } = await echo('/echo/x')
  expect(context).toMatchObject({
    requestId: expect.stringMatching(/^1-/),
    function: { name: 'echo', handler: 'index.handler', timeout: 10 },
    region: 'cn-hangzhou',
    accountId: account.accountId,
    credentials: { accessKeyId: expect.stringMatching(/^STS\./), securityToken: expect.any(String) },
  })
  expect(env).toMatchObject({
    GREETING: 'hello',
    TOOL: `${project.dir}/dist/layers/tools/bin/tool`,
    PLACE: `${project.dir}/code/echo/data`,
    KEPT: 'http://host/opt/x',
    FC_FUNCTION_NAME: 'echo',
    FC_FUNC_CODE_PATH: `${project.dir}/code/echo/`,
  })
  expect(cwd).toBe(`${project.dir}/code/echo`)
  const names = Object.keys(env).filter((name) => !/^(FC_|ALIBABA_CLOUD_|NODE_CHANNEL_)/.test(name))
  expect(names.sort()).toEqual([
    'GREETING',
    'HOME',
    'KEPT',
    'LANG',
    'LD_LIBRARY_PATH',
    'PATH',
    'PLACE',
    'TMPDIR',
    'TOOL',
  ])
})

describe('the result of a function', () => {
  test('may be binary in base64', async () => {
    const answer = await ask('/results/binary')
    expect(answer.headers['content-type']).toBe('image/png')
    expect(answer.body).toEqual(Buffer.from([0, 255, 128]))
  })

  test('without a statusCode is 200 and JSON', async () => {
    const answer = await ask('/results/bare')
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
    expect(answer.body.toString()).toBe('{"hello":"world"}')
    expect((await ask('/results/text')).body.toString()).toBe('plain text')
  })

  test('keeps its headers except those that are reserved', async () => {
    const { status, headers } = await ask('/results/redirect')
    expect(status).toBe(302)
    expect(headers).toMatchObject({ location: 'http://elsewhere/', 'x-kept': '1' })
    expect(headers['x-fc-mine']).toBeUndefined()
    expect(headers.server).toBeUndefined()
    expect(headers['x-fc-request-id']).toMatch(/^1-/)
  })

  test.each([
    ['headers over 8 KB', '/results/big-headers', 502, 'BadResponse'],
    ['a statusCode that is none', '/results/bad-status', 502, 'BadResponse'],
    ['an error given to the callback', '/results/handled', 502, 'told by callback'],
    ['an error thrown', '/results/thrown', 502, 'TypeError'],
    ['a process that exits', '/results/exit', 502, 'exited unexpectedly'],
    ['no answer in time', '/results/forever', 504, 'FunctionTimedOut'],
  ])('is replaced for %s', async (_what, path, status, text) => {
    const answer = await ask(path)
    expect(answer.status).toBe(status)
    expect(answer.body.toString()).toContain(text)
    // The next request finds a working function.
    expect((await ask('/results/bare')).status).toBe(200)
  })
})

describe('CORS', () => {
  const origin = 'http://page.example'

  test('reflects the origin, and appends to what the function says itself', async () => {
    expect((await ask('/echo/x', { headers: { origin } })).headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
    })
    const { raw } = await ask('/results/cors', { headers: { origin } })
    const values = raw.filter((_text, index) => raw[index - 1]?.toLowerCase() === 'access-control-allow-origin')
    expect(values).toEqual(['*', origin])
  })

  test('answers preflights unless the trigger takes OPTIONS', async () => {
    const headers = { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-mine' }
    const answer = await ask('/echo/x', { method: 'OPTIONS', headers })
    expect(answer.status).toBe(204)
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, PUT',
      'access-control-allow-headers': 'x-mine',
    })
    expect((await echo('/options', { method: 'OPTIONS', headers })).event.requestContext.http.method).toBe('OPTIONS')
  })
})

describe('limits of the gateway', () => {
  test.each([
    ['headers over 8 KB', '/echo/x', { headers: { 'x-big': 'x'.repeat(8200) } }, 400, 'InvalidArgument'],
    ['a path over 4 KB', `/echo/${'x'.repeat(4100)}`, {}, 400, 'InvalidArgument'],
    [
      'a body over 32 MB',
      '/echo/x',
      { method: 'POST', body: Buffer.alloc(32 * 1024 * 1024 + 1) },
      400,
      'InvalidArgument',
    ],
    ['a method that the trigger does not take', '/echo/x', { method: 'DELETE' }, 405, 'MethodNotAllowed'],
    ['a method that the route does not take', '/read-only', { method: 'POST' }, 405, 'MethodNotAllowed'],
    ['a path that nothing serves', '/nowhere', {}, 404, 'DomainRouteNotFound'],
  ])('%s', async (_what, path, options, status, code) => {
    const answer = await ask(path, options)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ Code: code, RequestId: expect.any(String) })
  })
})

describe('pages', () => {
  test.each([
    ['/', 200, 'text/html; charset=utf-8', 'start'],
    ['/watch/abc', 200, 'text/html; charset=utf-8', 'start'],
    ['/login', 200, 'text/html; charset=utf-8', 'start'],
    ['/upload', 200, 'text/html; charset=utf-8', 'start'],
    ['/library/', 200, 'text/html; charset=utf-8', 'start'],
    ['/watch/abc/def', 404, 'application/json', 'DomainRouteNotFound'],
    ['/first-paint.js', 404, 'application/json', 'DomainRouteNotFound'],
    ['/assets/app-1234.js', 200, 'text/javascript; charset=utf-8', 'export'],
    ['/assets/../../secret.txt', 404, 'application/json', 'DomainRouteNotFound'],
    ['/assets/%2e%2e/%2e%2e/secret.txt', 404, 'application/json', 'DomainRouteNotFound'],
    ['/%00', 404, 'application/json', 'DomainRouteNotFound'],
    ['/%', 404, 'application/json', 'DomainRouteNotFound'],
    ['/assets', 404, 'application/json', 'DomainRouteNotFound'],
  ])('%s', async (path, status, type, text) => {
    const answer = await ask(path)
    expect([answer.status, answer.headers['content-type']]).toEqual([status, type])
    expect(answer.body.toString()).toContain(text)
  })

  test('run no script but our own, and reach OSS under whatever name it has', async () => {
    const policy = String((await ask('/library')).headers['content-security-policy']).split('; ')
    expect(policy).toContain("script-src 'self'")
    for (const kind of ['connect-src', 'media-src', 'img-src']) {
      expect(policy.find((one) => one.startsWith(kind))).toContain(' http://oss.lan:9001')
    }
    expect((await ask('/assets/app-1234.js')).headers['content-security-policy']).toBeUndefined()
  })
})

test('the log of a function names its requests', async () => {
  await ask('/results/bare')
  const log = () => project.logOf('results')
  await expect.poll(log).toMatch(/FC Invoke Start RequestId: 1-[\da-f-]+/)
  await expect.poll(log).toMatch(/FC Invoke End RequestId: 1-[\da-f-]+/)
  await expect.poll(log).toContain('Function timed out after 1 seconds')
})
