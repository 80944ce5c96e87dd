import { expect, test } from 'vitest'
import { copyJob, describeArgs, jobArgs, shellLine, videoJob } from '../../../functions/ffmpeg-transcode/args.ts'
import { makePlan } from '../../../functions/ffmpeg-transcode/plan.ts'
import { identify } from '../../../functions/ffmpeg-transcode/plan-id.ts'
import { audioJob } from '../../../functions/ffmpeg-transcode/sound.ts'
import { sourceOf } from './sources.ts'

const SOURCE = { url: 'https://bucket.example/key?Signature=secret', etag: 'ABC' }
const FEATURES = { fpsMode: true, toneMap: false, resolvesNames: true }
const TRAITS = { progressive: true, hdr: false }
const planOf = (...source: Parameters<typeof sourceOf>) =>
  identify(makePlan(sourceOf(...source), { threads: 2 }), 'ABC')
const taskOf = (plan: ReturnType<typeof planOf>, taskId: string) => {
  const task = plan.tasks.find((one) => one.taskId === taskId)
  if (!task) throw new Error(`no task ${taskId}`)
  return task
}
const after = (args: readonly string[], option: string) => args[args.indexOf(option) + 1]

test.each(['audio', 'copy', 'v0'])('the %s task reads only what was accepted, over the network only', (taskId) => {
  const plan = planOf()
  const make = {
    audio: audioJob,
    copy: copyJob,
    v0: (...[a, b, c, d]: Parameters<typeof copyJob>) => videoJob(a, b, c, d, TRAITS, FEATURES),
  }
  const job = make[taskId as 'v0'](SOURCE, plan, taskOf(plan, taskId), '/tmp/x')
  // Sound is decoded by a first program, and the second reads nothing but what that one writes.
  if (job.feed) expect(after(jobArgs(job), '-protocol_whitelist')).toBe('pipe')
  const args = job.feed ?? jobArgs(job)
  const input = args.indexOf('-i')
  expect(after(args, '-headers')).toBe('If-Match: "ABC"\r\n')
  expect(after(args, '-protocol_whitelist')).toBe('http,https,tcp,tls')
  expect(after(args, '-format_whitelist')).toBe('mov,matroska,avi,flv,mpegts,mpeg,asf,ogg,wav,mp3,aac')
  for (const option of ['-headers', '-protocol_whitelist', '-format_whitelist'])
    expect(args.indexOf(option)).toBeLessThan(input)
})

test('an etag that comes with quotes is not quoted twice', () => {
  expect(after(describeArgs({ ...SOURCE, etag: '"ABC"' }), '-headers')).toBe('If-Match: "ABC"\r\n')
})

test('every rung has key frames where segments begin and nowhere else', () => {
  const plan = planOf({ video: { codec: 'hevc' } })
  const job = videoJob(SOURCE, plan, taskOf(plan, 'v0'), '/tmp/x', TRAITS, FEATURES)
  expect(job.outputs.map((output) => output.path)).toEqual(
    ['720p', '480p', '360p', '240p'].map((name) => `/tmp/x/${name}/%d.ts`),
  )
  for (const { options } of job.outputs) {
    expect(after(options, '-force_key_frames')).toBe('13.98000,17.98000')
    expect(after(options, '-segment_times')).toBe('13.98000,17.98000')
    expect(after(options, '-sc_threshold')).toBe('0')
  }
})

test('one segment is never cut, though ffmpeg would cut every two seconds by itself', () => {
  const plan = planOf({ frames: 50 })
  const options = copyJob(SOURCE, plan, taskOf(plan, 'copy'), '/tmp/x').outputs[0]?.options ?? []
  expect(options).not.toContain('-segment_times')
  expect(Number(after(options, '-segment_time'))).toBeGreaterThan(1e6)
})

test.each([
  [-200_000, '10.200000', '-18000', '10.200001'],
  [0, '10.000000', '0', '10.000001'],
  [1_400_000, '8.600000', '126000', '8.600001'],
  [3_600_000_000, '-3590.000000', '324000000', '-3589.999999'],
])('a source that begins at %i µs is moved to the common start', (startUs, offset, ticks, soundOffset) => {
  const plan = planOf({ startUs })
  expect(after(jobArgs(copyJob(SOURCE, plan, taskOf(plan, 'copy'), '/x')), '-output_ts_offset')).toBe(offset)
  const video = videoJob(SOURCE, plan, taskOf(plan, 'v0'), '/x', TRAITS, FEATURES)
  expect(video.filter).toContain(`setpts=PTS-(${ticks})+900000`)
  const { feed = [], filter } = audioJob(SOURCE, plan, taskOf(plan, 'audio'), '/x')
  expect(after(feed, '-itsoffset')).toBe(soundOffset)
  expect(filter).toContain('first_pts=480000,')
})

test('B-frames are left out where decoding would have to begin before time does', () => {
  const encoderOf = (gapUs: number) => {
    const source = sourceOf({ frames: 5, video: { codec: 'hevc' } })
    const plan = identify(
      makePlan({ ...source, framesUs: source.framesUs.map((_, at) => at * gapUs), endUs: 5 * gapUs }, { threads: 2 }),
      'ABC',
    )
    return jobArgs(videoJob(SOURCE, plan, taskOf(plan, 'v0'), '/x', TRAITS, FEATURES))
  }
  expect(encoderOf(2_500_000)).not.toContain('-bf')
  expect(after(encoderOf(2_600_000), '-bf')).toBe('0')
})

test('older builds are asked in their own words, and interlaced and HDR pictures are converted', () => {
  const plan = planOf()
  const features = { fpsMode: false, toneMap: true, resolvesNames: true }
  const job = videoJob(SOURCE, plan, taskOf(plan, 'v0'), '/x', { progressive: false, hdr: true }, features)
  expect(jobArgs(job)).not.toContain('-fps_mode')
  expect(after(jobArgs(job), '-vsync')).toBe('passthrough')
  expect(job.filter).toMatch(/yadif.*tonemap/)
})

test('sound is exactly as many samples as its packets hold', () => {
  const plan = planOf()
  const { filter = '' } = audioJob(SOURCE, plan, taskOf(plan, 'audio'), '/x')
  const samples = Math.round(((plan.audio?.endUs ?? 0) * 48) / 1000)
  expect(samples % 1024).toBe(0)
  expect(filter).toContain(`atrim=end_sample=${samples}`)
})

test('a logged command can be pasted and does not give the signature away', () => {
  const line = shellLine('ffprobe', describeArgs(SOURCE))
  expect(line).toContain('ffprobe -v warning')
  expect(line).toContain(String.raw`$'If-Match: "ABC"\r\n'`)
  expect(line).toContain("'https://bucket.example/key?…'")
  expect(line).not.toContain('secret')
})
