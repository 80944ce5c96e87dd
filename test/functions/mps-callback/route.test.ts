import { expect, test } from 'vitest'
import { type Deps, onRequest } from '../../../functions/mps-callback/route.ts'
import { AppError } from '../../../shared/errors.ts'

const MEDIA = 'media00000000001'

function depsWith(over: Partial<Deps> = {}) {
  const driven: string[] = []
  const spent = new Set<string>()
  const deps: Deps = {
    verify: () => ({ nonce: 'n1' }),
    spend: async (nonce) => spent.size !== spent.add(nonce).size,
    drive: async (mediaId) => void driven.push(mediaId),
    ...over,
  }
  return { deps, driven }
}

function post(body: string) {
  return new Request('http://localhost/callbacks/transcode?sign=x', { method: 'POST', body })
}

test('looks at the media again, and once more when the call is repeated', async () => {
  const { deps, driven } = depsWith()
  const body = JSON.stringify({ mediaId: MEDIA })
  expect(await (await onRequest(post(body), deps)).json()).toEqual({ data: { repeated: false } })
  expect(await (await onRequest(post(body), deps)).json()).toEqual({ data: { repeated: true } })
  expect(driven).toEqual([MEDIA, MEDIA])
})

test('does nothing when the signature is refused', async () => {
  const refuse = () => {
    throw new AppError('signature_mismatch', 'no')
  }
  const { deps, driven } = depsWith({ verify: refuse })
  const call = onRequest(post(JSON.stringify({ mediaId: MEDIA })), deps)
  await expect(call).rejects.toMatchObject({ code: 'signature_mismatch' })
  expect(driven).toEqual([])
})

test('knows no other path and no other method', async () => {
  const { deps } = depsWith()
  expect((await onRequest(new Request('http://localhost/callbacks/transcode'), deps)).status).toBe(405)
  await expect(onRequest(new Request('http://localhost/callbacks/x'), deps)).rejects.toMatchObject({
    code: 'not_found',
  })
})

test.each([
  ['not JSON', '{', 'invalid_json'],
  ['no mediaId', '{}', 'invalid_request'],
  ['a mediaId of another form', '{"mediaId":"../x"}', 'invalid_request'],
  ['an unknown field', `{"mediaId":"${MEDIA}","x":1}`, 'invalid_request'],
])('refuses a body with %s', async (_name, body, code) => {
  const { deps, driven } = depsWith()
  await expect(onRequest(post(body), deps)).rejects.toMatchObject({ code })
  expect(driven).toEqual([])
})
