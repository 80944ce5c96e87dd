import { spawn } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import TableStore from 'tablestore'
import type { Cloud } from '../local/index.ts'
import { readyLine } from './cloud.ts'
import { interleave, type Row } from './measure.ts'

const ROUNDS = 7
const ROWS = 1500
const TABLE = 'bench'

/** Rows a second that are on disk when the caller hears of it, beside what lmdb itself manages in this process. */
export async function tablestoreRows(distDir: string): Promise<Row[]> {
  const dir = await mkdtemp(join(tmpdir(), 'yunbo-bench-tablestore-'))
  const args = [join(distDir, 'local/cloud.mjs'), '--port', '0', '--json', '--data', join(dir, 'cloud')]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const root = open({ path: join(dir, 'lmdb'), pageSize: 8192, overlappingSync: false })
  const bare = root.openDB<Buffer, Buffer>({ name: 'rows', encoding: 'binary', keyEncoding: 'binary' })
  try {
    const cloud = await readyLine<Cloud>(child)
    await createTable(cloud)
    const size = bodyOf(0).length
    const put = async (at: number) => void (await bare.put(Buffer.from(keyOf(at)), Buffer.alloc(size, at)))
    const rows: Row[] = []
    for (const callers of [1, 8]) rows.push(await compare(cloud, callers, put))
    return rows
  } finally {
    await root.close()
    child.kill('SIGKILL')
    await rm(dir, { recursive: true, force: true })
  }
}

async function compare(cloud: Cloud, callers: number, put: (at: number) => Promise<void>): Promise<Row> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers })
  const write = (requests: readonly Prepared[]) => rate(callers, (at) => send(agent, requests[at]))
  await write(prepare(cloud))
  const { ratios, subject, baseline } = await interleave(
    ROUNDS,
    // Signing is the caller's work.
    () => write(prepare(cloud)),
    () => rate(1, put),
  )
  agent.destroy()
  return {
    name: `Tablestore PutRow, durable, ${callers} at a time`,
    baseline: 'bare lmdb, durable, one awaited write after another',
    ratios,
    target: 0.5,
    sense: 'least',
    detail: `${subject.toFixed(0)}/s against ${baseline.toFixed(0)}/s`,
  }
}

/** Writes a second, from the first call to the last answer. */
async function rate(callers: number, write: (at: number) => Promise<void>): Promise<number> {
  let next = 0
  const caller = async () => {
    while (next < ROWS) await write(next++)
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: callers }, caller))
  return ROWS / ((performance.now() - startedAt) / 1000)
}

/** Spread over the table, and so over the pages of its tree. */
const keyOf = (at: number) => `row-${((at * 7919) % 100_000).toString().padStart(8, '0')}`

interface Prepared {
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** Every request of a round, as the vendor's client sends it. */
function prepare(cloud: Cloud): Prepared[] {
  const { endpoint, instance } = cloud.tablestore
  return Array.from({ length: ROWS }, (_, at) => {
    const body = bodyOf(at)
    const signed = {
      'x-ots-accesskeyid': cloud.accessKeyId,
      'x-ots-apiversion': '2015-12-31',
      'x-ots-contentmd5': createHash('md5').update(body).digest('base64'),
      'x-ots-date': new Date().toISOString(),
      'x-ots-instancename': instance,
    }
    const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`)
    const text = `/PutRow\nPOST\n\n${lines.join('')}`
    const signature = createHmac('sha1', cloud.accessKeySecret).update(text).digest('base64')
    const headers = { ...signed, 'x-ots-signature': signature, 'content-length': String(body.length) }
    return { url: `${endpoint}/PutRow`, headers, body }
  })
}

function bodyOf(at: number): Buffer {
  const message = TableStore.encoder.encode('putRow', {
    tableName: TABLE,
    condition: new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null),
    primaryKey: [{ id: keyOf(at) }],
    attributeColumns: [
      { title: 'a title' },
      { size: TableStore.Long.fromNumber(at) },
      { state: 'ready' },
      { note: 'x'.repeat(100) },
    ],
  })
  return Buffer.from(Object.getPrototypeOf(message).constructor.encode(message).finish())
}

function send(agent: Agent, prepared: Prepared | undefined): Promise<void> {
  if (!prepared) throw new Error('there is a request for every row')
  const { url, headers, body } = prepared
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      if (response.statusCode !== 200) reject(new Error(`PutRow answered ${response.statusCode}`))
      response.resume().once('end', resolve).once('error', reject)
    }
    request(url, { agent, method: 'POST', headers }, answered).once('error', reject).end(body)
  })
}

async function createTable({ accessKeyId, accessKeySecret, tablestore }: Cloud): Promise<void> {
  const { endpoint, instance } = tablestore
  const client = new TableStore.Client({ accessKeyId, accessKeySecret, endpoint, instancename: instance })
  await client.createTable({
    tableMeta: { tableName: TABLE, primaryKey: [{ name: 'id', type: TableStore.PrimaryKeyType.STRING }] },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 } },
    tableOptions: { timeToLive: -1, maxVersions: 1 },
  })
}
