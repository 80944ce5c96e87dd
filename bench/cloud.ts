import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import OSS from 'ali-oss'
import type { Cloud } from '../local/index.ts'
import { interleave, type Row } from './measure.ts'

const ROUNDS = 7
const WARM_ROUNDS = 2
/** These replace each other, or the disk would fill. */
const LARGE = { bytes: 8 * 1024 * 1024, objects: 24, atOnce: 4, what: '8 MB objects', isNew: false } as const
const SMALL = { bytes: 4 * 1024, objects: 600, atOnce: 8, what: '4 KB objects', isNew: true } as const
type Kind = typeof LARGE | typeof SMALL

/** Objects a second through the local OSS, beside a plain Node server that makes the same promise. */
export async function ossRows(distDir: string): Promise<Row[]> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-bench-oss-'))
  const cloud = await startCloud(distDir, join(dir, 'cloud'))
  const plain = await startPlain(join(dir, 'plain'))
  try {
    return [
      await compare('PUT', LARGE, 0.7, cloud, plain),
      await compare('PUT', SMALL, 0.5, cloud, plain),
      await compare('GET', LARGE, 0.7, cloud, plain),
    ]
  } finally {
    cloud.child.kill('SIGKILL')
    plain.child.kill('SIGKILL')
    await rm(dir, { recursive: true, force: true })
  }
}

interface Server {
  readonly child: ChildProcess
  /** Where an object is put or fetched, signed where that is asked for. */
  url(method: Method, key: string): string
}
type Method = 'PUT' | 'GET'

async function startCloud(distDir: string, data: string): Promise<Server> {
  const args = [join(distDir, 'local/cloud.mjs'), '--port', '0', '--json', '--data', data]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const { accessKeyId, accessKeySecret, oss } = await readyLine<Cloud>(child)
  const place = { endpoint: oss.endpoint, bucket: oss.bucket, region: 'oss-cn-hangzhou', sldEnable: true }
  const client = new OSS({ ...place, accessKeyId, accessKeySecret } as OSS.Options)
  // A content type that is not signed would be refused, so none is sent.
  return { child, url: (method, key) => client.signatureUrl(key, { method, expires: 3600 }) }
}

/** Temporary file, MD5, fsync, rename: what it takes to promise that an object is stored. */
const PLAIN = `
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'
const dir = process.argv[1]
await mkdir(dir, { recursive: true })
const pathOf = (request) => dir + '/' + encodeURIComponent(request.url)
async function put(request, response) {
  const temporary = dir + '/' + randomUUID()
  const file = await open(temporary, 'wx')
  const md5 = createHash('md5')
  for await (const chunk of request) {
    md5.update(chunk)
    await file.write(chunk)
  }
  await file.sync()
  await file.close()
  await rename(temporary, pathOf(request))
  response.writeHead(200, { etag: '"' + md5.digest('hex') + '"' }).end()
}
async function get(request, response) {
  const { size } = await stat(pathOf(request))
  response.writeHead(200, { 'content-length': size })
  // A client that has everything may be gone a moment before this is told.
  await pipeline(createReadStream(pathOf(request)), response).catch(() => {})
}
const server = createServer((request, response) => void (request.method === 'PUT' ? put : get)(request, response))
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ event: 'ready', port: server.address().port })))
`

async function startPlain(dir: string): Promise<Server> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PLAIN, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { port } = await readyLine<{ port: number }>(child)
  return { child, url: (_, key) => `http://localhost:${port}/${key}` }
}

export async function readyLine<T>({ stdout }: ChildProcess): Promise<T> {
  if (!stdout) throw new Error('the output of a server is read')
  for await (const line of createInterface({ input: stdout })) {
    const event = JSON.parse(line) as { event: string } & T
    if (event.event === 'ready') return event
  }
  throw new Error('a server ended before it was ready')
}

async function compare(method: Method, kind: Kind, target: number, cloud: Server, plain: Server): Promise<Row> {
  // Both hold what is fetched, and their code has been compiled as far as it will be.
  for (const server of [cloud, plain]) {
    await throughput(server, 'PUT', kind)
    for (let round = 0; round < WARM_ROUNDS; round += 1) await throughput(server, method, kind)
  }
  const { ratios, subject, baseline } = await interleave(
    ROUNDS,
    () => throughput(cloud, method, kind),
    () => throughput(plain, method, kind),
  )
  return {
    name: `OSS ${method.toLowerCase()} of ${kind.what}`,
    baseline: method === 'PUT' ? 'plain Node server: temporary file, MD5, fsync, rename' : 'plain Node server: a file',
    ratios,
    target,
    sense: 'least',
    detail: `${rate(subject, kind)} against ${rate(baseline, kind)}`,
  }
}

function rate(objectsPerSecond: number, { bytes }: Kind): string {
  const megabytes = (objectsPerSecond * bytes) / 1024 ** 2
  return megabytes > 20 ? `${megabytes.toFixed(0)} MB/s` : `${objectsPerSecond.toFixed(0)}/s`
}

let made = 0

function keyOf({ bytes, isNew }: Kind, at: number): string {
  made += 1
  return isNew ? `bench-${bytes}-new-${made}` : `bench-${bytes}-${at}`
}

/** Objects a second, from the first request to the last answer. */
async function throughput(server: Server, method: Method, kind: Kind): Promise<number> {
  const { bytes, objects, atOnce } = kind
  const body = method === 'PUT' ? Buffer.alloc(bytes, 'x') : undefined
  const urls = Array.from({ length: objects }, (_, at) => server.url(method, keyOf(kind, at)))
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const waiting = urls.values()
  const worker = async () => {
    for (const url of waiting) await send(agent, method, url, body)
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: atOnce }, worker))
  const seconds = (performance.now() - startedAt) / 1000
  agent.destroy()
  return objects / seconds
}

function send(agent: Agent, method: Method, url: string, body: Buffer | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      if (response.statusCode !== 200) reject(new Error(`${method} ${url} answered ${response.statusCode}`))
      response.resume().once('end', resolve).once('error', reject)
    }
    const headers = body ? { 'content-length': body.length } : {}
    request(url, { agent, method, headers }, answered).once('error', reject).end(body)
  })
}
