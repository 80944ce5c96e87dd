import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { routeKey, verifyInternal } from '../../../shared/auth/internal.ts'
import { openCallbacks } from '../../../shared/cloud/callback.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

const secretKey = 'a secret of at least thirty-two characters'
const notice = { mediaId: 'm1', planId: 'p1', taskId: 'v0', attempt: 1 }
const received: { path: string; query: URLSearchParams; body: string }[] = []
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://localhost')
  request.setEncoding('utf8').on('data', (body: string) => {
    received.push({ path: url.pathname, query: url.searchParams, body })
    response.end('{}')
  })
})
let proxy: FaultProxy
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy = await faultProxy(`http://localhost:${(server.address() as AddressInfo).port}`)
})
beforeEach(() => void received.splice(0))
afterAll(async () => {
  await proxy.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const callbacks = () => openCallbacks({ publicUrl: proxy.url, secretKey }, { baseDelayMs: 1, timeoutMs: 2000 })

test('a notice arrives signed for its route', async () => {
  await callbacks().notifyTranscode(notice)
  const [{ path, query, body } = { path: '', query: new URLSearchParams(), body: '' }] = received
  expect([path, JSON.parse(body)]).toEqual(['/callbacks/transcode', notice])
  const verified = verifyInternal({ key: routeKey(secretKey, path), query, body }, Date.now())
  expect(Object.keys(verified).sort()).toEqual(['nonce', 'timestamp'])
})

test('a lost reply makes it arrive again, with the same nonce', async () => {
  proxy.next('cut after')
  await callbacks().notifyTranscode(notice)
  expect(received).toHaveLength(2)
  expect(received[0]?.query.get('nonce')).toBe(received[1]?.query.get('nonce'))
})

test('a receiver in trouble is asked three times and then said to be busy', async () => {
  const before = proxy.seen.length
  proxy.next({ status: 500, body: '' }, 'cut before', { status: 503, body: '' })
  await expect(callbacks().notifyTranscode(notice)).rejects.toMatchObject({ code: 'upstream_busy' })
  expect(proxy.seen.length - before).toBe(3)
})

test('a receiver that refuses is not asked again', async () => {
  const before = proxy.seen.length
  proxy.next({ status: 403, body: '{}' })
  await expect(callbacks().notifyTranscode(notice)).rejects.toMatchObject({ code: 'upstream_failed' })
  expect(proxy.seen.length - before).toBe(1)
})
