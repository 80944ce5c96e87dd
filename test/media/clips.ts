import { execFile } from 'node:child_process'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { EngineName } from '../../shared/plan.ts'
import type { VideoErrorCode } from '../../shared/video-errors.ts'

const run = promisify(execFile)

export interface Clip {
  readonly name: string
  /** File name as an uploader would see it. */
  readonly fileName: string
  readonly expect: {
    readonly engine?: EngineName
    readonly error?: VideoErrorCode
    /** Frames that are shown. */
    readonly frames?: number
    /** Flash and beep mark every whole second. */
    readonly marks?: boolean
    readonly audio?: boolean
    /** Sizes of the video renditions, from the top. */
    readonly sizes?: readonly string[]
  }
  /** Makes the clip in the directory, or finds it there, and gives its path. */
  make(dir: string): Promise<string>
}

/** Where clips are kept between runs. */
export const CLIP_DIR = join(tmpdir(), 'yunbo-test-clips-1')

interface Recipe {
  readonly size?: string
  readonly rate?: string
  readonly seconds?: number
  readonly video?: readonly string[]
  readonly sound?: string | null
  readonly audio?: readonly string[]
  readonly output?: readonly string[]
}

const COPYABLE = [
  '-c:v',
  'libx264',
  '-preset',
  'veryfast',
  '-g',
  '60',
  '-keyint_min',
  '60',
  '-sc_threshold',
  '0',
  '-bf',
  '2',
]
/** Key frames so far apart that the source cannot be cut into segments. */
const LONG_GOP = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '9999', '-keyint_min', '9999', '-profile:v', 'high']
const BEEP = (seconds: number, rate = 44_100) =>
  `aevalsrc='0.6*sin(2*PI*1000*t)*lt(mod(t+0.0001,1),0.1)':s=${rate}:d=${seconds}`
/** A dark picture that turns white for a tenth of every second, with a thin moving line so that frames differ. */
const flash = (size: string, rate: string, seconds: number) =>
  `color=c=0x202020:s=${size}:r=${rate}:d=${seconds}[back];color=c=0x606060:s=16x16:r=${rate}:d=${seconds}[dot];` +
  `[back][dot]overlay=x='mod(n*4,W)':y=8,drawbox=w=iw:h=ih:color=white:t=fill:enable='lt(mod(t+0.0001,1),0.1)'`

function clip(name: string, extension: string, recipe: Recipe, expect: Clip['expect']): Clip {
  const fileName = `${name}.${extension}`
  const seconds = recipe.seconds ?? 2
  const args = [
    ...['-f', 'lavfi', '-i', flash(recipe.size ?? '320x240', recipe.rate ?? '30', seconds)],
    ...(recipe.sound === null ? [] : ['-f', 'lavfi', '-i', recipe.sound ?? BEEP(seconds)]),
    ...['-pix_fmt', 'yuv420p', ...(recipe.video ?? COPYABLE)],
    ...(recipe.sound === null ? [] : (recipe.audio ?? ['-c:a', 'aac', '-b:a', '96k'])),
    ...(recipe.output ?? []),
  ]
  const marks = recipe.sound !== null
  const make = (dir: string) => once(dir, fileName, (path) => ffmpeg([...args, path]))
  return { name, fileName, make, expect: { marks, audio: marks, ...expect } }
}

/** A clip that is made by more than one command. */
export function derived(
  name: string,
  extension: string,
  expect: Clip['expect'],
  build: (path: string, dir: string) => Promise<void>,
): Clip {
  const fileName = `${name}.${extension}`
  return { name, fileName, expect, make: (dir) => once(dir, fileName, (path) => build(path, dir)) }
}

/** Written beside and renamed, so that a stopped run or a second process leaves no half clip. */
async function once(dir: string, fileName: string, build: (path: string) => Promise<void>): Promise<string> {
  const path = join(dir, fileName)
  const exists = await stat(path).catch(() => undefined)
  if (exists) return path
  const work = join(dir, `work-${process.pid}-${Math.random().toString(36).slice(2)}`)
  await mkdir(work, { recursive: true })
  try {
    await build(join(work, fileName))
    await rename(join(work, fileName), path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return path
}

/** Runs ffmpeg to its end; the last argument is what it writes. */
export async function ffmpeg(args: readonly string[]): Promise<void> {
  await run('ffmpeg', ['-nostdin', '-hide_banner', '-v', 'error', '-y', ...args], { maxBuffer: 1 << 24 })
}

/** The middle half of the bytes is lost, as when a copy is broken off. */
async function cutInHalf(from: string, to: string): Promise<void> {
  const bytes = await readFile(from)
  await writeFile(to, bytes.subarray(0, Math.floor(bytes.length / 2)))
}

const FASTSTART = ['-movflags', '+faststart']
const encoded = 'ffmpeg' as const
const copied = 'copy' as const

const plain = clip('plain', 'mp4', { output: FASTSTART }, { engine: copied, frames: 60, sizes: ['320x240'] })
const moovAtEnd = clip('moov-at-end', 'mp4', { video: LONG_GOP }, { engine: copied, frames: 60 })
const longGop = clip('long-gop', 'mp4', { seconds: 10, rate: '15', video: LONG_GOP }, { engine: encoded, frames: 150 })

export const GOOD_CLIPS: readonly Clip[] = [
  plain,
  moovAtEnd,
  longGop,
  clip('fps24', 'mp4', { rate: '24', video: LONG_GOP, seconds: 9 }, { engine: encoded, frames: 216 }),
  clip('fps29.97', 'mp4', { rate: '30000/1001', video: LONG_GOP, seconds: 9 }, { engine: encoded, frames: 270 }),
  clip('fps60', 'mp4', { rate: '60', video: LONG_GOP, seconds: 3 }, { engine: copied, frames: 180 }),
  clip(
    'variable-rate',
    'mp4',
    {
      rate: '60',
      seconds: 9,
      video: ['-vf', "select='not(mod(n,3))+lt(mod(n,40),13)*mod(n,2)'", '-vsync', 'passthrough', ...LONG_GOP],
    },
    { engine: encoded, marks: true },
  ),
  derived(
    'portrait',
    'mp4',
    { engine: encoded, frames: 60, marks: true, audio: true, sizes: ['240x320'] },
    async (path, dir) => {
      const source = await plain.make(dir)
      await ffmpeg(['-i', source, '-c', 'copy', '-metadata:s:v', 'rotate=90', path])
    },
  ),
  clip('silent', 'mp4', { sound: null }, { engine: copied, frames: 60 }),
  clip(
    'surround',
    'mp4',
    {
      sound: `${BEEP(2, 48_000)},pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0`,
      audio: ['-c:a', 'aac', '-b:a', '256k'],
    },
    { engine: copied, frames: 60 },
  ),
  clip(
    'odd-size',
    'mp4',
    { size: '321x241', video: ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv444p'] },
    { engine: encoded, frames: 60, sizes: ['320x240'] },
  ),
  clip(
    'mpeg4-avi',
    'avi',
    { video: ['-c:v', 'mpeg4', '-bf', '2', '-q:v', '4', '-g', '30'], audio: ['-c:a', 'libmp3lame'] },
    { engine: encoded, frames: 60 },
  ),
  clip(
    'open-gop',
    'ts',
    { seconds: 5, video: [...COPYABLE, '-x264-params', 'open-gop=1'], output: ['-flags', '-cgop'] },
    { engine: encoded, frames: 150 },
  ),
  clip(
    'interlaced',
    'ts',
    { video: ['-vf', 'setfield=tff', '-c:v', 'libx264', '-preset', 'veryfast', '-flags', '+ilme+ildct'] },
    { engine: encoded, frames: 60 },
  ),
  clip(
    'hdr',
    'mp4',
    {
      video: [
        ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
        ...['-color_trc', 'smpte2084', '-color_primaries', 'bt2020', '-colorspace', 'bt2020nc'],
      ],
    },
    { engine: encoded, frames: 60, marks: false },
  ),
  clip(
    'webm',
    'webm',
    {
      video: [
        '-c:v',
        'libvpx',
        '-b:v',
        '300k',
        '-auto-alt-ref',
        '1',
        '-lag-in-frames',
        '16',
        '-deadline',
        'realtime',
        '-cpu-used',
        '8',
      ],
      audio: ['-c:a', 'libvorbis'],
    },
    { engine: encoded, frames: 60 },
  ),
  derived('edit-list', 'mp4', { engine: encoded, marks: true, audio: true }, async (path, dir) => {
    const source = await clip('for-trimming', 'mp4', { seconds: 4 }, {}).make(dir)
    await ffmpeg(['-ss', '0.7', '-i', source, '-c', 'copy', path])
  }),
  derived('late-sound', 'mkv', { engine: copied, frames: 90, marks: true, audio: true }, async (path, dir) => {
    const source = await clip('for-shifting', 'mp4', { seconds: 3 }, {}).make(dir)
    const args = ['-i', source, '-itsoffset', '0.8', '-ss', '0.8', '-i', source, '-map', '0:v', '-map', '1:a']
    await ffmpeg([...args, '-c:v', 'copy', '-c:a', 'libmp3lame', path])
  }),
  clip(
    'hevc',
    'mp4',
    { video: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-tag:v', 'hvc1'] },
    { engine: encoded, frames: 60 },
  ),
  clip(
    'ten-bit',
    'mp4',
    { video: ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'] },
    { engine: encoded, frames: 60 },
  ),
  clip('one-frame', 'mp4', { sound: null, output: ['-frames:v', '1'] }, { engine: copied, frames: 1 }),
  clip('audio-shorter', 'mp4', { seconds: 3, sound: BEEP(1.6) }, { engine: copied, frames: 90 }),
  clip('audio-longer', 'mp4', { sound: BEEP(4.5) }, { engine: copied, frames: 60 }),
  clip(
    'starts-at-1.4',
    'ts',
    { output: ['-output_ts_offset', '1.4', '-muxdelay', '0'] },
    { engine: copied, frames: 60 },
  ),
  clip(
    'starts-at-3600',
    'mkv',
    { seconds: 5, video: [...LONG_GOP, '-tune', 'zerolatency'], output: ['-output_ts_offset', '3600'] },
    { engine: copied, frames: 150 },
  ),
  clip(
    'b-frames-5s',
    'mp4',
    { seconds: 5, size: '480x360', output: FASTSTART },
    { engine: copied, frames: 150, sizes: ['480x360', '320x240'] },
  ),
]

/** Long and large, for the whole path; made only when it is asked for. */
export const LARGE_CLIP: Clip = clip(
  'large-20s',
  'mp4',
  { size: '1920x1080', seconds: 20, video: [...LONG_GOP, '-threads', '2'], output: FASTSTART },
  { engine: encoded, frames: 600, sizes: ['1920x1080', '1280x720', '854x480', '640x360'] },
)

export const BAD_CLIPS: readonly Clip[] = [
  derived('text', 'mp4', { error: 'not_a_video' }, (path) =>
    writeFile(path, 'This is a letter and not a video.\n'.repeat(200)),
  ),
  derived('playlist', 'mp4', { error: 'not_a_video' }, (path) =>
    writeFile(path, '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:1/0.ts\n#EXT-X-ENDLIST\n'),
  ),
  derived('audio-only', 'mp4', { error: 'no_video_stream' }, (path) =>
    ffmpeg(['-f', 'lavfi', '-i', BEEP(2), '-c:a', 'aac', path]),
  ),
  derived('cut-faststart', 'mp4', { error: 'source_truncated' }, async (path, dir) =>
    cutInHalf(await clip('for-cutting', 'mp4', { seconds: 4, output: FASTSTART }, {}).make(dir), path),
  ),
  derived('cut-moov-at-end', 'mp4', { error: 'source_truncated' }, async (path, dir) =>
    cutInHalf(await moovAtEnd.make(dir), path),
  ),
  derived('cut-mkv', 'mkv', { error: 'source_truncated' }, async (path, dir) =>
    cutInHalf(await clip('for-cutting', 'mkv', { seconds: 4 }, {}).make(dir), path),
  ),
  derived('empty', 'mp4', { error: 'not_a_video' }, (path) => writeFile(path, '')),
]

/** Every clip by its name. */
export function clipNamed(name: string): Clip {
  const found = [...GOOD_CLIPS, ...BAD_CLIPS, LARGE_CLIP].find((one) => one.name === name)
  if (!found) throw new RangeError(`there is no clip ${name}`)
  return found
}
