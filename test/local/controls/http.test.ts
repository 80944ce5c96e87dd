import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStage, type Stage } from './stage.ts'

let open: Stage
let shut: Stage

beforeAll(async () => {
  open = await openStage({ controls: true })
  shut = await openStage()
})
afterAll(async () => {
  await open.dispose()
  await shut.dispose()
})

async function ask(stage: Stage, method: string, path: string, body?: unknown, type = 'application/json') {
  const answer = await fetch(`${stage.local.cloud.gateway}/__local/${path}`, {
    method,
    ...(method === 'GET'
      ? {}
      : { headers: { 'content-type': type }, body: typeof body === 'string' ? body : JSON.stringify(body ?? {}) }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

test('without the option there are no controls', async () => {
  for (const path of ['advance', 'idle', 'faults']) expect((await ask(shut, 'POST', path)).status).toBe(404)
  expect((await ask(shut, 'GET', 'clock')).status).toBe(404)
})

test('the clock is moved, and says where it is', async () => {
  const before = Date.now()
  const moved = await ask(open, 'POST', 'advance', { ms: 86_400_000 })
  expect(moved.status).toBe(200)
  expect(moved.body.now).toBeGreaterThanOrEqual(before + 86_400_000)
  expect((await ask(open, 'GET', 'clock')).body.now).toBeGreaterThanOrEqual(before + 86_400_000)
})

test('faults are set, listed, and taken away one by one or all together', async () => {
  const { body } = await ask(open, 'POST', 'faults', {
    fault: 'call',
    service: 'oss',
    operation: 'PutObject',
    when: 'before',
  })
  await ask(open, 'POST', 'faults', { fault: 'disk', step: 'fsync' })
  await expect(open.oss().put('x', Buffer.from('x'))).rejects.toThrow()
  const listed = (await ask(open, 'GET', 'faults')).body.faults
  expect(listed).toMatchObject([{ id: body.id, seen: 1, struck: 1, fault: { outcome: 'cut' } }, { seen: 0 }])
  expect((await ask(open, 'DELETE', `faults/${body.id}`)).body).toEqual({ removed: true })
  expect((await ask(open, 'DELETE', `faults/${body.id}`)).body).toEqual({ removed: false })
  await ask(open, 'DELETE', 'faults')
  expect(open.local.faults.list()).toEqual([])
})

test('idle answers when what was started is over', async () => {
  await open.oss().put('outbox/idle', Buffer.from('x'))
  expect((await ask(open, 'POST', 'idle')).status).toBe(200)
  expect(open.notes()).toContain('outbox/idle')
})

test('the lag of indexes is set', async () => {
  expect((await ask(open, 'POST', 'index-lag', { ms: 5 })).body).toEqual({ ms: 5 })
  expect((await ask(open, 'POST', 'index-lag', { ms: 0 })).status).toBe(200)
})

describe('what is refused', () => {
  test.each<[string, string, string, unknown, number]>([
    ['time that goes back', 'POST', 'advance', { ms: -1 }, 400],
    ['no time', 'POST', 'advance', {}, 400],
    ['a lag below 0', 'POST', 'index-lag', { ms: -1 }, 400],
    ['an unknown fault', 'POST', 'faults', { fault: 'none' }, 400],
    ['what is not JSON', 'POST', 'faults', '{', 400],
    ['what is no object', 'POST', 'faults', '3', 400],
    ['another method', 'PUT', 'faults', {}, 404],
    ['another path', 'POST', 'reboot', {}, 404],
  ])('%s', async (_what, method, path, body, status) => {
    expect(await ask(open, method, path, body)).toMatchObject({ status, body: { error: expect.any(String) } })
  })

  test('what a page of another origin could send without asking', async () => {
    expect((await ask(open, 'POST', 'advance', { ms: 1 }, 'text/plain')).status).toBe(415)
    const preflight = await fetch(`${open.local.cloud.gateway}/__local/advance`, {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([404, null])
  })
})
