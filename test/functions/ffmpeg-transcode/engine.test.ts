import { expect, test } from 'vitest'
import { chooseEngine } from '../../../functions/ffmpeg-transcode/engine.ts'
import { sourceOf } from './sources.ts'

test('a source that every player can take is copied', () => {
  expect(chooseEngine(sourceOf())).toEqual({
    engine: 'copy',
    reason: 'The top quality is the source itself: H.264 High at 2000 kbit/s plays everywhere.',
  })
})

test.each([
  ['another codec', { video: { codec: 'hevc' } }, 'HEVC'],
  ['ten bits', { video: { pixelFormat: 'yuv420p10le' } }, 'yuv420p10le'],
  ['full chroma', { video: { profile: 'High 4:4:4 Predictive' } }, 'High 4:4:4'],
  ['a high level', { video: { level: 51 } }, '5.1'],
  ['an unknown level', { video: { level: -99 } }, 'level'],
  ['HDR', { video: { hdr: true } }, 'HDR'],
  ['a turned picture', { video: { rotation: 90 } }, 'upright'],
  ['stretched pixels', { video: { squarePixels: false } }, 'square'],
  ['interlacing', { video: { progressive: false } }, 'interlaced'],
  ['an odd width', { video: { codedWidth: 1279 } }, 'odd'],
  ['more than 1080 lines', { video: { width: 2560, height: 1440, bitRate: 1 } }, '1080p'],
  ['a high bit rate', { video: { bitRate: 2_900_000 } }, '2900 kbit/s'],
  ['rare key frames', { keyEvery: 201 }, '8.0 s apart'],
  ['one key frame and a long rest', { keyEvery: 9999 }, '10.0 s apart'],
  ['packets that cannot be cut', { copyObstacle: 'an edit list hides some of its frames' }, 'edit list'],
])('%s is encoded, and the reason says so', (_name, change, words) => {
  const { engine, reason } = chooseEngine(sourceOf(change))
  expect(engine).toBe('ffmpeg')
  expect(reason).toContain(words)
  expect(reason).toMatch(/^Encoded, because .*\.$/)
})

test('key frames exactly two segments apart still allow a copy', () => {
  expect(chooseEngine(sourceOf({ keyEvery: 200 })).engine).toBe('copy')
})
