import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser } from './browser.ts'

let data: string
let cloud: ChildProcessByStdio<null, Readable, Readable>
let browser: Browser
const events: Record<string, unknown>[] = []

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'yunbo-start-'))
  cloud = spawn('npm', ['start', '--silent', '--', '--port', '0', '--json', '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  for await (const line of createInterface({ input: cloud.stdout })) {
    events.push(JSON.parse(line))
    if (events.at(-1)?.event === 'ready') break
  }
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  if (cloud?.pid && cloud.exitCode === null && cloud.signalCode === null) process.kill(-cloud.pid, 'SIGKILL')
  await rm(data, { recursive: true, force: true })
})

test('npm start ends in one ready line that says the same as cloud.json', async () => {
  const ready = events.at(-1)
  expect(ready).toMatchObject({ event: 'ready', region: 'cn-hangzhou', oss: { bucket: 'yunbo', addressing: 'path' } })
  const { event: _event, ...rest } = ready ?? {}
  expect(JSON.parse(await readFile(join(data, 'cloud.json'), 'utf8'))).toEqual(rest)
})

test('npm run demo makes a clip, sends it, and the printed page plays it to the end', async () => {
  const output = await run('npm', ['run', '--silent', 'demo', '--', '--data', data])
  const watch = /https?:\/\/\S+\/watch\/[A-Za-z0-9]{16}/.exec(output)?.[0] ?? ''
  expect(watch).not.toBe('')
  expect(output).toMatch(/https?:\/\/\S+\/play\/[A-Za-z0-9]{16}\/master\.m3u8/)

  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.goto(watch)
  // Asked from outside: the policy of the pages forbids to evaluate texts inside.
  await expect.poll(() => page.evaluate("document.querySelector('video')?.readyState"), { timeout: 60_000 }).toBe(4)
  const seen = (await page.evaluate(PLAY_TO_THE_END)) as { start: number; end: number; duration: number; width: number }
  expect(seen.start).toBeLessThan(0.2)
  expect(seen.end).toBeCloseTo(seen.duration, 1)
  expect(seen.duration).toBeGreaterThan(2)
  expect(seen.width).toBeGreaterThan(0)
  expect(complaints).toEqual([])
})

test('a second start on the same folder says so and leaves the first alone', async () => {
  await expect(run('npm', ['start', '--silent', '--', '--port', '0', '--data', data])).rejects.toThrow(
    /already|in use/i,
  )
  const { gateway } = events.at(-1) as { gateway: string }
  expect(await readdir(data)).toContain('cloud.json')
  expect((await fetch(`${gateway}/healthz/videos`)).status).toBe(200)
})

test('an interrupt stops every child and removes cloud.json', async () => {
  // npm waits for its child and then, as shells do, ends by the signal it was given.
  const ended = new Promise((resolve) => cloud.once('exit', (code, signal) => resolve(signal ?? code)))
  process.kill(-(cloud.pid ?? 0), 'SIGINT')
  expect([0, 'SIGINT']).toContain(await ended)
  expect(await readdir(data)).not.toContain('cloud.json')
  expect(await leftovers()).toEqual([])
})

/** Runs in the page. */
const PLAY_TO_THE_END = `(async () => {
  const video = document.querySelector('video')
  video.muted = true
  const start = video.currentTime
  await video.play()
  await new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }))
  return { start, end: video.currentTime, duration: video.duration, width: video.videoWidth }
})()`

/** Processes that still know our folder. */
async function leftovers(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const [command, environment] = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      )
      return `${command} ${environment}`.includes(data) ? `${pid} ${command}` : ''
    }),
  )
  return lines.filter((line) => line !== '')
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    child.stdout.on('data', (part) => parts.push(part))
    child.stderr.on('data', (part) => parts.push(part))
    child.once('exit', (code) => {
      const output = Buffer.concat(parts).toString()
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}: ${output}`))
    })
  })
}
