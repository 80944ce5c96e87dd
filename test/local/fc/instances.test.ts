import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { functionResource, httpTrigger, makeProject, manifestText, type Project } from './project.ts'

/** Leaves a child behind that runs in a session of its own with an empty environment, as an ffmpeg runner would. */
const PARENT = `
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
export const handler = async (event) => {
  const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore', env: {} })
  writeFileSync(process.env.OUT, String(child.pid))
  await new Promise(() => setInterval(() => {}, 1000))
}`

const SERVER = `
import { createServer } from 'node:http'
let busy = 0
let most = 0
createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  if (request.url === '/exit') process.exit(1)
  most = Math.max(most, ++busy)
  if (request.url === '/pair') while (most < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  busy--
  const failed = request.url === '/invoke' && String(Buffer.concat(chunks)) === 'fail'
  response.writeHead(failed ? 404 : 201, { 'x-seen': 'yes', 'x-fc-status': failed ? '404' : '200', 'content-type': 'application/json' })
  response.end(JSON.stringify({ url: request.url, method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString('base64'), pid: process.pid, args: process.argv.slice(2), env: process.env }))
}).listen(Number(process.env.FC_CUSTOM_LISTEN_PORT))`

async function startParent(options: { timeout: number }): Promise<{ project: Project; out: string }> {
  const project = await makeProject({ 'code/parent/index.mjs': PARENT })
  onTestFinished(() => project.dispose())
  const out = `${project.dir}/pid`
  const props = { ...options, environmentVariables: { OUT: out }, triggers: [httpTrigger()] }
  const routes = [{ path: '/*', functionName: 'parent' }]
  await project.write({ 's.yaml': manifestText({ parent: functionResource('parent', props) }, routes) })
  return { project, out }
}

test('an instance that is killed for its time limit takes its grandchildren along', async () => {
  const { project, out } = await startParent({ timeout: 1 })
  const running = await project.start()
  expect((await fetch(`${running.gateway}/`)).status).toBe(504)
  await until(() => !isAlive(Number(readFileSync(out, 'utf8'))))
})

test('closing kills what is still running, grandchildren too', async () => {
  const { project, out } = await startParent({ timeout: 600 })
  const running = await project.start()
  const request = fetch(`${running.gateway}/`).catch(() => undefined)
  await until(() => existsSync(out) && readFileSync(out, 'utf8') !== '')
  const pid = Number(readFileSync(out, 'utf8'))
  expect(isAlive(pid)).toBe(true)
  await running.close()
  await until(() => !isAlive(pid))
  await request
})

test('the reaper kills the instances of a process that was itself killed, stopped ones too', async () => {
  const reaper = fileURLToPath(new URL('../../../local/fc/reaper.mjs', import.meta.url))
  const owner = spawn(
    process.execPath,
    [
      '-e',
      `const { spawn } = require('node:child_process')
       const reaper = spawn(process.execPath, [process.argv[1]], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] })
       const sleeper = spawn('sleep', ['600'], { detached: true, stdio: 'ignore', env: { FC_INSTANCE_ID: 'c-reaper-test' } })
       process.kill(-sleeper.pid, 'SIGSTOP')
       reaper.stdin.write(JSON.stringify({ add: { pid: sleeper.pid, instanceId: 'c-reaper-test' } }) + '\\n', () => console.log(sleeper.pid))`,
      reaper,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void owner.kill('SIGKILL'))
  const pid = await new Promise<number>((resolve) => owner.stdout.once('data', (data) => resolve(Number(data))))
  expect(isAlive(pid)).toBe(true)
  owner.kill('SIGKILL')
  await until(() => !isAlive(pid))
})

async function startCustomFunction(props: Record<string, unknown> = {}) {
  const project = await makeProject({
    's.yaml': manifestText(
      {
        web: functionResource('web', {
          runtime: 'custom.debian10',
          customRuntimeConfig: {
            command: ['/var/fc/lang/nodejs20/bin/node'],
            args: ['/code/server.mjs', '--opt', '/opt/x'],
            port: 9000,
          },
          instanceConcurrency: 20,
          triggers: [httpTrigger(['GET', 'POST'])],
          ...props,
        }),
      },
      [{ path: '/*', functionName: 'web' }],
    ),
    'code/web/server.mjs': SERVER,
  })
  onTestFinished(() => project.dispose())
  return { project, running: await project.start() }
}

test('a custom runtime gets requests as they are, with its credentials in headers', async () => {
  const { project, running } = await startCustomFunction()
  const body = Buffer.from([1, 2, 255])
  const response = await fetch(`${running.gateway}/a%20b?x=1&x=2`, {
    method: 'POST',
    headers: { 'X-Mine': 'Yes' },
    body,
  })
  expect(response.status).toBe(201)
  expect(response.headers.get('x-seen')).toBe('yes')
  const seen = (await response.json()) as { headers: Record<string, string>; env: Record<string, string> }
  expect(seen).toMatchObject({
    url: '/a%20b?x=1&x=2',
    method: 'POST',
    body: body.toString('base64'),
    args: ['--opt', `${project.dir}/dist/layers/none/x`],
    headers: {
      'x-mine': 'Yes',
      'x-fc-request-id': response.headers.get('x-fc-request-id'),
      'x-fc-access-key-id': expect.stringMatching(/^STS\./),
      'x-fc-security-token': expect.any(String),
      'x-fc-region': 'cn-hangzhou',
      'x-fc-function-name': 'web',
    },
  })
  expect(seen.env.FC_CUSTOM_LISTEN_PORT).toMatch(/^\d+$/)
  expect(seen.env.FC_RUNTIME).toBe('custom.debian10')
})

test('a custom runtime serves several requests in one instance', async () => {
  const { running } = await startCustomFunction()
  const answers = await Promise.all([1, 2].map(async () => (await fetch(`${running.gateway}/pair`)).json()))
  const [first, second] = answers as { pid: number }[]
  expect(first?.pid).toBe(second?.pid)
})

test('a custom runtime that dies under a request is a bad gateway, and is started anew', async () => {
  const { running } = await startCustomFunction()
  expect((await fetch(`${running.gateway}/exit`)).status).toBe(502)
  expect((await fetch(`${running.gateway}/fine`)).status).toBe(201)
})

test('a custom runtime that never listens says so', async () => {
  const { project, running } = await startCustomFunction({
    customRuntimeConfig: { command: ['/var/fc/lang/nodejs20/bin/node'], args: ['-e', 'process.exit(3)'] },
  })
  const response = await fetch(`${running.gateway}/`)
  expect(response.status).toBe(502)
  expect(await response.text()).toContain('did not listen')
  await expect.poll(() => project.logOf('web')).toContain('cannot start')
})

const COUNTING = `
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
let count = 0
export const initialize = (context, callback) => { count = 100; callback(null, '') }
export const preStop = (context, callback) => { appendFileSync(process.env.OUT, 'pre-stop of ' + context.function.name); callback(null, '') }
export const handler = async (event) => {
  // Two that meet here are two instances.
  if (JSON.parse(event).rawPath === '/meet') {
    writeFileSync('met-' + process.pid, '')
    while (readdirSync('.').filter((name) => name.startsWith('met-')).length < 2) await new Promise((go) => setTimeout(go, 5))
  }
  return { count: ++count, pid: process.pid }
}`

test('an instance is initialized once, serves one request after the other, rests between them, and hears of its end', async () => {
  const project = await makeProject({ 'code/counting/index.mjs': COUNTING })
  onTestFinished(() => project.dispose())
  const OUT = `${project.dir}/out`
  const props = {
    environmentVariables: { OUT },
    triggers: [httpTrigger()],
    instanceLifecycleConfig: {
      initializer: { handler: 'index.initialize', timeout: 5 },
      preStop: { handler: 'index.preStop', timeout: 5 },
    },
  }
  const routes = [{ path: '/*', functionName: 'counting' }]
  await project.write({ 's.yaml': manifestText({ counting: functionResource('counting', props) }, routes) })
  const running = await project.start()
  const ask = async (path = '/') =>
    (await (await fetch(running.gateway + path)).json()) as { count: number; pid: number }
  const first = await ask()
  await until(() => stateOf(first.pid) === 'T')
  const second = await ask()
  expect([first.count, second.count]).toEqual([101, 102])
  expect(second.pid).toBe(first.pid)
  // Requests at the same time need instances of their own.
  const pids = (await Promise.all([ask('/meet'), ask('/meet')])).map(({ pid }) => pid)
  expect(new Set(pids).size).toBe(2)
  await running.close()
  expect(await project.read('out')).toContain('pre-stop of counting')
})

test('requests beyond the last instance wait in line', async () => {
  const project = await makeProject({ 'code/counting/index.mjs': COUNTING })
  onTestFinished(() => project.dispose())
  const routes = [{ path: '/*', functionName: 'counting' }]
  const resources = { counting: functionResource('counting', { triggers: [httpTrigger()] }) }
  await project.write({ 's.yaml': manifestText(resources, routes) })
  const running = await project.start({ maxInstances: { counting: 1 } })
  const answers = await Promise.all(
    [1, 2, 3, 4].map(async () => (await (await fetch(`${running.gateway}/`)).json()) as { count: number; pid: number }),
  )
  expect(new Set(answers.map(({ pid }) => pid)).size).toBe(1)
  expect(answers.map(({ count }) => count).sort()).toEqual([1, 2, 3, 4])
})

function isAlive(pid: number): boolean {
  return stateOf(pid) !== undefined && stateOf(pid) !== 'Z'
}

function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  } catch {
    return undefined
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
