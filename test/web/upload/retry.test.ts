import { expect, test } from 'vitest'
import { ApiError } from '../../../web/http.ts'
import { pauseMs, persistently, remedyOf } from '../../../web/upload/retry.ts'
import { StoreError } from '../../../web/upload/store.ts'

test.each([
  [new StoreError('network', 0, ''), 'wait'],
  [new ApiError('network', 0, ''), 'wait'],
  [new StoreError('InternalError', 500, ''), 'wait'],
  [new ApiError('rate_limited', 429, ''), 'wait'],
  [new StoreError('SecurityTokenExpired', 403, ''), 'renew'],
  [new StoreError('InvalidAccessKeyId', 403, ''), 'renew'],
  [new StoreError('SignatureDoesNotMatch', 403, ''), 'none'],
  [new StoreError('NoSuchUpload', 404, ''), 'none'],
  [new ApiError('upload_closed', 409, ''), 'none'],
  [new TypeError('a bug'), 'none'],
  ['text', 'none'],
] as const)('%s asks for: %s', (error, remedy) => {
  expect(remedyOf(error)).toBe(remedy)
})

test('pauses grow, never beyond 20 s, and are spread', () => {
  expect([0, 1, 2, 3, 10, 1000].map((tries) => pauseMs(tries, 1))).toEqual([500, 1000, 2000, 4000, 20_000, 20_000])
  expect(pauseMs(0, 0)).toBe(250)
})

function world() {
  const told: string[] = []
  const stop = new AbortController()
  const deps = {
    signal: stop.signal,
    random: () => 1,
    onSilence: (silent: boolean) => told.push(silent ? 'silent' : 'heard'),
    onRefused: () => told.push('refused'),
    async pause(ms: number) {
      told.push(`${ms} ms`)
      if (told.length > 300) stop.abort(new Error('stopped'))
    },
  }
  return { told, stop, deps }
}

function failing(times: number, error: Error) {
  let calls = 0
  return async () => {
    calls += 1
    if (calls <= times) throw error
    return calls
  }
}

test('silence is borne without end', async () => {
  const { deps, told } = world()
  expect(await persistently(failing(50, new StoreError('network', 0, '')), deps)).toBe(51)
  expect(told.at(-1)).toBe('heard')
})

test('bad answers are borne eight times', async () => {
  const bad = new StoreError('InternalError', 500, 'busy')
  expect(await persistently(failing(8, bad), world().deps)).toBe(9)
  await expect(persistently(failing(9, bad), world().deps)).rejects.toBe(bad)
})

test('refused rights are renewed before the next try, three times at most', async () => {
  const refused = new StoreError('SecurityTokenExpired', 403, 'over')
  const { deps, told } = world()
  expect(await persistently(failing(1, refused), deps)).toBe(2)
  expect(told).toEqual(['refused', 'heard', '500 ms', 'heard'])
  await expect(persistently(failing(9, refused), world().deps)).rejects.toBe(refused)
})

test('what cannot be helped is told at once', async () => {
  const { deps, told } = world()
  await expect(persistently(failing(1, new StoreError('NoSuchUpload', 404, 'gone')), deps)).rejects.toThrow('gone')
  expect(told).toEqual([])
})

test('who stops an upload does not wait for anything', async () => {
  const { deps, stop } = world()
  stop.abort(new Error('stopped'))
  await expect(persistently(failing(9, new StoreError('network', 0, '')), deps)).rejects.toThrow('stopped')
})
