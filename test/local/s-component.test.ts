import { chmod, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Local, startLocal } from '../../local/index.ts'
import { type Inputs, run } from '../../local/s-component/index.ts'
import { functionResource, httpTrigger, makeProject, type Project } from './fc/project.ts'

const CODE = `
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
export const handler = async () => ({
  statusCode: 200,
  body: JSON.stringify({
    said: execFileSync('./said.sh', { cwd: new URL('.', import.meta.url) }).toString(),
    word: existsSync(process.env.WORD) ? readFileSync(process.env.WORD, 'utf8') : 'none',
  }),
})`

let project: Project
let local: Local

beforeAll(async () => {
  project = await makeProject({
    'code/teller/index.mjs': CODE,
    'code/teller/said.sh': '#!/bin/sh\necho hello',
    'dist/layers/words/word.txt': 'from the layer',
  })
  await chmod(join(project.dir, 'code/teller/said.sh'), 0o755)
  const bare = { buckets: ['bucket'], instance: 'instance' }
  local = await startLocal({ port: 0, dataDir: join(project.dir, 'data'), bare, env: { PATH: process.env.PATH } })
  await writeFile(join(project.dir, 'cloud.json'), JSON.stringify(local.cloud))
})
afterAll(async () => {
  await local?.close()
  await project?.dispose()
})

const props = (changes: object = {}) =>
  functionResource('teller', {
    environmentVariables: { WORD: '/opt/word.txt' },
    triggers: [httpTrigger()],
    ...changes,
  }).props as Record<string, unknown>

/** One command of the component on one resource. */
async function s(command: Parameters<typeof run>[0], wanted: Record<string, unknown>, env: object = {}) {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  const { accountId: AccountID, accessKeyId: AccessKeyID, accessKeySecret: AccessKeySecret } = local.cloud
  const inputs: Inputs = {
    props: wanted,
    yaml: { path: join(project.dir, 's.yaml') },
    getCredential: async () => ({ AccountID, AccessKeyID, AccessKeySecret }),
  }
  const options = { logger: { info: say, warn: say }, env: { YUNBO_CLOUD: 'cloud.json', ...env } }
  return { result: await run(command, inputs, options), lines }
}

const ask = async () => {
  const answer = await fetch(`${local.cloud.gateway}/2016-08-15/proxy/LATEST/teller/`)
  return (await answer.json()) as { said: string; word: string }
}

test('a function runs with its modes and its layer, and changes by what has changed', async () => {
  const layers = ['acs:fc:cn-hangzhou:1:layers/words/versions/1']
  const { lines } = await s('deploy', props({ layers }))
  expect(lines).toEqual([
    expect.stringMatching(/^created {3}teller layer words \(/),
    expect.stringMatching(/^created {3}teller function \(/),
    'created   teller trigger http (http)',
  ])
  expect(await ask()).toEqual({ said: 'hello\n', word: 'from the layer' })

  // Written anew with the same contents, which is what a build does.
  await utimes(join(project.dir, 'code/teller/index.mjs'), 1, 1)
  expect((await s('deploy', props({ layers }))).lines).toEqual(['unchanged teller'])

  await project.write({ 'code/teller/said.sh': '#!/bin/sh\necho goodbye' })
  const code = await s('deploy', props({ layers, timeout: 20 }))
  expect(code.lines).toEqual([expect.stringMatching(/^updated {3}teller function \(timeout, code, [\d.]+ KB\)$/)])
  expect((await ask()).said).toBe('goodbye\n')

  const without = await s('deploy', props({ timeout: 20 }))
  expect(without.lines).toEqual(['updated   teller function (layers)'])
  expect((await ask()).word).toBe('none')
})

test('a layer that nobody has is said, and is not taken for one that is there', async () => {
  const layers = ['acs:fc:cn-hangzhou:1:layers/unheard-of/versions/1']
  const { lines, result } = await s('deploy', props({ functionName: 'lone', layers }))
  expect(lines[0]).toMatch(/unheard-of\/versions\/1 is not there, nor is dist\/layers\/unheard-of/)
  expect(result).toMatchObject({ 'layer unheard-of': 'not there', function: 'created' })
})

test('settings and triggers change by themselves', async () => {
  const settings = {
    functionName: 'settings',
    asyncInvokeConfig: { maxAsyncRetryAttempts: 1, maxAsyncEventAgeInSeconds: 60 },
    concurrencyConfig: { reservedConcurrency: 5 },
  }
  await s('deploy', props(settings))
  expect((await s('deploy', props(settings))).lines).toEqual(['unchanged settings'])
  const changed = {
    ...settings,
    asyncInvokeConfig: { ...settings.asyncInvokeConfig, maxAsyncRetryAttempts: 2 },
    concurrencyConfig: { reservedConcurrency: 7 },
    triggers: [httpTrigger(['GET'])],
  }
  const told = await s('plan', props(changed))
  const { lines } = await s('deploy', props(changed))
  expect(lines.map((line) => line.split(' (')[0])).toEqual([
    expect.stringMatching(/settings concurrencyConfig$/),
    'updated   settings asyncInvokeConfig',
    'updated   settings trigger http',
  ])
  expect(told.lines).toEqual(lines.map((line) => `would be ${line}`))
  expect((await s('info', props(changed))).result).toMatchObject({
    functionName: 'settings',
    triggers: [{ triggerName: 'http', triggerType: 'http' }],
  })
})

test('a custom domain leads to what was deployed, and can be removed', async () => {
  await s('deploy', props())
  const domain = {
    domainName: 'auto',
    protocol: 'HTTP',
    routeConfig: { routes: [{ path: '/told', functionName: 'teller', qualifier: 'LATEST' }] },
  }
  expect((await s('deploy', domain)).lines).toEqual(['created   domain localhost domain'])
  expect((await s('deploy', domain)).lines).toEqual(['unchanged domain localhost'])
  expect((await fetch(`${local.cloud.gateway}/told`)).status).toBe(200)
  expect((await s('remove', domain)).result).toEqual({ domain: 'removed' })
  expect((await fetch(`${local.cloud.gateway}/told`)).status).toBe(404)
  expect((await s('remove', domain)).result).toEqual({ domain: 'not there' })
  expect((await s('info', domain)).result).toEqual({ domainName: 'localhost', state: 'not there' })
})

test('an endpoint in the props goes above the local cloud that is running, with the keys of the access alias', async () => {
  const { lines } = await s('plan', props({ endpoint: `http://${local.cloud.fc.endpoint}` }), {
    YUNBO_CLOUD: 'no.json',
  })
  expect(lines.join('\n')).toContain('teller')
})

test.each<[string, Record<string, unknown>, object, RegExp]>([
  ['a misspelt setting', { timeOut: 3 }, {}, /^teller: the local component does not know timeOut$/],
  ['code that is not built', { code: './nowhere' }, {}, /nowhere is not there: build the code first/],
  ['a layer by its name', { layers: ['words'] }, {}, /^words: expected acs:fc:REGION:ACCOUNT:layers/],
  ['neither function nor domain', { functionName: undefined }, {}, /^expected a functionName, .* or a domainName/],
  ['no cloud', {}, { YUNBO_CLOUD: 'no.json' }, /^no local cloud is running: .*no\.json is not there; start one/],
])('%s is refused', async (_, changes, env, message) => {
  await expect(s('deploy', props(changes), env)).rejects.toThrow(message)
})

test('what is deployed can be removed when its code and layers are no longer built', async () => {
  const doomed = props({ functionName: 'doomed' })
  await s('deploy', doomed)
  const gone = { ...doomed, code: './nowhere', layers: ['acs:fc:cn-hangzhou:1:layers/unheard-of/versions/1'] }
  const { result, lines } = await s('remove', gone)
  expect(result).toEqual({ 'trigger http': 'removed', function: 'removed' })
  expect(lines).toHaveLength(2)
  expect((await s('remove', gone)).result).toEqual({ 'trigger http': 'not there', function: 'not there' })
})

test('a deployment that failed in the middle goes on where it stopped', async () => {
  const broken = props({
    functionName: 'halved',
    triggers: [httpTrigger(), { ...httpTrigger(), triggerName: 'second' }],
  })
  await expect(s('deploy', broken)).rejects.toThrow(/only one http trigger/)
  expect((await s('deploy', props({ functionName: 'halved' }))).lines).toEqual(['unchanged halved'])
})
