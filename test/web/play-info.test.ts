import { expect, onTestFinished, test } from 'vitest'
import { clockText, fetchPlayInfo, playbackIdOf } from '../../web/play-info.ts'

test.each([
  ['/watch/AbCd1234AbCd1234', 'AbCd1234AbCd1234'],
  ['/watch/AbCd1234AbCd1234/', 'AbCd1234AbCd1234'],
  ['/watch/', undefined],
  ['/watch/..%2Fplay', undefined],
  ['/other/AbCd1234AbCd1234', undefined],
])('the address %s names the playback %s', (pathname, playbackId) => {
  expect(playbackIdOf(pathname)).toBe(playbackId)
})

test.each([
  [0, '0:00'],
  [59_499, '0:59'],
  [59_500, '1:00'],
  [3_723_000, '1:02:03'],
])('%d ms read as %s', (durationMs, text) => {
  expect(clockText(durationMs)).toBe(text)
})

test('what there is to play is taken out of the answer', async () => {
  answerWith(() => Response.json({ data: { title: 'A' }, requestId: '1' }))
  expect(await fetchPlayInfo('abc')).toEqual({ title: 'A' })
})

test.each([500, 503, 429])('status %d may pass, so the page asks again', async (status) => {
  answerWith(() => new Response('', { status }))
  expect(await fetchPlayInfo('abc')).toBeUndefined()
})

test('a connection that fails may come back, so the page asks again', async () => {
  answerWith(() => {
    throw new TypeError('network')
  })
  expect(await fetchPlayInfo('abc')).toBeUndefined()
})

test('a playback that does not exist is the end', async () => {
  answerWith(() => new Response('', { status: 404 }))
  await expect(fetchPlayInfo('abc')).rejects.toThrow('no video at this address')
})

test('a refusal is explained by the sentence of the API', async () => {
  answerWith(() => Response.json({ detail: 'Only on Sundays' }, { status: 403 }))
  await expect(fetchPlayInfo('abc')).rejects.toThrow('Only on Sundays')
})

function answerWith(answer: () => Response): void {
  const real = globalThis.fetch
  globalThis.fetch = async () => answer()
  onTestFinished(() => {
    globalThis.fetch = real
  })
}
