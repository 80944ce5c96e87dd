import { expect, test } from 'vitest'
import { loadConfig } from '../../shared/config.ts'

const oss = { OSS_ENDPOINT: 'http://localhost:9001/', OSS_BUCKET: 'yunbo', REGION: 'cn-hangzhou' }

test('a section is read and parsed, with its defaults', () => {
  expect(loadConfig(oss, 'oss', 'ffmpeg')).toEqual({
    oss: {
      endpoint: 'http://localhost:9001',
      publicEndpoint: 'http://localhost:9001',
      bucket: 'yunbo',
      addressing: 'virtual',
      region: 'cn-hangzhou',
    },
    ffmpeg: { ffmpegPath: undefined, ffprobePath: undefined, nodeModulesDir: undefined, threads: 2 },
  })
})

test('an empty variable counts as unset', () => {
  const env = { ...oss, OSS_PUBLIC_ENDPOINT: '', OSS_ADDRESSING: '', FFMPEG_PATH: '' }
  expect(loadConfig(env, 'oss', 'ffmpeg')).toEqual(loadConfig(oss, 'oss', 'ffmpeg'))
})

test('the public endpoint may differ from the one functions use', () => {
  const env = { ...oss, OSS_PUBLIC_ENDPOINT: 'https://oss-cn-hangzhou.aliyuncs.com' }
  expect(loadConfig(env, 'oss').oss).toMatchObject({
    endpoint: 'http://localhost:9001',
    publicEndpoint: 'https://oss-cn-hangzhou.aliyuncs.com',
  })
})

test('everything that is missing or wrong is said at once, and nothing else', () => {
  const env = { OSS_ENDPOINT: 'localhost:9001', OSS_ADDRESSING: 'paths', FFMPEG_THREADS: 'two' }
  const faults = [
    'OSS_ENDPOINT must be an http or https address without a path',
    'OSS_BUCKET is missing',
    'OSS_ADDRESSING must be one of virtual, path',
    'REGION is missing',
    'SECRET_KEY is missing',
    'FFMPEG_THREADS must be a whole number from 1 to 64',
  ]
  expect(() => loadConfig(env, 'oss', 'secrets', 'ffmpeg')).toThrow(
    new Error(`The configuration is not complete:\n  ${faults.join('\n  ')}`),
  )
})

test('a section that is not asked for is not required', () => {
  expect(loadConfig({ PUBLIC_URL: 'https://video.example.com' }, 'site')).toEqual({
    site: { publicUrl: 'https://video.example.com' },
  })
})

test.each([
  ['PUBLIC_URL', 'https://video.example.com/app', 'site'],
  ['PUBLIC_URL', 'ftp://video.example.com', 'site'],
  ['PUBLIC_URL', 'https://user@video.example.com', 'site'],
  ['SECRET_KEY', 'x'.repeat(31), 'secrets'],
  ['SIGNUP', 'yes', 'accounts'],
  ['MAX_SOURCE_BYTES', '0', 'limits'],
  ['MAX_SOURCE_BYTES', '-1', 'limits'],
  ['MAX_SOURCE_BYTES', '1e9', 'limits'],
  ['FFMPEG_THREADS', '65', 'ffmpeg'],
  ['FUNCTION_PREFIX', '9-', 'invoke'],
  ['REGION', 'oss-cn-hangzhou', 'oss'],
  ['OSS_BUCKET', 'No_Bucket', 'oss'],
  ['UPLOAD_ROLE_ARN', 'yunbo-uploader', 'sts'],
  ['UPLOAD_SECONDS', '899', 'sts'],
] as const)('%s=%s is refused', (variable, value, section) => {
  expect(() => loadConfig({ [variable]: value }, section)).toThrow(`${variable} must be`)
})

test('a refusal does not repeat the value, which may be a secret', () => {
  expect(() => loadConfig({ SECRET_KEY: 'hunter2' }, 'secrets')).not.toThrow('hunter2')
  expect(() => loadConfig({ SECRET_KEY: 'hunter2' }, 'secrets')).toThrow('SECRET_KEY')
})
