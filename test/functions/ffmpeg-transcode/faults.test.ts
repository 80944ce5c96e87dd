import { expect, test } from 'vitest'
import { assertUnchanged, lostConnection, sawDamage, unreadable } from '../../../functions/ffmpeg-transcode/faults.ts'

test.each([
  ['http://x: Invalid data found when processing input', 'not_a_video', false],
  ['[mov] moov atom not found\nhttp://x: Invalid data found', 'source_truncated', false],
  ['http://x: Connection refused', 'transcode_failed', true],
  [
    '[http] HTTP error 403 Forbidden\nhttp://x: Server returned 403 Forbidden (access denied)',
    'transcode_failed',
    true,
  ],
  ['[https] HTTP error 503 Service Unavailable', 'transcode_failed', true],
  ['Could not find codec parameters for stream 0 (Video: none): unknown codec', 'unsupported_source', false],
  ['', 'not_a_video', false],
])('ffprobe saying %j means %s', (stderr, code, retryable) => {
  expect(unreadable(stderr, undefined).failure).toMatchObject({ code, retryable })
})

const BROKEN = '[http] Stream ends prematurely at 5, should be 9'
const AGAIN = '[http] Will reconnect at 5 in 0 second(s), error=Input/output error.'

test.each([
  [[BROKEN, AGAIN], false],
  [[BROKEN, AGAIN, '[mp4] something else'], false],
  [[BROKEN, AGAIN, BROKEN], true],
  [[BROKEN, AGAIN, '[http] HTTP error 412 Precondition Failed'], true],
  [['http://x: Input/output error'], true],
  [['[http] HTTP error 416 Range Not Satisfiable'], false],
  [[], false],
])('after %j, that the connection is lost is %j', (lines, lost) => {
  expect(lostConnection(lines.join('\n'))).toBe(lost)
})

test('complaints of the decoder are told from those of the encoder', () => {
  expect(sawDamage('[h264] error while decoding MB 3 4, bytestream -7')).toBe(true)
  expect(sawDamage('[mpegts] frame size not set')).toBe(false)
})

test.each([
  [undefined, 'source_missing'],
  [{ etag: '"other"', sizeBytes: 1 }, 'source_changed'],
])('a source that is now %j is refused', (head, code) => {
  expect(() => assertUnchanged(head, 'ABC')).toThrow(
    expect.objectContaining({ failure: expect.objectContaining({ code }) }),
  )
})

test('quotes and case do not make another etag', () => {
  expect(() => assertUnchanged({ etag: '"abc"', sizeBytes: 1 }, 'ABC')).not.toThrow()
})
