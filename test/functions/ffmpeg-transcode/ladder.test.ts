import { expect, test } from 'vitest'
import { avcCodec, h264Level, ladder, maxRateKbps } from '../../../functions/ffmpeg-transcode/ladder.ts'

test.each([
  [1920, 1080, ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360']],
  [3840, 2160, ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360']],
  [1080, 1920, ['1080p 1080x1920', '720p 720x1280', '480p 480x854', '360p 360x640']],
  [1280, 720, ['720p 1280x720', '480p 854x480', '360p 640x360', '240p 426x240']],
  [960, 540, ['540p 960x540', '360p 640x360', '240p 426x240']],
  [854, 500, ['500p 854x500', '360p 614x360', '240p 410x240']],
  [321, 241, ['240p 320x240']],
  [160, 120, ['120p 160x120']],
  [1, 1, ['2p 2x2']],
])('a picture of %i × %i becomes its own size and the standard ones well below it', (width, height, rungs) => {
  expect(ladder(width, height).map((rung) => `${rung.name} ${rung.width}x${rung.height}`)).toEqual(rungs)
})

test('every rung is even and never larger than the source, whatever its shape', () => {
  for (let width = 2; width < 2500; width += 97) {
    for (let height = 2; height < 2500; height += 89) {
      const rungs = ladder(width, height)
      expect(rungs.length).toBeLessThanOrEqual(4)
      for (const rung of rungs) {
        expect([rung.width % 2, rung.height % 2]).toEqual([0, 0])
        expect(rung.width <= width && rung.height <= height).toBe(true)
      }
    }
  }
})

test.each([
  [1920, 1080, 30, 5000],
  [1280, 720, 30, 2800],
  [960, 540, 30, 1750],
  [1280, 720, 60, 4200],
  [720, 1280, 30, 2800],
])('%i × %i at %i frames a second may cost %i kbit/s', (width, height, rate, kbps) => {
  expect(maxRateKbps(width, height, rate)).toBe(kbps)
})

test.each([
  [1920, 1080, 30, 5000, 40],
  [1920, 1080, 60, 7500, 42],
  [1280, 720, 30, 2800, 31],
  [1280, 720, 60, 4200, 32],
  [854, 480, 25, 1400, 30],
  [640, 360, 30, 800, 30],
  [426, 240, 25, 400, 21],
  [320, 240, 30, 350, 13],
])('%i × %i at %i frames a second and %i kbit/s needs level %i', (width, height, rate, kbps, level) => {
  expect(h264Level(width, height, rate, kbps)).toBe(level)
})

test.each([
  ['high', 31, 'avc1.64001f'],
  ['High', 42, 'avc1.64002a'],
  ['Main', 40, 'avc1.4d4028'],
  ['Constrained Baseline', 30, 'avc1.42c01e'],
])('profile %s at level %i is named %s', (profile, level, codec) => {
  expect(avcCodec(profile, level)).toBe(codec)
})
