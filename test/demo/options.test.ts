import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseOptions, readCloud } from '../../demo/options.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'demo-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

function file(content: string): string {
  const path = join(folder(), 'video.mp4')
  writeFileSync(path, content)
  return path
}

test('without arguments a clip is made, and the cloud is the one of npm start', () => {
  expect(parseOptions([])).toEqual({ file: undefined, dataDir: '.local', help: false })
})

test('a video and a data folder are taken in any order', () => {
  const path = file('bytes')
  expect(parseOptions(['--data', 'elsewhere', path])).toEqual({ file: path, dataDir: 'elsewhere', help: false })
  expect(parseOptions([path, '--data', 'elsewhere'])).toEqual({ file: path, dataDir: 'elsewhere', help: false })
})

test('help is given even when the rest makes no sense', () => {
  expect(parseOptions(['--help', '/nowhere.mp4'])).toMatchObject({ help: true })
})

test.each([
  ['an option that does not exist', () => ['--port', '1'], '--port'],
  ['two videos', () => ['a.mp4', 'b.mp4'], 'Expected one video, got 2'],
  ['a file that is not there', () => ['/nowhere/video.mp4'], 'There is no file /nowhere/video.mp4'],
  ['a folder', () => [folder()], 'is not a file'],
  ['an empty file', () => [file('')], 'is empty'],
])('%s is explained', (_what, args, message) => {
  expect(() => parseOptions(args())).toThrow(message)
})

const user = { username: 'demo', password: 'x' }

test.each([
  '{bro',
  '"text"',
  'null',
  '{}',
  JSON.stringify({ pid: process.pid, user }),
  JSON.stringify({ pid: process.pid, gateway: 'http://localhost:9000' }),
])('a cloud.json that says %s is not what npm start writes', async (text) => {
  const path = folder()
  writeFileSync(join(path, 'cloud.json'), text)
  await expect(readCloud(path)).rejects.toThrow(/cloud\.json is not what `npm start` writes/)
})

test('no cloud.json means that nothing runs, and how to start it is said', async () => {
  await expect(readCloud(folder())).rejects.toThrow(/No local cloud is running .* `npm start`/)
})

test('a cloud.json whose process is gone is not trusted', async () => {
  const path = folder()
  writeFileSync(join(path, 'cloud.json'), JSON.stringify({ pid: 2 ** 30, gateway: 'http://localhost:9000', user }))
  await expect(readCloud(path)).rejects.toThrow('is gone')
})

test('the cloud of a running process is read', async () => {
  const path = folder()
  writeFileSync(join(path, 'cloud.json'), JSON.stringify({ pid: process.pid, gateway: 'http://localhost:9000', user }))
  expect(await readCloud(path)).toMatchObject({ gateway: 'http://localhost:9000' })
})
