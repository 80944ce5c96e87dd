import { expect, test } from 'vitest'
import { describeSource, keyPictureObstacle, packetsTellFrames } from '../../../functions/ffmpeg-transcode/frames.ts'
import { addPacketLine, emptyPackets } from '../../../functions/ffmpeg-transcode/packets.ts'
import { chooseStreams, type FfprobeStream } from '../../../functions/ffmpeg-transcode/source.ts'

const PICTURE: FfprobeStream = {
  index: 0,
  codec_type: 'video',
  codec_name: 'h264',
  profile: 'High',
  level: 30,
  pix_fmt: 'yuv420p',
  width: 640,
  height: 360,
  time_base: '1/1000',
  avg_frame_rate: '25/1',
  field_order: 'progressive',
}
const SOUND: FfprobeStream = { index: 1, codec_type: 'audio', codec_name: 'aac', channels: 2, time_base: '1/1000' }

const chosenOf = (picture: Partial<FfprobeStream> = {}, duration = '0.2') =>
  chooseStreams({ streams: [{ ...PICTURE, ...picture }, SOUND], format: { format_name: 'mov,mp4', duration } })

/** Packets as `pts flags`, one every 40 ms of decoding. */
function packetsOf(...packets: string[]) {
  const record = emptyPackets()
  for (const [at, packet] of packets.entries()) {
    const [pts, flags = '__'] = packet.split(' ')
    addPacketLine(record, `0,${pts},${at * 40 - 80},40,100,${flags}`, 0, 1)
  }
  return record
}

const read = (...packets: string[]) => describeSource(chosenOf(), packetsOf(...packets), undefined)

test('frames are put into the order in which they are shown', () => {
  const source = read('0 K_', '120', '40', '80', '160')
  expect(source.framesUs).toEqual([0, 40_000, 80_000, 120_000, 160_000])
  expect(source.endUs).toBe(200_000)
  expect(source.copyObstacle).toBeUndefined()
  expect(source.info).toMatchObject({ durationMs: 200, video: { frames: 5, frameRate: 25, bitRate: 20_000 } })
})

test('frames that an edit list hides, and those before the first key frame, are not counted', () => {
  expect(read('0 KD', '40 _D', '80', '120').framesUs).toEqual([80_000, 120_000])
  expect(read('0', '40', '80 K_', '120', '160').framesUs).toEqual([80_000, 120_000, 160_000])
})

test.each([
  [['0 KD', '40', '80', '120', '160'], 'edit list'],
  [['0', '40 K_', '80', '120', '160'], 'does not begin with a key frame'],
  [['0 K_', '40', '120 K_', '80', '160'], 'before a key frame'],
  [['0 K_', '40', '40', '80', '160'], 'the same time'],
  [['6000 K_', '6040', '6080'], 'decoded long before'],
  [['0 KC', '40', '80', '120', '160'], 'damaged'],
])('packets %j are not copied', (packets, words) => {
  expect(read(...packets).copyObstacle).toContain(words)
})

test.each([
  ['plain ones do', {}, ['0 K_', '40'], true],
  ['a missing time', {}, ['0 K_', 'N/A'], false],
  ['a damaged packet', {}, ['0 K_', '40 __C'], false],
  ['frames shown before the first key frame', {}, ['80 K_', '40', '120'], false],
  ['two frames at one time', {}, ['0 K_', '40', '40'], false],
  ['reordering that is announced and done', { has_b_frames: 1 }, ['0 K_', '80', '40'], true],
  ['reordering that is announced and not done', { has_b_frames: 1 }, ['0 K_', '40', '80'], false],
  ['interlacing, where a packet may be half a frame', { field_order: 'tt' }, ['0 K_', '40'], false],
  ['VP8, which has packets that are never shown', { codec_name: 'vp8' }, ['0 K_', '40'], false],
])('whether packets tell the frames: %s', (_name, picture, packets, tells) => {
  expect(packetsTellFrames(chosenOf(picture), packetsOf(...packets))).toBe(tells)
})

test('frames found by decoding replace what packets say and forbid a copy', () => {
  const source = describeSource(chosenOf(), packetsOf('N/A K_', 'N/A'), [9000, 12_600])
  expect(source.framesUs).toEqual([100_000, 140_000])
  expect(source.copyObstacle).toBeDefined()
})

test('decoding that shows what packets tell changes nothing', () => {
  const source = describeSource(
    chosenOf(),
    packetsOf('0 K_', '80', '40', '120', '160'),
    [0, 3600, 7200, 10_801, 14_400],
  )
  expect(source.copyObstacle).toBeUndefined()
  expect(source.frameBytes).toHaveLength(5)
})

test.each([
  ['a clock that goes back', packetsOf('0 K_', '40'), [[0, 600]], undefined, /goes back by 0\.6 s/],
  [
    'a picture that changes while its clock goes back',
    packetsOf('0 K_', '40'),
    [],
    [0, 3600, 1800],
    /changes its size/,
  ],
])('refuses %s', (_name, record, more, seen, words) => {
  for (const [dts, at] of more) {
    addPacketLine(record, `0,${at},${at},40,1,__`, 0, 1)
    addPacketLine(record, `0,${at},${dts},40,1,__`, 0, 1)
  }
  expect(() => describeSource(chosenOf(), record, seen)).toThrow(
    expect.objectContaining({
      failure: expect.objectContaining({ code: 'unsupported_source', message: expect.stringMatching(words) }),
    }),
  )
})

test('a last frame that stands for long belongs to the video, as the container says', () => {
  const record = emptyPackets()
  addPacketLine(record, '0,0,0,40,100,K_', 0, 1)
  addPacketLine(record, '0,40,40,30000,100,__', 0, 1)
  expect(describeSource(chosenOf({}, '30.04'), record, undefined).endUs).toBe(30_040_000)
  expect(describeSource(chosenOf({}, '0.1'), record, undefined).endUs).toBe(80_000)
})

test('sound that is over before the picture begins is not heard, and so not made', () => {
  const record = packetsOf('1000 K_', '1040', '1080')
  addPacketLine(record, '1,0,0,900,9,K_', 0, 1)
  expect(describeSource(chosenOf({}, '0.1'), record, undefined).audio).toBeUndefined()
})

test.each([
  [{ count: 2, damaged: false, parameters: ['a', 'a'] }, undefined],
  [{ count: 1, damaged: false, parameters: ['a'] }, 'stand alone'],
  [{ count: 2, damaged: false, parameters: ['a'] }, 'parameters'],
  [{ count: 2, damaged: false, parameters: ['a', 'b'] }, 'change'],
  [{ count: 2, damaged: true, parameters: ['a', 'a'] }, 'damaged'],
])('of two marked key frames, %j forbids a copy: %j', (pictures, words) => {
  const { track } = packetsOf('0 K_', '40', '80 K_', '120')
  const obstacle = keyPictureObstacle(track, pictures)
  if (words === undefined) expect(obstacle).toBeUndefined()
  else expect(obstacle).toContain(words)
})

test('sound is measured by its packets, whatever lies between', () => {
  const record = packetsOf('0 K_', '40', '80', '120', '160')
  for (const line of ['1,-20,-20,20,9,KD', '1,30,30,20,9,K_,', '', '[SIDE_DATA]', '1,990,990,20,9,K_']) {
    addPacketLine(record, line, 0, 1)
  }
  expect(describeSource(chosenOf(), record, undefined)).toMatchObject({
    audio: { startUs: 30_000, endUs: 1_010_000 },
    info: { durationMs: 1010 },
  })
})

test.each([
  ['the container promises more', chosenOf({}, '9.0'), packetsOf('0 K_', '40'), 'source_truncated'],
  ['nothing can be decoded', chosenOf(), packetsOf('0', '40'), 'source_damaged'],
  ['there is no packet at all', chosenOf(), packetsOf(), 'source_damaged'],
])('refuses a source when %s', (_name, chosen, packets, code) => {
  expect(() => describeSource(chosen, packets, undefined)).toThrow(
    expect.objectContaining({ failure: expect.objectContaining({ code, retryable: false }) }),
  )
})

test.each([
  ['no stream', [], 'not_a_video'],
  ['sound alone', [SOUND], 'no_video_stream'],
  ['sound with cover art', [SOUND, { ...PICTURE, disposition: { attached_pic: 1 } }], 'no_video_stream'],
  ['unknown sound', [PICTURE, { index: 1, codec_type: 'audio' }], 'unsupported_source'],
  ['an unknown codec', [{ ...PICTURE, codec_name: 'none' }], 'unsupported_source'],
  ['a huge picture', [{ ...PICTURE, width: 20_000, height: 20_000 }], 'source_too_large'],
  ['one pixel', [{ ...PICTURE, width: 1 }], 'unsupported_source'],
  ['a picture that is stretched too wide', [{ ...PICTURE, sample_aspect_ratio: '30:1' }], 'source_too_large'],
  ['no size', [{ ...PICTURE, width: 0 }], 'source_damaged'],
  ['too many streams', Array.from({ length: 33 }, () => PICTURE), 'source_too_large'],
  ['too many hours', [{ ...PICTURE, duration: '40000' }], 'source_too_large'],
])('refuses %s', (_name, streams, code) => {
  expect(() => chooseStreams({ streams })).toThrow(
    expect.objectContaining({ failure: expect.objectContaining({ code }) }),
  )
})

test.each([
  [{ side_data_list: [{ rotation: -90 }] }, { rotation: 90, width: 360, height: 640 }],
  [{ tags: { rotate: '270' } }, { rotation: 270, width: 360, height: 640 }],
  [{ side_data_list: [{ rotation: 180 }] }, { rotation: 180, width: 640, height: 360 }],
  [{ sample_aspect_ratio: '4:3' }, { width: 853, height: 360, squarePixels: false }],
  [{ sample_aspect_ratio: '1:2' }, { width: 640, height: 720, squarePixels: false }],
  [{ sample_aspect_ratio: '0:1' }, { width: 640, height: 360, squarePixels: true }],
  [
    { color_transfer: 'smpte2084', pix_fmt: 'yuv420p10le' },
    { hdr: true, bitDepth: 10 },
  ],
  [{ field_order: 'tt' }, { progressive: false }],
])('%j is shown as %j', (picture, shown) => {
  const source = describeSource(chosenOf(picture), packetsOf('0 K_', '40', '80', '120', '160'), undefined)
  expect(source.info.video).toMatchObject(shown)
})
