import { expect, test } from 'vitest'
import { agoText, bytesText, clockText, rateText, sizeText, waitText } from '../../web/format.ts'

test.each([
  [0, '0:00'],
  [59_499, '0:59'],
  [59_500, '1:00'],
  [3_723_000, '1:02:03'],
  [-5, '0:00'],
])('%d ms read as %s', (durationMs, text) => {
  expect(clockText(durationMs)).toBe(text)
})

test.each([
  [0, 'en', '0 byte'],
  [999, 'en', '999 byte'],
  [1000, 'en', '1 kB'],
  [12_345_678, 'en', '12.3 MB'],
  [5_000_000_000, 'en', '5 GB'],
  [12_345_678, 'zh-CN', '12.3 MB'],
])('%d bytes read as they do in %s', (bytes, language, text) => {
  expect(bytesText(bytes, language).replaceAll('\u00a0', ' ')).toBe(text)
})

test('a pace is told by the second', () => {
  expect(rateText(2_100_000, 'en')).toBe('2.1 MB/s')
})

test.each([
  [0, 'en', '1 sec'],
  [44_100, 'en', '45 sec'],
  [59_000, 'en', '59 sec'],
  [90_000, 'en', '2 min'],
  [5_400_000, 'en', '1.5 hr'],
  [90_000, 'zh-CN', '2分钟'],
])('%d ms of waiting read as they do in %s', (ms, language, text) => {
  expect(waitText(ms, language).replaceAll('\u00a0', ' ')).toBe(text)
})

test.each([
  [0, 'now'],
  [59_000, 'now'],
  [60_000, '1 minute ago'],
  [7_200_000, '2 hours ago'],
  [86_400_000, 'yesterday'],
  [-5000, 'now'],
])('what is %d ms old reads as %s', (age, text) => {
  expect(agoText(1_000_000_000 - age, 1_000_000_000, 'en')).toBe(text)
})

test('a video is named by its short side, lying or standing', () => {
  expect([sizeText(1920, 1080), sizeText(720, 1280), sizeText(0, 0)]).toEqual(['1080p', '720p', ''])
})
