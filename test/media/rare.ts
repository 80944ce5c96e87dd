import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { VideoErrorCode } from '../../shared/video-errors.ts'
import { type Clip, derived, ffmpeg } from './clips.ts'

const run = promisify(execFile)

/** Flash and beep at every whole second, as small as it gets. */
const flash = (size = '160x90', rate = '30', seconds = 2) =>
  `color=c=0x202020:s=${size}:r=${rate}:d=${seconds}[back];color=c=0x606060:s=2x2:r=${rate}:d=${seconds}[dot];` +
  `[back][dot]overlay=x='mod(n*4,W)':y=0,drawbox=w=iw:h=ih:color=white:t=fill:enable='lt(mod(t+0.0001,1),0.1)'`
const beep = (seconds = 2, rate = 44_100) =>
  `aevalsrc='0.6*sin(2*PI*1000*t)*lt(mod(t+0.0001,1),0.1)':s=${rate}:d=${seconds}`
const picture = (...recipe: Parameters<typeof flash>) => ['-f', 'lavfi', '-i', flash(...recipe)]
const sound = (...recipe: Parameters<typeof beep>) => ['-f', 'lavfi', '-i', beep(...recipe)]
const H264 = '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -keyint_min 30 -sc_threshold 0'.split(' ')
const REORDERED = '-c:v libx264 -preset veryfast -bf 2 -b_strategy 0 -pix_fmt yuv420p -g 30 -sc_threshold 0'.split(' ')
const AT_ONCE = ['-muxdelay', '0', '-muxpreload', '0']
const AAC = ['-c:a', 'aac', '-b:a', '64k']

/** Makes one source of the table from its arguments; `{base}` is a usual clip of three seconds with B-frames. */
type Recipe = readonly string[] | ((path: string, dir: string) => Promise<void>)

async function build(recipe: Recipe, path: string, dir: string): Promise<void> {
  if (typeof recipe === 'function') return await recipe(path, dir)
  const base = recipe.includes('{base}') ? await BASE.make(dir) : ''
  await ffmpeg([...recipe.map((word) => (word === '{base}' ? base : word)), path])
}

const BASE = derived('rare-base', 'mp4', {}, (path) =>
  ffmpeg([...picture('160x90', '30', 3), ...sound(3), ...REORDERED, ...AAC, path]),
)

/** Transport streams one behind the other, as recorders write them. */
function strungTogether(...parts: readonly (readonly string[])[]): Recipe {
  return async (path) => {
    const files: string[] = []
    for (const [at, args] of parts.entries()) {
      files.push(`${path}.${at}.ts`)
      await ffmpeg([...args, ...AT_ONCE, `${path}.${at}.ts`])
    }
    await writeFile(path, Buffer.concat(await Promise.all(files.map((file) => readFile(file)))))
  }
}

type Row = readonly [name: string, extension: string, expect: Clip['expect'], recipe: Recipe]

const from = (...options: readonly string[]) => ['-i', '{base}', ...options]
const copied = { engine: 'copy', frames: 90, marks: true, audio: true } as const
const encoded = { ...copied, engine: 'ffmpeg' } as const
const silent = { marks: false, audio: false } as const

const ROWS: readonly Row[] = [
  // Where time begins.
  ['early', 'mp4', { ...encoded, frames: 84 }, ['-itsoffset', '-0.2', ...from('-c', 'copy')]],
  [
    'at-zero-sound-first',
    'ts',
    { ...copied, frames: 60 },
    [...picture(), ...sound(), ...H264, '-bf', '0', ...AAC, ...AT_ONCE],
  ],
  ['clock-wraps', 'ts', copied, from('-c', 'copy', '-output_ts_offset', '95442.7', ...AT_ONCE)],
  ['far-from-zero', 'mkv', copied, from('-c', 'copy', '-output_ts_offset', '300000')],
  // Containers.
  ['fragmented', 'mp4', copied, from('-c', 'copy', '-movflags', 'frag_keyframe+empty_moov')],
  ['no-length', 'mkv', copied, from('-c', 'copy', '-f', 'matroska', '-live', '1')],
  ['flash', 'flv', copied, from('-c', 'copy')],
  [
    'programme',
    'mpg',
    { ...encoded, frames: 77, marks: false },
    from('-r', '25', '-c:v', 'mpeg1video', '-c:a', 'mp2', '-b:v', '300k'),
  ],
  ['windows', 'wmv', { ...encoded, marks: false }, from('-c:v', 'wmv2', '-c:a', 'wmav2')],
  [
    'phone',
    '3gp',
    { ...encoded, sizes: ['256x144'] },
    from('-vf', 'scale=176:144', '-c:v', 'h263', '-ar', '8000', '-ac', '1', ...AAC),
  ],
  [
    'crowded',
    'mkv',
    copied,
    async (path, dir) => {
      await writeFile(`${path}.srt`, '1\n00:00:00,500 --> 00:00:09,000\nHello\n')
      const [base, other] = [await BASE.make(dir), ['-f', 'lavfi', '-i', 'sine=440:d=3']]
      const maps = [
        '-map',
        '2',
        '-map',
        '0:a',
        '-map',
        '0:v',
        '-map',
        '1:a',
        '-attach',
        `${path}.srt`,
        '-metadata:s:t',
        'mimetype=text/plain',
      ]
      await ffmpeg(['-i', base, ...other, '-i', `${path}.srt`, ...maps, '-c:v', 'copy', ...AAC, path])
    },
  ],
  [
    'cover-and-timecode',
    'mov',
    copied,
    async (path, dir) => {
      await ffmpeg(['-f', 'lavfi', '-i', 'testsrc=s=64x64', '-frames:v', '1', `${path}.jpg`])
      const maps = [
        '-map',
        '1',
        '-map',
        '0',
        '-c',
        'copy',
        '-disposition:v:0',
        'attached_pic',
        '-timecode',
        '01:00:00:00',
      ]
      await ffmpeg(['-i', await BASE.make(dir), '-i', `${path}.jpg`, ...maps, '-f', 'mp4', path])
    },
  ],
  // Pictures.
  ['upside-down', 'mp4', { ...encoded, sizes: ['160x90'] }, from('-c', 'copy', '-metadata:s:v', 'rotate=180')],
  [
    'wide-pixels-on-their-side',
    'mov',
    { engine: 'ffmpeg', frames: 60, sizes: ['90x212'], ...silent },
    async (path) => {
      await ffmpeg([...picture(), '-vf', 'setsar=4/3', ...H264, `${path}.mp4`])
      await ffmpeg(['-i', `${path}.mp4`, '-c', 'copy', '-metadata:s:v', 'rotate=270', path])
    },
  ],
  ['two-by-two', 'mp4', { engine: 'copy', frames: 60, sizes: ['2x2'], ...silent }, [...picture('2x2'), ...H264]],
  [
    'a-line',
    'mkv',
    { engine: 'ffmpeg', frames: 60, sizes: ['640x2'], ...silent },
    [...picture('640x2'), '-c:v', 'ffv1'],
  ],
  ['grey', 'mp4', { engine: 'ffmpeg', frames: 60, ...silent }, [...picture(), ...H264, '-pix_fmt', 'gray']],
  [
    'hevc-ten-bit',
    'mp4',
    { engine: 'ffmpeg', frames: 60, ...silent },
    [
      ...picture(),
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-pix_fmt',
      'yuv420p10le',
      '-x265-params',
      'log-level=none',
    ],
  ],
  ['only-key-frames', 'mov', { ...encoded, audio: true }, from('-c:v', 'mjpeg', '-c:a', 'pcm_s16le')],
  // Rates and gaps.
  ['fps120', 'mp4', { engine: 'copy', frames: 240, ...silent }, [...picture('160x90', '120'), ...REORDERED]],
  ['fps12.5', 'mp4', { engine: 'copy', frames: 25, ...silent }, [...picture('160x90', '25/2'), ...REORDERED]],
  [
    'vp9-variable',
    'webm',
    { engine: 'ffmpeg', marks: true, audio: true },
    from(
      '-r',
      '60',
      '-vf',
      "select='not(mod(n,3))+lt(mod(n,40),13)*mod(n,2)'",
      '-vsync',
      'passthrough',
      '-c:v',
      'libvpx-vp9',
      '-deadline',
      'realtime',
      '-cpu-used',
      '8',
      '-b:v',
      '200k',
      '-ar',
      '48000',
      '-c:a',
      'libopus',
    ),
  ],
  [
    'slow-start',
    'mkv',
    { engine: 'ffmpeg', frames: 89, ...silent },
    [
      ...picture('160x90', '30', 15),
      '-vf',
      "select='eq(n,0)+gt(t,12.05)'",
      '-vsync',
      'passthrough',
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-x265-params',
      'log-level=none',
    ],
  ],
  ['slides', 'mp4', { engine: 'ffmpeg', frames: 4, ...silent }, [...picture('160x90', '1/5', 20), ...REORDERED]],
  ['two-frames', 'mp4', { engine: 'copy', frames: 2, ...silent }, from('-an', '-frames:v', '2', ...H264)],
  // Sound.
  ['mono-8k', 'mp4', copied, from('-c:v', 'copy', '-ac', '1', '-ar', '8000', ...AAC)],
  [
    'seven-one-96k',
    'mkv',
    copied,
    from(
      '-c:v',
      'copy',
      '-af',
      'pan=7.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0|SL=c0|SR=c0',
      '-ar',
      '96000',
      '-c:a',
      'flac',
    ),
  ],
  ['ac3', 'ts', copied, from('-c:v', 'copy', '-c:a', 'ac3')],
  ['pcm', 'mov', copied, from('-c:v', 'copy', '-c:a', 'pcm_s16le')],
  ['sound-with-a-gap', 'mkv', copied, from('-c:v', 'copy', '-af', "aselect='not(between(t,1.3,1.8))'", ...AAC)],
  [
    'sound-begins-early',
    'ts',
    copied,
    [...from('-itsoffset', '1'), ...from('-map', '1:v', '-map', '0:a', '-c', 'copy')],
  ],
  [
    'sound-is-over-before',
    'mkv',
    { engine: 'copy', frames: 90, ...silent },
    ['-itsoffset', '2', ...from('-t', '1'), ...from('-map', '0:v', '-map', '1:a', '-c', 'copy')],
  ],
  [
    'sound-changes',
    'ts',
    { engine: 'ffmpeg', frames: 120, marks: true, audio: true },
    strungTogether(
      [...picture(), ...sound(1.9, 48_000), ...H264, '-bf', '0', '-ac', '6', '-c:a', 'ac3'],
      [...picture(), ...sound(2, 44_100), ...H264, '-bf', '0', '-ac', '1', '-c:a', 'ac3', '-output_ts_offset', '2.1'],
    ),
  ],
  // What must not be copied.
  [
    'key-frames-that-are-none',
    'mp4',
    { engine: 'ffmpeg', frames: 150, ...silent },
    [
      ...picture('160x90', '30', 5),
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-bf',
      '0',
      '-pix_fmt',
      'yuv420p',
      '-g',
      '30',
      '-x264-params',
      'intra-refresh=1:scenecut=0',
    ],
  ],
  [
    'changes-its-size',
    'mkv',
    { engine: 'ffmpeg', frames: 120, sizes: ['160x90'], ...silent },
    async (path, dir) => {
      const parts = strungTogether(
        [...picture(), ...H264, '-bf', '0'],
        [...picture('128x72'), ...H264, '-bf', '0', '-output_ts_offset', '2.1'],
      )
      await build(parts, `${path}.ts`, dir)
      await ffmpeg(['-i', `${path}.ts`, '-c', 'copy', path])
    },
  ],
  [
    'lost-packets',
    'ts',
    { engine: 'ffmpeg', marks: false, audio: true },
    async (path, dir) => {
      await ffmpeg(['-i', await BASE.make(dir), '-c', 'copy', `${path}.ts`])
      const bytes = await readFile(`${path}.ts`)
      await writeFile(path, Buffer.concat([bytes.subarray(0, 188 * 60), bytes.subarray(188 * 66)]))
    },
  ],
  [
    'wrong-order',
    'mp4',
    { engine: 'ffmpeg', ...silent },
    async (path, dir) => {
      await ffmpeg(['-i', await BASE.make(dir), '-an', '-c', 'copy', `${path}.h264`])
      await ffmpeg(['-r', '30', '-i', `${path}.h264`, '-c', 'copy', path])
    },
  ],
]

/** Sources that few people have, small and many. */
export const RARE_CLIPS: readonly Clip[] = ROWS.map(([name, extension, expect, recipe]) =>
  derived(`rare-${name}`, extension, expect, (path, dir) => build(recipe, path, dir)),
)

const refused = (name: string, extension: string, error: VideoErrorCode, recipe: Recipe) =>
  derived(`rare-${name}`, extension, { error }, (path, dir) => build(recipe, path, dir))

export const RARE_BAD_CLIPS: readonly Clip[] = [
  refused(
    'clock-goes-back',
    'ts',
    'unsupported_source',
    strungTogether([...picture(), ...H264], [...picture(), ...H264]),
  ),
  refused('one-pixel', 'mkv', 'unsupported_source', [
    '-f',
    'lavfi',
    '-i',
    'color=s=64x64:d=1',
    '-vf',
    'format=gray,crop=1:64',
    '-c:v',
    'ffv1',
  ]),
  refused('too-wide', 'mkv', 'source_too_large', ['-f', 'lavfi', '-i', 'color=s=20000x2:r=10:d=1', '-c:v', 'ffv1']),
  refused('animation', 'mp4', 'not_a_video', from('-an', '-r', '10', '-f', 'gif')),
  refused('song', 'mp3', 'no_video_stream', from('-vn', '-c:a', 'libmp3lame')),
]

/** Files that ask a reader to fetch something else, each from this address. */
export async function makeLures(dir: string, address: string): Promise<string[]> {
  const texts: Readonly<Record<string, string>> = {
    hls: `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${address}/0.ts\n#EXT-X-ENDLIST\n`,
    concat: `ffconcat version 1.0\nfile ${address}/a.mp4\n`,
    sdp: `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video ${new URL(address).port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
    svg: `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64"><image xlink:href="${address}/a.png"/></svg>`,
    dash: `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${address}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    asx: `<ASX version="3.0"><entry><ref href="${address}/a"/></entry></ASX>`,
    reference: `ASF  [Reference]\nRef1=${address}/a\n`,
  }
  const movie = join(dir, 'external.mov')
  await ffmpeg([...picture('64x64', '10', 1), ...H264, movie])
  const bytes = await readFile(movie)
  // The samples are said to be in another file, whose name follows.
  const reference = bytes.indexOf('url \0\0\0\x01', 0, 'latin1')
  bytes[reference + 7] = 0
  await writeFile(movie, bytes)
  const paths = Object.entries(texts).map(async ([name, text]) => {
    await writeFile(join(dir, `${name}.mp4`), text)
    return join(dir, `${name}.mp4`)
  })
  return [movie, ...(await Promise.all(paths))]
}

/** Presentation and decoding times of the packets of the picture, in ticks. */
export async function packetTimes(path: string): Promise<{ pts: number; dts: number }[]> {
  const show = ['-v', 'error', '-f', 'mpegts', '-select_streams', 'v:0', '-show_entries', 'packet=pts,dts']
  const { stdout } = await run('ffprobe', [...show, '-of', 'csv=p=0', path], { maxBuffer: 1 << 26 })
  const lines = stdout.split('\n').filter((line) => /^\d/.test(line))
  return lines.map((line) => {
    const [pts, dts] = line.split(',').map(Number)
    return { pts: pts ?? Number.NaN, dts: dts ?? Number.NaN }
  })
}
