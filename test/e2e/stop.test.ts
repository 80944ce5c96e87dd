import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { clipFile, isEncoding, nextLook } from './cloud.ts'

/** What the line `ready` says, as far as these tests use it. */
interface Ready {
  readonly event: string
  readonly pid: number
  readonly gateway: string
  readonly oss: { readonly endpoint: string }
}

test.each<[NodeJS.Signals, 'npm' | 'the local cloud']>([
  ['SIGTERM', 'npm'],
  ['SIGKILL', 'npm'],
  ['SIGKILL', 'the local cloud'],
])('%s to %s alone leaves no process, though ffmpeg is at work', async (signal, victim) => {
  const data = await mkdtemp(join(tmpdir(), 'yunbo-stop-'))
  onTestFinished(() => rm(data, { recursive: true, force: true }))
  const npm = spawn('npm', ['start', '--silent', '--', '--port', '0', '--json', '--data', data], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  onTestFinished(() => void killGroup(npm.pid))
  const ready = await readyLine(createInterface({ input: npm.stdout }))
  const demo = spawn(process.execPath, ['dist/demo/index.mjs', await clipFile('long-gop'), '--data', data], {
    stdio: 'ignore',
  })
  onTestFinished(() => void demo.kill('SIGKILL'))
  while (!(await isEncoding(`:${new URL(ready.oss.endpoint).port}/`))) await nextLook()
  expect(await processesOn(data)).toBeGreaterThan(3)

  process.kill(victim === 'npm' ? (npm.pid ?? 0) : ready.pid, signal)
  demo.kill('SIGKILL')
  while ((await processesOn(data)) > 0) await nextLook()
  await expect(fetch(ready.gateway)).rejects.toThrow()
})

async function readyLine(lines: AsyncIterable<string>): Promise<Ready> {
  for await (const line of lines) {
    const event = JSON.parse(line) as Ready
    if (event.event === 'ready') return event
  }
  throw new Error('npm start ended before it was ready')
}

/** How many processes name a folder in their command or their environment. */
async function processesOn(folder: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const texts = await Promise.all(
    pids.flatMap((pid) =>
      ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '')),
    ),
  )
  return texts.filter((text) => text.includes(folder)).length
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone, as it should be.
  }
}
