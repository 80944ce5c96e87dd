import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interleave, type Row } from './measure.ts'

const ROUNDS = 7
const BUDGET_MS: Readonly<Record<string, number>> = { 'play-redirect': 15, heartbeat: 50 }

/** How much longer a process takes that loads a bundle than one that loads nothing; the ratio is against its allowance. */
export async function coldStartRows(distDir: string): Promise<Row[]> {
  const names = await readdir(join(distDir, 'functions'))
  const rows: Row[] = []
  for (const name of names.sort()) {
    const bundle = join(distDir, 'functions', name, 'index.mjs')
    const { subject, baseline } = await interleave(
      ROUNDS,
      () => wallOf(`await import(${JSON.stringify(bundle)})`),
      () => wallOf(''),
    )
    const allowed = BUDGET_MS[name] ?? 140
    const added = subject - baseline
    const detail = `+${added.toFixed(0)} ms over an empty process (${baseline.toFixed(0)} ms), ${allowed} allowed`
    const shared = { name: `cold start of ${name}`, baseline: 'its allowance over an empty process' }
    rows.push({ ...shared, ratios: [added / allowed], target: 1, sense: 'most', detail })
  }
  return rows
}

/** Milliseconds until a process that evaluates this has ended. */
async function wallOf(code: string): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${code}; process.exit(0)`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: ENVIRONMENT,
  })
  const status = await new Promise((resolve) => child.once('exit', resolve))
  if (status !== 0) throw new Error(`the process ended with ${status}: ${code}`)
  return performance.now() - startedAt
}

/** Enough for every bundle to read its configuration; nothing is called. */
const ENVIRONMENT = {
  PATH: process.env.PATH,
  FC_CUSTOM_LISTEN_PORT: '0',
  REGION: 'cn-hangzhou',
  PUBLIC_URL: 'http://localhost:1',
  SECRET_KEY: 'a key of at least thirty-two characters',
  OSS_ENDPOINT: 'http://localhost:1',
  OSS_BUCKET: 'yunbo',
  TABLESTORE_ENDPOINT: 'http://localhost:1',
  TABLESTORE_INSTANCE: 'yunbo',
  STS_ENDPOINT: 'http://localhost:1',
  UPLOAD_ROLE_ARN: 'acs:ram::1:role/uploader',
  INVOKE_ENDPOINT: 'http://localhost:1',
}

/** From the command to the ready line, built, with empty data; the ratio is against five seconds. */
export async function startRow(projectDir: string): Promise<Row> {
  const ratios: number[] = []
  for (let round = 0; round < 3; round += 1) ratios.push((await timeToReady(projectDir)) / 5000)
  const seconds = ratios.map((ratio) => `${(ratio * 5).toFixed(1)} s`).join(', ')
  return { name: 'npm start to ready', baseline: '5 s', ratios, target: 1, sense: 'most', detail: seconds }
}

async function timeToReady(projectDir: string): Promise<number> {
  const data = await mkdtemp(join(tmpdir(), 'yunbo-bench-'))
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['start.mjs', '--port', '0', '--json', '--data', data], {
    cwd: projectDir,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.includes('"event":"ready"')) break
  }
  const took = performance.now() - startedAt
  if (!text.includes('"event":"ready"')) throw new Error(`npm start ended before it was ready: ${text}`)
  child.kill('SIGTERM')
  await new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve(0)))
  await rm(data, { recursive: true, force: true })
  return took
}
