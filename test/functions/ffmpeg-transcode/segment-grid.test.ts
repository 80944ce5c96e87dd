import { expect, test } from 'vitest'
import {
  audioGrid,
  copyGrid,
  encodeGrid,
  lengths,
  packetNear,
} from '../../../functions/ffmpeg-transcode/segment-grid.ts'

const frames = (count: number, rate: number) => Array.from({ length: count }, (_, at) => Math.round((at * 1e6) / rate))
const seconds = (...times: number[]) => times.map((time) => Math.round(time * 1e6))

test('an encoder cuts at the first frame at or after every fourth second', () => {
  const grid = encodeGrid(frames(300, 30_000 / 1001), 10_010_000)
  expect(grid.boundariesUs).toEqual([0, 4_004_000, 8_008_000, 10_010_000])
  expect(grid.frames).toEqual([120, 120, 60])
  expect(grid.cutsUs).toEqual([3_987_317, 7_991_317])
})

test('a last piece shorter than a second joins the one before it', () => {
  expect(encodeGrid(frames(220, 25), 8_800_000).boundariesUs).toEqual(seconds(0, 4, 8.8))
  expect(encodeGrid(frames(225, 25), 9_000_000).boundariesUs).toEqual(seconds(0, 4, 8, 9))
  expect(encodeGrid(frames(10, 25), 400_000).boundariesUs).toEqual(seconds(0, 0.4))
})

test('a pause in the picture longer than a segment makes one long segment and no empty ones', () => {
  const grid = encodeGrid(seconds(0, 1, 2, 15, 16, 17), 18_000_000)
  expect(grid.boundariesUs).toEqual(seconds(0, 15, 16, 18))
  expect(grid.frames).toEqual([3, 1, 2])
})

test('a copy is cut at the key frames nearest to every fourth second', () => {
  const grid = copyGrid(frames(500, 25), seconds(0, 1.2, 3.6, 4.8, 9.2, 12.4, 19.8), 20_000_000)
  expect(grid.boundariesUs).toEqual(seconds(0, 3.6, 9.2, 12.4, 20))
  expect(grid.frames.reduce((a, b) => a + b)).toBe(500)
})

test('every frame is counted in exactly one segment', () => {
  const grid = encodeGrid(frames(1000, 24), 41_666_667)
  expect(grid.frames.reduce((a, b) => a + b)).toBe(1000)
  expect(grid.cutsUs).toHaveLength(grid.frames.length - 1)
})

test('sound is cut on whole AAC frames, nearest to where the picture is cut', () => {
  const { boundariesUs, endUs } = audioGrid(seconds(0, 4.004, 8.008, 10.01), 10_010_000)
  expect(boundariesUs).toEqual([0, 4_010_667, 8_000_000, 10_026_667])
  expect(endUs).toBe(10_026_667)
  for (const boundary of boundariesUs)
    expect(Math.abs(packetNear(boundary) - (boundary * 48) / 1_024_000)).toBeLessThan(0.001)
})

test('sound that ends early is continued to the end of the picture', () => {
  expect(audioGrid(seconds(0, 4, 8), 1_500_000).endUs).toBe(8_000_000)
})

test('sound that goes on gets segments of its own every four seconds', () => {
  const { boundariesUs } = audioGrid(seconds(0, 4, 6), 15_400_000)
  expect(lengths(boundariesUs).map((length) => Math.round(length / 1e6))).toEqual([4, 2, 4, 4, 1])
  expect(audioGrid(seconds(0, 4, 6), 6_500_000).boundariesUs).toHaveLength(3)
})
