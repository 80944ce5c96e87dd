import { EventEmitter } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCommand } from '../../local/command.ts'
import { explain } from '../../local/explain.ts'
import { functionResource, makeProject, manifestText, type Project } from './fc/project.ts'

let project: Project
beforeAll(async () => {
  project = await makeProject({
    's.yaml': manifestText({ api: functionResource('api') }),
    'code/api/index.mjs': 'export const handler = async () => ({})',
    'a-file': 'not a folder',
  })
})
afterAll(() => project.dispose())

const dataIn = (name: string) => join(project.dir, name)

/** Runs the command to its end; `onLine` sees each line and can send signals. */
async function start(argv: readonly string[], onLine: (line: string, signals: EventEmitter) => void = () => {}) {
  const lines: string[] = []
  const signals = new EventEmitter()
  const status = await runCommand(argv, {
    env: { PATH: process.env.PATH },
    projectDir: project.dir,
    process: Object.assign(signals, { exit: () => {} }),
    print(line) {
      lines.push(line)
      onLine(line, signals)
    },
  })
  return { lines, status }
}

test.each<[string, () => string[], RegExp]>([
  ['no folder at all', () => ['--data', ''], /--data takes the name of a folder/],
  ['a file', () => ['--data', dataIn('a-file')], /a-file cannot be used: it is not a folder \(--data\)/],
  ['below a file', () => ['--data', dataIn('a-file/data')], /cannot be used: it is not a folder \(--data\)/],
  [
    'an address, where SDKs want a name',
    () => ['--host', '192.0.2.1'],
    /--host takes a name, 127\.0\.0\.1 or 0\.0\.0\.0/,
  ],
  ['a name that stands for nothing', () => ['--data', dataIn('i'), '--host', 'a.invalid'], /no address a\.invalid/],
  ['a port below zero', () => ['--port', '-1'], /^Option '--port' argument is ambiguous\. Try: npm start -- --help$/],
])('%s is refused in one line', async (_, argv, message) => {
  const { lines, status } = await start(['--port', '0', ...argv()])
  expect(status).toBe(1)
  expect(lines.at(-1)).toMatch(message)
})

test('a folder with the files of somebody else is refused and left as it was', async () => {
  const home = dataIn('home')
  await mkdir(join(home, 'tmp'), { recursive: true })
  await writeFile(join(home, 'tmp', 'letter.txt'), 'keep me')
  const { lines, status } = await start(['--port', '0', '--data', home])
  expect(status).toBe(1)
  expect(lines.at(-1)).toMatch(/home holds other files \(--data\)/)
  expect(await readdir(home, { recursive: true })).toEqual(['tmp', join('tmp', 'letter.txt')])
})

test('an account that cannot be read is named', async () => {
  const data = dataIn('broken')
  await mkdir(data)
  await writeFile(join(data, 'account.json'), '{"accountId":')
  const { lines, status } = await start(['--port', '0', '--data', data])
  expect(status).toBe(1)
  expect(lines.at(-1)).toMatch(/broken\/account\.json is broken; .* --data$/)
})

test.each([
  [{ code: 'ENOSPC', path: '/data/oss/x' }, '/data/oss/x cannot be used: the disk is full (--data)'],
  [{ code: 13 }, '/data cannot be used: this user may not write there (--data)'],
])('a fault of the disk, %j, is told with its folder', (fault, message) => {
  expect(explain(Object.assign(new Error('fault'), fault), { dataDir: '/data' })).toMatchObject({ message })
})

test('a fault of another file is not taken for one of the data folder', () => {
  const fault = Object.assign(new Error('fault'), { code: 'ENOENT', path: '/project/dist/local/runtime.mjs' })
  expect(explain(fault, { dataDir: '/data' })).toBe(fault)
})

test.each([
  ['9000', '9100'],
  ['9098', '9200'],
])('when a port from %s on is in use, another range is named', (port, other) => {
  const fault = Object.assign(new Error('listen'), { code: 'EADDRINUSE', syscall: 'listen', port: Number(port) + 2 })
  const told = explain(fault, { dataDir: project.dir, port: Number(port) })
  expect(told).toMatchObject({
    message: `Port ${Number(port) + 2} is in use; stop what uses it or start with --port ${other}`,
  })
})

test('Ctrl-C while it starts ends it with 0 before it is ready, and leaves nothing running', async () => {
  const data = dataIn('early')
  const { lines, status } = await start(['--port', '0', '--data', data], (line, signals) => {
    if (line === 'creating tables') signals.emit('SIGINT')
  })
  expect([status, lines.at(-1)]).toEqual([0, 'stopping'])
  expect(lines.at(-1)).toBe('stopping')
  expect(await readdir(data)).not.toContain('lock')
})
