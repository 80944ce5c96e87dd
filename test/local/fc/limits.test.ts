import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bare, create, createTrigger, startBare } from './api.ts'

let bare: Bare
let path = ''
beforeAll(async () => {
  bare = await startBare({ slowMs: 200 })
  await create(bare.client, 'web')
  const triggerConfig = { authType: 'anonymous', methods: ['GET', 'POST'] }
  const made = await createTrigger(bare.client, 'web', { triggerName: 'web', triggerType: 'http', triggerConfig })
  path = new URL(made?.httpTrigger?.urlInternet ?? '').pathname
})
afterAll(() => bare.dispose())

/** Writes to a connection and reads until the other side ends it. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: bare.fc.port })
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(answer))
    socket.write(bytes)
  })
}

const GIANT = `X-Giant: ${'g'.repeat(9000)}`
const HUGE = `X-Huge: ${'h'.repeat(40_000)}`

describe('a request that is none, or too much of one, is refused in the words of the service', () => {
  test.each([
    [
      'headers over 8 KB to the API',
      () => `GET /2023-03-30/functions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${GIANT}\r\n\r\n`,
      400,
      'InvalidArgument',
    ],
    [
      'headers over 8 KB to a trigger',
      () => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${GIANT}\r\n\r\n`,
      400,
      'InvalidArgument',
    ],
    [
      'headers that nobody reads to their end',
      () => `GET ${path} HTTP/1.1\r\nHost: x\r\n${HUGE}\r\n\r\n`,
      400,
      'InvalidArgument',
    ],
    ['something that is not HTTP', () => 'hello\r\n\r\n', 400, 'InvalidArgument'],
    ['headers that never end', () => `GET ${path} HTTP/1.1\r\nHost: x\r\nX-A: `, 408, 'RequestTimeout'],
    [
      'a body for a trigger that stops coming',
      () => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`,
      408,
      'RequestTimeout',
    ],
    [
      'a body for the API that stops coming',
      () => 'POST /2023-03-30/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
      408,
      'RequestTimeout',
    ],
    [
      'a declared body over every limit',
      () => 'POST /2023-03-30/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n',
      413,
      'RequestEntityTooLarge',
    ],
    [
      'a declared payload over 32 MB',
      () => 'POST /2023-03-30/functions/web/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n',
      413,
      'RequestEntityTooLarge',
    ],
    [
      'a path over 4 KB to a trigger',
      () => `GET ${path}${'p'.repeat(4100)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      400,
      'InvalidArgument',
    ],
  ])('%s', async (_what, bytes, status, code) => {
    const answer = await exchange(bytes())
    expect(answer.split('\r\n')[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    const body = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1))
    expect(body).toMatchObject({ Code: code, RequestId: expect.stringMatching(/^1-/), Message: expect.any(String) })
  })

  test('and the next one is served', async () => {
    expect((await fetch(`${bare.fc.url}${path}`)).status).toBe(200)
  })
})
