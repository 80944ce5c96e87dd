import { EventEmitter } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runCommand } from '../../local/command.ts'
import { type Local, startLocal } from '../../local/index.ts'
import { functionResource, httpTrigger, makeProject, manifestText, type Project } from './fc/project.ts'

const API = `
export const handler = async (event) => {
  const { rawPath, body } = JSON.parse(event)
  return { statusCode: 201, body: JSON.stringify({ rawPath, body, env: process.env }) }
}`
const env = { PATH: process.env.PATH, FFMPEG_PATH: '/somewhere/ffmpeg', SECRET_OF_THE_USER: 'x' }

const NAMES = ['REGION', 'ALIYUN_ACCOUNT_ID', 'SECRET_KEY', 'PUBLIC_URL', 'SIGNUP', 'FFMPEG_PATH', 'NODE_MODULES_DIR']
const OSS_NAMES = ['OSS_BUCKET', 'OSS_ENDPOINT', 'OSS_PUBLIC_ENDPOINT', 'OSS_ADDRESSING']
const ENDPOINTS = ['TABLESTORE_ENDPOINT', 'TABLESTORE_INSTANCE', 'STS_ENDPOINT', 'INVOKE_ENDPOINT']
const environmentVariables = Object.fromEntries(
  [...NAMES, ...OSS_NAMES, ...ENDPOINTS].map((name) => [name, `\${env('${name}')}`]),
)

let project: Project

beforeAll(async () => {
  project = await makeProject({
    's.yaml': manifestText({ api: functionResource('api', { environmentVariables, triggers: [httpTrigger()] }) }, [
      { path: '/v1/*', functionName: 'api' },
    ]),
    'code/api/index.mjs': API,
    'dist/web/index.html': '<title>start</title>',
  })
})
afterAll(() => project.dispose())

const dataIn = (name: string) => join(project.dir, name)

async function start(data: string, changes: Partial<Parameters<typeof startLocal>[0]> = {}): Promise<Local> {
  const local = await startLocal({ port: 0, dataDir: dataIn(data), projectDir: project.dir, env, ...changes })
  onTestFinished(() => local.close())
  return local
}

describe('startLocal', () => {
  test('starts every service and gives s.yaml their addresses', async () => {
    const tables: unknown[] = []
    const { cloud } = await start('all', { createTables: async (target) => void tables.push(target) })
    const answer = await (await fetch(`${cloud.gateway}/v1/anything`)).json()
    expect((answer as { env: unknown }).env).toMatchObject({
      REGION: 'cn-hangzhou',
      ALIYUN_ACCOUNT_ID: cloud.accountId,
      PUBLIC_URL: cloud.gateway,
      SIGNUP: 'open',
      FFMPEG_PATH: '/somewhere/ffmpeg',
      OSS_BUCKET: cloud.oss.bucket,
      OSS_ENDPOINT: cloud.oss.endpoint,
      OSS_PUBLIC_ENDPOINT: cloud.oss.endpoint,
      OSS_ADDRESSING: 'path',
      TABLESTORE_ENDPOINT: cloud.tablestore.endpoint,
      STS_ENDPOINT: `http://${cloud.sts.endpoint}`,
      INVOKE_ENDPOINT: `http://${cloud.fc.endpoint}`,
    })
    expect(answer).not.toHaveProperty('env.SECRET_OF_THE_USER')
    const { accessKeyId, accessKeySecret } = cloud
    expect(tables).toEqual([{ ...cloud.tablestore, accessKeyId, accessKeySecret }])
    expect(await (await fetch(cloud.gateway)).text()).toContain('start')
  })

  test('lets browsers read the bucket from anywhere and write from its own pages only', async () => {
    const { cloud } = await start('cors')
    const preflight = async (origin: string, method: string) => {
      const headers = { origin, 'access-control-request-method': method }
      const { headers: answer } = await fetch(`${cloud.oss.endpoint}/yunbo/x`, { method: 'OPTIONS', headers })
      return answer.get('access-control-allow-origin')
    }
    const page = cloud.gateway
    expect(await preflight(page, 'PUT')).toBe(page)
    expect(await preflight(page.replace('localhost', '127.0.0.1'), 'POST')).not.toBeNull()
    expect(await preflight('http://elsewhere', 'GET')).toBe('*')
    expect(await preflight('http://elsewhere', 'PUT')).toBeNull()
  })

  test('keeps its account for itself and across restarts', async () => {
    const first = await start('kept')
    await first.close()
    const second = await start('kept')
    const { accountId, accessKeyId, accessKeySecret, user } = first.cloud
    expect(second.cloud).toMatchObject({ accountId, accessKeyId, accessKeySecret, user })
    expect((await stat(join(dataIn('kept'), 'account.json'))).mode & 0o777).toBe(0o600)
  })

  test('refuses a data folder that a running one has, and takes it when that one is gone', async () => {
    const first = await start('locked')
    await expect(start('locked')).rejects.toThrow(new RegExp(`in use by process ${process.pid}`))
    await first.close()
    await start('locked')
  })

  test('says which function does not start, and leaves nothing running', async () => {
    const broken = await makeProject({
      's.yaml': manifestText({ bad: functionResource('bad') }),
      'code/bad/index.mjs': 'throw new Error("no luck")',
    })
    onTestFinished(() => broken.dispose())
    const options = { port: 0, dataDir: join(broken.dir, 'data'), projectDir: broken.dir, env }
    await expect(startLocal(options)).rejects.toThrow(/bad does not start: no luck .*bad\.log/)
    expect(await readdir(join(broken.dir, 'data'))).not.toContain('lock')
  })
})

/** The command with a process that only exists in the test. */
function command(...argv: string[]) {
  const lines: string[] = []
  const signals = new EventEmitter()
  const exits: number[] = []
  const ready = new EventEmitter()
  const clock = { now: 1000 }
  const context = {
    now: () => clock.now,
    env,
    projectDir: project.dir,
    process: Object.assign(signals, { exit: (status: number) => void exits.push(status) }),
    print(line: string) {
      lines.push(line)
      if (line.includes('Ctrl-C stops') || line.includes('"ready"')) ready.emit('ready')
    },
  }
  const isReady = new Promise((resolve) => ready.once('ready', resolve))
  return { lines, signals, exits, clock, isReady, status: runCommand(argv, context) }
}

describe('npm start', () => {
  test('prints one block when everything answers, keeps cloud.json meanwhile, and ends with 0 at Ctrl-C', async () => {
    const data = dataIn('command')
    const { lines, signals, isReady, status } = command('--port', '0', '--data', data)
    await isReady
    const cloud = JSON.parse(await readFile(join(data, 'cloud.json'), 'utf8'))
    const block = lines.at(-1) ?? ''
    for (const text of [
      cloud.gateway,
      `${cloud.gateway}/v1`,
      'demo',
      cloud.user.password,
      'ffmpeg',
      join(data, 'logs'),
    ]) {
      expect(block).toContain(text)
    }
    signals.emit('SIGINT')
    expect(await status).toBe(0)
    await expect(readFile(join(data, 'cloud.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(fetch(cloud.gateway)).rejects.toThrow()
  })

  test('says the same as one object a line with --json, and forgets everything with --ephemeral', async () => {
    const { lines, signals, isReady, status } = command('--port', '0', '--json', '--ephemeral')
    await isReady
    const events = lines.map((line) => JSON.parse(line))
    expect(events[0]).toMatchObject({ event: 'progress' })
    expect(events.at(-1)).toMatchObject({
      event: 'ready',
      pid: process.pid,
      region: 'cn-hangzhou',
      user: { username: 'demo' },
    })
    signals.emit('SIGTERM')
    expect(await status).toBe(0)
  })

  test('a second Ctrl-C ends the process at once, and one that arrives twice is one', async () => {
    const { signals, exits, clock, isReady, status } = command('--port', '0', '--ephemeral', '--json')
    await isReady
    signals.emit('SIGINT')
    clock.now += 20
    signals.emit('SIGINT')
    expect(exits).toEqual([])
    clock.now += 1000
    signals.emit('SIGINT')
    expect(exits).toEqual([130])
    await status
  })

  test('serves no pages with --no-web', async () => {
    const { lines, signals, isReady, status } = command('--port', '0', '--ephemeral', '--json', '--no-web')
    await isReady
    expect((await fetch(JSON.parse(lines.at(-1) ?? '').gateway)).status).toBe(404)
    signals.emit('SIGINT')
    await status
  })

  test('names the port that is in use, and leaves nothing behind', async () => {
    const taken = createServer()
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address()
        resolve(typeof address === 'object' && address ? address.port : 0)
      })
    })
    onTestFinished(() => void taken.close())
    const { lines, status } = command('--port', String(port), '--data', dataIn('taken'))
    expect(await status).toBe(1)
    expect(lines.at(-1)).toBe(`Port ${port} is in use; stop what uses it or start with --port 9100`)
    expect(await readdir(dataIn('taken'))).not.toContain('lock')
  })

  test.each([
    [['--prot', '9000'], /--prot.*--help/],
    [['--port', 'many'], /--port takes a number/],
    [['--port', '65535'], /--port takes a number/],
    [['extra'], /extra.*--help/],
  ])('refuses %j', async (argv, message) => {
    const { lines, status } = command(...argv)
    expect(await status).toBe(1)
    expect(lines.join('\n')).toMatch(message)
  })

  test('explains itself with --help', async () => {
    const { lines, status } = command('--help')
    expect(await status).toBe(0)
    expect(lines.join('\n')).toContain('--ephemeral')
  })
})
