import { expect, test } from 'vitest'
import { type Capture, findBinaries } from '../../../functions/ffmpeg-transcode/binaries.ts'

const ANSWERS: Readonly<Record<string, string>> = {
  '-version': 'ffmpeg version 9\nbuilt with care',
  '-encoders': ' V..... libx264  H.264\n A..... aac  AAC\n',
  '-muxers': '  E segment  segments\n  E mpegts  TS\n',
  '-filters': ' T.. zscale V->V x\n ... tonemap V->V x\n',
  '-h': '-fps_mode[:<stream_spec>]  set framerate mode\n',
}

/** A machine on which these programs exist, each answering as given. */
function machine(programs: Readonly<Record<string, Readonly<Record<string, string | null>>>>): Capture {
  return async (program, args) => {
    const answers = programs[program]
    if (!answers) throw new Error(`spawn ${program} ENOENT`)
    const what = Object.keys({ ...ANSWERS, ...answers }).find((name) => args.includes(name)) ?? ''
    const output = { ...ANSWERS, ...answers }[what]
    return output === null ? { output: '', code: null } : { output: output ?? '', code: what === '' ? 1 : 0 }
  }
}

const NOWHERE = { nodeModulesDir: '/nonexistent', env: {} }

test('what is on the path is used, and its features are found by asking', async () => {
  const found = await findBinaries(NOWHERE, machine({ ffmpeg: {}, ffprobe: {} }))
  expect(found).toMatchObject({
    ffmpeg: 'ffmpeg',
    ffprobe: 'ffprobe',
    version: 'ffmpeg version 9',
    features: { fpsMode: true, toneMap: true, resolvesNames: true },
  })
})

test('a configured program comes first, and one that lacks the encoder is passed over', async () => {
  const config = { ...NOWHERE, ffmpegPath: 'mine' }
  expect((await findBinaries(config, machine({ mine: {}, ffmpeg: {}, ffprobe: {} }))).ffmpeg).toBe('mine')
  const crippled = machine({ mine: { '-encoders': ' A..... aac AAC\n' }, ffmpeg: {}, ffprobe: {} })
  expect((await findBinaries(config, crippled)).ffmpeg).toBe('ffmpeg')
})

test('a build that crashes on host names is used, but never given one', async () => {
  const found = await findBinaries(NOWHERE, machine({ ffmpeg: {}, ffprobe: { 'http://localhost:9/': null } }))
  expect(found.features.resolvesNames).toBe(false)
})

test('an older build is recognised by what it lacks', async () => {
  const old = { '-h': '-vsync', '-filters': '' }
  const { features } = await findBinaries(NOWHERE, machine({ ffmpeg: old, ffprobe: {} }))
  expect(features).toMatchObject({ fpsMode: false, toneMap: false })
})

test.each([
  ['ffmpeg', machine({ ffprobe: {} })],
  ['ffprobe', machine({ ffmpeg: {} })],
  ['ffmpeg', machine({ ffmpeg: { '-muxers': '' }, ffprobe: {} })],
])('without a usable %s the message says what to install', async (missing, capture) => {
  await expect(findBinaries(NOWHERE, capture)).rejects.toThrow(
    new RegExp(`^No usable ${missing} was found. Install ffmpeg.*FFMPEG_PATH.*Tried: .*${missing}`),
  )
})
