import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { variablesFor } from '../../local/exports.ts'
import { clipFile, openBareCloud, stageOn } from './cloud.ts'
import { fetchRenditions } from './playback.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

let dataDir: string
let local: Awaited<ReturnType<typeof openBareCloud>>
let variables: Record<string, string>

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'yunbo-deploy-'))
  local = await openBareCloud(dataDir)
  await writeFile(join(dataDir, 'cloud.json'), JSON.stringify(local.cloud))
  variables = await variablesFor(local.cloud, dataDir)
})
afterAll(async () => {
  await local?.close()
  await rm(dataDir, { recursive: true, force: true })
})

/** What `npx s …` prints in a shell that knows nothing but what the local cloud gives out. */
async function output(argv: readonly string[], changes: Record<string, string> = {}): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', ...variables, ...changes }
  const { stdout } = await run(process.execPath, [join(root, 'node_modules/.bin/s'), ...argv], { cwd: root, env })
  expect(stdout).not.toMatch(/✖|Error/)
  return stdout
}

/** The lines of the component in it. */
async function s(argv: readonly string[], changes: Record<string, string> = {}): Promise<string[]> {
  const stdout = await output(argv, changes)
  return stdout.split('\n').flatMap((line) => /\[INFO\]\[[\w-]+\] (.*)$/.exec(line)?.[1] ?? [])
}

const functionNames = async () => {
  const manifest = await readFile(join(root, 's.yaml'), 'utf8')
  return [...manifest.matchAll(/functionName: (yunbo-[a-z-]+)\n/g)].map(([, name = '']) => name)
}

test('the first deployment makes everything that s.yaml names, and the second finds nothing to change', async () => {
  const plan = await s(['plan'])
  const made = await s(['deploy'])
  const names = await functionNames()
  expect(names.length).toBeGreaterThan(8)
  for (const name of names) expect(made).toContainEqual(expect.stringMatching(`^created +${name} function `))
  for (const thing of [
    'created   yunbo-upload-notify trigger oss-created (oss)',
    'created   yunbo-upload-notify trigger http (http)',
    'created   yunbo-sweep trigger every-minute (timer)',
    'created   domain localhost domain',
  ]) {
    expect(made).toContain(thing)
  }
  expect(made).toContainEqual(expect.stringMatching(/^created {3}yunbo-ffmpeg-transcode asyncInvokeConfig/))
  expect(made.filter((line) => !line.startsWith('created'))).toEqual([])
  // Said in other words beforehand, without having been done.
  expect(plan).toEqual(made.map((line) => `would be ${line}`))

  const again = await s(['deploy'])
  expect(again).toEqual([...names.map((name) => `unchanged ${name}`), 'unchanged domain localhost'])
})

test('what was deployed takes an upload, encodes it and plays it', async () => {
  const { gateway, user } = local.cloud
  const account = await fetch(`${gateway}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  expect(account.status).toBe(201)
  const stage = await stageOn(local, dataDir)
  const { ticket, video } = await stage.upload(await clipFile('plain'))
  expect(video).toMatchObject({ status: 'ready', playable: true })
  const play = await stage.call('GET', `/play/${ticket.playbackId}`)
  expect(play.status).toBe(200)
  const renditions = await fetchRenditions(`${gateway}/play/${ticket.playbackId}/master.m3u8`, join(dataDir, 'out'))
  expect(renditions.length).toBeGreaterThan(0)
  for (const { endList, segments } of renditions)
    expect({ endList, hasSegments: segments > 0 }).toEqual({ endList: true, hasSegments: true })
})

test('a changed value changes its own functions alone, and the running ones see it at once', async () => {
  const changed = await s(['deploy'], { SIGNUP: 'closed' })
  expect(changed.filter((line) => line.startsWith('updated'))).toEqual([
    'updated   yunbo-videos function (environmentVariables)',
  ])
  const refused = await fetch(`${local.cloud.gateway}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'second', password: 'long-enough-for-anybody' }),
  })
  expect(refused.status).toBe(403)
  const info = await output(['videos', 'info', '-o', 'json', '--silent'])
  expect(JSON.parse(info)).toMatchObject({ functionName: 'yunbo-videos', environmentVariables: { SIGNUP: 'closed' } })
})

test('remove takes down what deploy made, and a second one finds nothing', async () => {
  const removed = await s(['remove'])
  expect(removed).toContain('removed   domain localhost domain')
  expect(removed).toContain('removed   yunbo-videos function')
  expect((await fetch(`${local.cloud.gateway}/v1/videos`)).status).toBe(404)
  const again = await s(['remove'])
  expect(again.filter((line) => !line.startsWith('not there'))).toEqual([])
})
