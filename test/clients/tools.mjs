/** What the clients have in common: programs with a time limit, Debian's packages, a forward proxy. */
import { execFile, spawn } from 'node:child_process'
import http from 'node:http'
import { promisify } from 'node:util'

/** @param {string[]} packages tells which of Debian's packages are not there */
export async function missingPackages(packages) {
  const found = await Promise.all(packages.map(packageVersion))
  const missing = packages.filter((_name, index) => found[index] === undefined)
  return missing.length === 0 ? undefined : `apt-get install --no-install-recommends ${missing.join(' ')}`
}

/** @param {string} name @returns {Promise<string | undefined>} its version, if it is installed */
export async function packageVersion(name) {
  const query = ['-W', '-f', '${db:Status-Status} ${Version}', name]
  const { stdout } = await promisify(execFile)('dpkg-query', query).catch(() => ({ stdout: '' }))
  return /^installed (\S+)/.exec(stdout)?.[1]
}

/**
 * Runs a program to its end or its time limit and gives what it printed. As root it runs as nobody: suites expect that
 * there are files which they may not write.
 * @param {string} program @param {string[]} args
 * @param {{ cwd: string, env?: Record<string, string>, seconds: number, asNobody?: boolean }} options
 * @returns {Promise<{ text: string, status: number | null }>}
 */
export function runProgram(program, args, { cwd, env = {}, seconds, asNobody = false }) {
  const user = asNobody && process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      clearTimeout(timer)
      resolve({ text, status })
    })
  })
}

/**
 * A forward proxy that sends whatever it is asked for to one server, with the Host that was meant: clients that know no
 * endpoints but the service's own reach the local one through it.
 * @param {string} endpoint @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function forwardProxy(endpoint) {
  const to = new URL(endpoint)
  const server = http.createServer((request, response) => {
    const wanted = /^http:\/\/([^/]+)(.*)$/.exec(request.url ?? '')
    /** @type {http.OutgoingHttpHeaders} */
    const headers = { ...request.headers, host: wanted?.[1] ?? request.headers.host }
    for (const name of ['proxy-authorization', 'proxy-connection']) delete headers[name]
    const options = { host: to.hostname, port: to.port, method: request.method, path: wanted?.[2] || '/', headers }
    const onward = http.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** @param {string} endpoint the same server by its address: SDKs then put the bucket in the path */
export function byAddress(endpoint) {
  const { port } = new URL(endpoint)
  return `127.0.0.1:${port}`
}
