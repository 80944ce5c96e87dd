/**
 * Runs other people's clients and their own test suites against a local cloud and prints what passed and failed.
 *
 *   npm run test:clients -- [--only NAME] [--list] [--json] [--cloud cloud.json]
 *
 * What needs a package that is not installed is skipped with the command that installs it. The exit status is 1 where
 * something fails for which no reason is known, passes although one is, or where nothing was tested at all.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { aliyunSdk } from './aliyun-sdk.mjs'
import { aliyungo } from './aliyungo.mjs'
import { awsSdk } from './aws-sdk.mjs'
import { awscli } from './awscli.mjs'
import { boto3 } from './boto3.mjs'
import { fog } from './fog.mjs'
import { gdal } from './gdal.mjs'
import { goSdk } from './go-sdk.mjs'
import { libcloud } from './libcloud.mjs'
import { opendal } from './opendal.mjs'
import { rclone } from './rclone.mjs'
import { restic } from './restic.mjs'
import { s3cmd } from './s3cmd.mjs'
import { s3fs } from './s3fs.mjs'
import { tablestore } from './tablestore.mjs'

/** @typedef {import('./clients.d.ts').Client} Client */
/** @typedef {import('./clients.d.ts').Cloud} Cloud */
/** @typedef {import('./clients.d.ts').Outcome} Outcome */

/** @type {readonly Client[]} */
const OWN_PROTOCOL = [goSdk, aliyungo, aliyunSdk, gdal, fog, libcloud, opendal, tablestore]
const S3_PROTOCOL = [rclone, restic, s3cmd, s3fs, boto3, awscli, awsSdk]

/** @type {readonly Client[]} */
const CLIENTS = [...OWN_PROTOCOL, ...S3_PROTOCOL]

const USAGE = `Usage: npm run test:clients -- [options]

  --only NAME     one client: ${CLIENTS.map(({ name }) => name).join(', ')}
  --list          the clients, and what each needs
  --cloud FILE    the cloud.json of a local cloud that runs already; otherwise one is started and stopped
  --json          one JSON object a line instead of text
  --help          this text
`

process.exitCode = await main()

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      cloud: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return print(USAGE)
  const chosen = CLIENTS.filter(({ name }) => values.only === undefined || values.only === name)
  if (chosen.length === 0) return print(`There is no client ${values.only}.\n\n${USAGE}`, 2)
  if (values.list) return print(`${(await Promise.all(chosen.map(describe))).join('\n')}\n`)
  const running = values.cloud ? await openCloud(values.cloud) : await startCloud()
  try {
    return await runAll(chosen, running.cloud, values.json)
  } finally {
    await running.close()
  }
}

/** @param {readonly Client[]} chosen @param {Cloud} cloud @param {boolean} json */
async function runAll(chosen, cloud, json) {
  let unexplained = 0
  for (const client of chosen) {
    const missing = await client.missing()
    if (missing !== undefined) {
      report(client.name, `skipped: ${missing}`, { skipped: missing }, json)
      continue
    }
    const workDir = await mkdtemp(join(tmpdir(), `client-${client.name}-`))
    const startedAt = Date.now()
    const outcomes = await client.run(cloud, workDir).finally(() => rm(workDir, { recursive: true, force: true }))
    const failed = outcomes.filter((one) => one.error !== undefined)
    const fresh = failed.filter(({ name }) => client.known[name] === undefined)
    const healed = Object.keys(client.known).filter((name) => failed.every((one) => one.name !== name))
    unexplained += fresh.length + healed.length + (outcomes.length === 0 ? 1 : 0)
    const seconds = Math.round((Date.now() - startedAt) / 1000)
    const passed = outcomes.length - failed.length
    const fields = { version: await client.version(), passed, failed: failed.map(({ name }) => name), seconds }
    report(client.name, `${fields.version}: ${passed} passed, ${failed.length} failed in ${seconds} s`, fields, json)
    for (const { name, error } of failed) explain(name, client.known[name], error ?? '', json)
    for (const name of healed) explain(name, undefined, 'passes, although a reason is given why it cannot', json)
  }
  return unexplained === 0 ? 0 : 1
}

/** @param {string} name @param {string | undefined} reason @param {string} error @param {boolean} json */
function explain(name, reason, error, json) {
  if (json) return
  const text = reason === undefined ? error.split('\n').slice(0, 12).join('\n      ') : `known: ${reason}`
  process.stdout.write(`    ${name}\n      ${text}\n`)
}

/** @param {string} name @param {string} text @param {object} fields @param {boolean} json */
function report(name, text, fields, json) {
  process.stdout.write(json ? `${JSON.stringify({ client: name, ...fields })}\n` : `${name} ${text}\n`)
}

/** @param {Client} client */
async function describe(client) {
  const missing = await client.missing()
  return `${client.name.padEnd(10)} ${missing ?? `${await client.version()}`}`
}

/** @param {string} text */
function print(text, status = 0) {
  process.stdout.write(text)
  return status
}

/** @param {string} path @returns {Promise<{ cloud: Cloud, close(): Promise<void> }>} */
async function openCloud(path) {
  return { cloud: JSON.parse(await readFile(path, 'utf8')), close: async () => {} }
}

/** @returns {Promise<{ cloud: Cloud, close(): Promise<void> }>} */
async function startCloud() {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const options = ['start.mjs', 'cloud', '--port', '0', '--ephemeral', '--json']
  const child = spawn(process.execPath, options, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, ...cloud } = JSON.parse(line)
    if (event !== 'ready') continue
    child.stdout.resume()
    return {
      cloud: /** @type {Cloud} */ (cloud),
      async close() {
        child.kill('SIGTERM')
        await ended
      },
    }
  }
  throw new Error('the local cloud did not start')
}
