/**
 * Starts every bundle that s.yaml deploys on the Node that Function Compute has: `node .ci/start-bundles.mjs NODE REPORT`.
 * A built-in runtime's bundle is loaded, must export `handler` and, where it has an HTTP trigger, answer its health check;
 * a custom runtime's must serve it.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'yaml'

/** @typedef {{ functionName: string, runtime: string, code: string, environmentVariables: Record<string, string>, triggers?: { triggerType: string }[] }} FunctionProps */

const root = fileURLToPath(new URL('..', import.meta.url))
const [node = process.execPath, report] = process.argv.slice(2)
const run = promisify(execFile)

const { resources } = parse(readFileSync(`${root}/s.yaml`, 'utf8'), (_key, value) =>
  typeof value === 'string'
    ? value.replace(/\$\{env\('\w+'(?:, '([^']*)')?\)\}/g, (_match, fallback) => fallback ?? 'x'.repeat(48))
    : value,
)
/** @type {FunctionProps[]} */
const functions = Object.values(resources)
  .filter(({ component }) => component === 'fc3')
  .map(({ props }) => props)

const { stdout: version } = await run(node, ['--version'])
/** @type {{ status: string, fullName: string }[]} */
const results = []
for (const props of functions) {
  const fullName = `${props.functionName} starts on Node ${version.trim()}`
  const fault = await (props.runtime.startsWith('custom') ? startServer(props) : loadBundle(props)).catch(String)
  console.log(fault ? `failed: ${fullName}: ${fault}` : `passed: ${fullName}`)
  results.push({ status: fault ? 'failed' : 'passed', fullName })
}
if (report) writeFileSync(report, JSON.stringify({ testResults: [{ name: 'bundles', assertionResults: results }] }))
process.exit(results.every(({ status }) => status === 'passed') ? 0 : 1)

/** @param {FunctionProps} props @returns {Promise<string | undefined>} what is wrong, if anything */
async function loadBundle({ functionName, code, environmentVariables, triggers = [] }) {
  const bundle = pathToFileURL(`${root}/${code}/index.mjs`).href
  const path = healthPath(functionName)
  const event = {
    version: 'v1',
    rawPath: path,
    body: '',
    isBase64Encoded: false,
    headers: {},
    queryParameters: {},
    requestContext: {
      domainName: 'localhost',
      http: { method: 'GET', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
    },
  }
  const credentials = { accessKeyId: 'id', accessKeySecret: 'secret', securityToken: 'token' }
  const context = {
    requestId: '1',
    credentials,
    accountId: '1',
    region: 'cn-hangzhou',
    function: { name: functionName },
  }
  const isHttp = triggers.some(({ triggerType }) => triggerType === 'http')
  const script = `
    const { handler } = await import(${JSON.stringify(bundle)})
    if (typeof handler !== 'function') throw new Error('no handler is exported')
    const answer = ${isHttp} ? await handler(Buffer.from(${JSON.stringify(JSON.stringify(event))}), ${JSON.stringify(context)}) : { statusCode: 200 }
    if (answer.statusCode !== 200) throw new Error('the health check answered ' + JSON.stringify(answer))
    process.exit(0)`
  await run(node, ['--input-type=module', '--eval', script], { env: { ...environmentVariables }, timeout: 20_000 })
  return undefined
}

/** @param {FunctionProps} props @returns {Promise<string | undefined>} what is wrong, if anything */
async function startServer({ functionName, code, environmentVariables }) {
  const port = await freePort()
  const env = { ...environmentVariables, FC_CUSTOM_LISTEN_PORT: String(port) }
  const server = spawn(node, [`${root}/${code}/index.mjs`], { env, stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    const gone = once(server, 'exit').then(([status]) => `it ended with status ${status}`)
    return await Promise.race([gone, untilHealthy(`http://127.0.0.1:${port}${healthPath(functionName)}`)])
  } finally {
    server.kill('SIGKILL')
  }
}

/** @param {string} url @returns {Promise<string | undefined>} */
async function untilHealthy(url) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const response = await fetch(url).catch(() => undefined)
    if (response) return response.ok ? undefined : `${url} answered ${response.status}`
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return `${url} did not answer`
}

/** @param {string} functionName */
function healthPath(functionName) {
  return `/healthz/${functionName.replace(/^yunbo-/, '')}`
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}
