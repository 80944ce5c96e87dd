import { expect, test } from 'vitest'
import { playSessions } from '../../../shared/auth/play-session.ts'

const plays = playSessions('a secret of at least thirty-two characters')
const [play, id, now] = ['play000000000001', 'S000000000000001', Date.UTC(2030, 0, 1)]
const token = plays.issue(play, id, now)

test('a session says its id and when it was handed out, in few letters', () => {
  expect(plays.read(token, play, now + 1)).toEqual({ id, issuedAt: now })
  expect(token.length).toBeLessThan(50)
})

test.each([
  ['another playback', token, 'play000000000002', now],
  ['another id', token.replace('S', 'T'), play, now],
  ['another time', plays.issue(play, id, now + 1).replace(/\.[^.]*$/, token.slice(token.lastIndexOf('.'))), play, now],
  ['another secret', playSessions('another secret of thirty-two letters').issue(play, id, now), play, now],
  ['a day later', token, play, now + 24 * 3600 * 1000 + 1],
  ['long before it was handed out', token, play, now - 300_001],
  ['a piece of it', token.slice(0, -1), play, now],
  ['more than it', `${token}x`, play, now],
  ['nothing', '', play, now],
])('is none for %s', (_what, text, playbackId, at) => {
  expect(plays.read(text, playbackId, at)).toBeUndefined()
})

test.each([24 * 3600 * 1000, -300_000])('is one %d ms after it was handed out', (ms) => {
  expect(plays.read(token, play, now + ms)).toBeDefined()
})
