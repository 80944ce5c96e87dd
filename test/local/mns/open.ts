import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openClock } from '../../../local/controls/clock.ts'
import { type MnsOptions, type MnsService, startMns } from '../../../local/mns/index.ts'
import { type Credentials, openCredentials } from '../../../local/wire/credentials.ts'
import { readXml, type XmlElement } from '../../../local/wire/xml.ts'

/** Fields of an answer as @alicloud/mns reads them. */
export type Fields = Readonly<Record<string, string>>
interface One {
  readonly code: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Fields
}
interface Many {
  readonly code: number
  readonly body: readonly Fields[] | undefined
}

/** What @alicloud/mns can do; it comes without types. */
export interface MnsClient {
  createQueue(name: string, attributes?: object): Promise<One>
  deleteQueue(name: string): Promise<One>
  listQueue(marker?: string, limit?: number, prefix?: string): Promise<Many>
  getQueueAttributes(name: string): Promise<One>
  setQueueAttributes(name: string, attributes: object): Promise<One>
  sendMessage(queue: string, message: object): Promise<One>
  batchSendMessage(queue: string, messages: readonly object[]): Promise<Many>
  receiveMessage(queue: string, waitSeconds?: number): Promise<One>
  batchReceiveMessage(queue: string, count: number, waitSeconds?: number): Promise<Many>
  peekMessage(queue: string): Promise<One>
  batchPeekMessage(queue: string, count: number): Promise<Many>
  deleteMessage(queue: string, handle: string): Promise<One>
  batchDeleteMessage(queue: string, handles: readonly string[]): Promise<Many>
  changeMessageVisibility(queue: string, handle: string, seconds: number): Promise<One>
  createTopic(name: string, attributes?: object): Promise<One>
  listTopic(marker?: string, limit?: number, prefix?: string): Promise<Many>
  getTopicAttributes(name: string): Promise<One>
  setTopicAttributes(name: string, attributes: object): Promise<One>
  publishMessage(topic: string, message: object): Promise<One>
}

const require = createRequire(import.meta.url)
const Client = require('@alicloud/mns') as new (accountId: string, options: object) => MnsClient

export interface Keys {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly securityToken?: string
}

export const ACCOUNT: Keys & { readonly accountId: string } = {
  accountId: '1234567890123456',
  accessKeyId: 'LTAItest',
  accessKeySecret: 'the-secret',
}

/** A client of the vendor's. */
export function mnsClient(endpoint: string, keys: Keys = ACCOUNT): MnsClient {
  return new Client(ACCOUNT.accountId, { endpoint, ...keys })
}

/** What came back of a request that was signed by hand. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The document, when its root is this. */
  xml(root: string): XmlElement
  /** The code of an error. */
  readonly code: string | undefined
}

export interface RawRequest {
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly keys?: Keys
  readonly date?: number
}

/** Signs as the documentation says, independently of the service's own code. */
export async function raw(
  endpoint: string,
  method: string,
  path: string,
  request: RawRequest = {},
): Promise<RawAnswer> {
  const { body = '', keys = ACCOUNT } = request
  const date = new Date(request.date ?? Date.now()).toUTCString()
  const digest = Buffer.from(createHash('md5').update(body).digest('hex')).toString('base64')
  const mns = { 'x-mns-version': '2015-06-06', 'x-mns-date': date, ...request.headers }
  const lines = Object.entries(mns)
    .filter(([name]) => name.startsWith('x-mns-'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}\n`)
  const text = `${method}\n${digest}\ntext/xml\n${date}\n${lines.join('')}${path}`
  const signature = createHmac('sha1', keys.accessKeySecret).update(text).digest('base64')
  const response = await fetch(`${endpoint}${path}`, {
    method,
    headers: {
      date,
      'content-type': 'text/xml',
      'content-md5': digest,
      authorization: `MNS ${keys.accessKeyId}:${signature}`,
      ...(keys.securityToken === undefined ? {} : { 'security-token': keys.securityToken }),
      ...mns,
    },
    ...(body === '' ? {} : { body }),
  })
  return answerOf(response)
}

/** Reads an answer of the service. */
export async function answerOf(response: Response): Promise<RawAnswer> {
  const text = await response.text()
  const xml = (root: string) => readXml(text, root)
  const code = response.status >= 400 && text.includes('<Error ') ? xml('Error').value('Code') : undefined
  return { status: response.status, headers: response.headers, text, xml, code }
}

/** A service in a folder of its own, with a clock that only goes ahead of the machine's when it is moved. */
export interface OpenMns {
  readonly service: MnsService
  readonly url: string
  readonly credentials: Credentials
  readonly client: MnsClient
  readonly dir: string
  now(): number
  advance(ms: number): Promise<void>
  /** Stops the service and starts it over the same folder. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Starts one; close it in `afterAll` or `onTestFinished`. */
export async function openMns(extra: Partial<MnsOptions> = {}): Promise<OpenMns> {
  const dir = await mkdtemp(join(tmpdir(), 'mns-test-'))
  const clock = openClock(join(dir, 'clock'))
  const credentials = openCredentials(ACCOUNT, clock.now)
  const start = async () => {
    const dataDir = join(dir, 'mns')
    const options = { host: '127.0.0.1', port: 0, dataDir, credentials, region: 'cn-hangzhou', clock }
    const started = await startMns({ ...options, ...extra })
    started.resume()
    return started
  }
  let service = await start()
  return {
    get service() {
      return service
    },
    get url() {
      return service.url
    },
    get client() {
      return mnsClient(service.url)
    },
    credentials,
    dir,
    now: clock.now,
    async advance(ms) {
      await clock.advance(ms)
      await service.idle()
    },
    async restart() {
      await service.close()
      service = await start()
    },
    async close() {
      await service.close()
      clock.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** A request that a subscriber got. */
export interface Pushed {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An HTTP endpoint that answers with these statuses in turn, then with 204. */
export async function openSubscriber(...statuses: number[]) {
  const pushed: Pushed[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url: path = '', headers } = request
    pushed.push({ method, path, headers, body })
    response.writeHead(statuses.shift() ?? 204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    pushed,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
