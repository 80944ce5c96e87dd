import { execFileSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OSS from 'ali-oss'
import { expect, onTestFinished, test } from 'vitest'
import { runCloudCommand } from '../../local/cloud-command.ts'
import { functionResource, httpTrigger, makeProject, manifestText } from './fc/project.ts'

const env = { PATH: process.env.PATH, MINE: 'of my shell' }

/** Runs the command to its end; `onReady` sees what it announces. */
async function cloud(argv: readonly string[], onReady: (line: string) => Promise<void> = async () => {}) {
  const lines: string[] = []
  const signals = new EventEmitter()
  let watching: Promise<void> | undefined
  const status = await runCloudCommand(argv, {
    env,
    process: Object.assign(signals, { exit: () => {} }),
    print(line) {
      lines.push(line)
      if (!line.includes('"ready"') && !line.includes('Ctrl-C stops')) return
      watching = onReady(line).finally(() => signals.emit('SIGINT'))
    },
  })
  await watching
  return { lines, status }
}

async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'cloud-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

test('the services start by themselves, with the buckets that are asked for and nothing of the product', async () => {
  const options = ['--port', '0', '--ephemeral', '--json', '--bucket', 'first-one', '--bucket', 'second-one']
  const { status } = await cloud([...options, '--instance', 'mine'], async (line) => {
    const ready = JSON.parse(line)
    expect(ready).toMatchObject({ oss: { bucket: 'first-one' }, tablestore: { instance: 'mine' } })
    expect(ready).not.toHaveProperty('user')
    const { accessKeyId, accessKeySecret } = ready
    const oss = new OSS({ endpoint: ready.oss.endpoint, sldEnable: true, accessKeyId, accessKeySecret } as OSS.Options)
    const { buckets } = (await oss.listBuckets({})) as unknown as { buckets: { name: string }[] }
    expect(buckets.map(({ name }) => name)).toEqual(['first-one', 'second-one'])
    expect((await fetch(ready.gateway)).status).toBe(404)
  })
  expect(status).toBe(0)
})

test('the functions of another project run, and its s.yaml sees the shell besides the local cloud', async () => {
  const environmentVariables = { MINE: "${env('MINE')}", REGION: "${env('REGION', 'elsewhere')}" }
  const mine = functionResource('mine', { environmentVariables, triggers: [httpTrigger()] })
  const project = await makeProject({
    's.yaml': manifestText({ mine }, [{ path: '/*', functionName: 'mine' }]),
    'code/mine/index.mjs':
      'export const handler = async () => ({ statusCode: 200, body: `${process.env.MINE}, ${process.env.REGION}` })',
  })
  onTestFinished(() => project.dispose())
  const options = ['--port', '0', '--ephemeral', '--json', '--project', project.dir]
  await cloud(options, async (line) => {
    const answer = await fetch(`${JSON.parse(line).gateway}/any`)
    expect(await answer.text()).toBe('of my shell, cn-hangzhou')
  })
})

test('the settings of the cloud that runs come as lines for a shell, and are refused when none runs', async () => {
  const dataDir = await newFolder()
  await cloud(['--port', '0', '--data', dataDir], async (block) => {
    const { lines } = await cloud(['--env', '--data', dataDir])
    const script = `${lines.join('\n')}\nprintf '%s' "$AccessKeyID $OSS_ENDPOINT $YUNBO_CLOUD"`
    const [key = '', endpoint = '', file] = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split(' ')
    expect(block).toContain(`AccessKey ID      ${key}\n`)
    expect(block).toContain(endpoint)
    expect(file).toBe(join(dataDir, 'cloud.json'))
  })
  const { lines, status } = await cloud(['--env', '--data', dataDir])
  expect(status).toBe(1)
  expect(lines).toEqual([`no local cloud runs on ${dataDir}; start one (npm run cloud, npm start), or name its --data`])
})

test('explains itself with --help', async () => {
  const { lines, status } = await cloud(['--help'])
  expect(status).toBe(0)
  expect(lines.join('\n')).toMatch(/npm run cloud.*--bucket NAME/s)
})

test.each([
  [['--bucket', 'Capitals'], /^--bucket takes 3 to 63 small letters, digits and -, not at either end, not Capitals$/],
  [['--instance', '1'], /^--instance takes 3 to 16/],
  [['--project', '/nowhere'], /^\/nowhere has no s\.yaml \(--project\)$/],
  [['--no-web'], /--no-web.*Try: npm run cloud -- --help/],
])('refuses %j in one line', async (argv, message) => {
  const { lines, status } = await cloud(['--port', '0', '--ephemeral', ...argv])
  expect(status).toBe(1)
  expect(lines.at(-1)).toMatch(message)
})
