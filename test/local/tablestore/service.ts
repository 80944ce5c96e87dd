import { createHash, createHmac, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import TableStore, { type CellValue, type CreateTableParams, type PutRowParams, type VirtualData } from 'tablestore'
import { expect } from 'vitest'
import { startTablestore } from '../../../local/tablestore/index.ts'
import { openCredentials } from '../../../local/wire/credentials.ts'

const ACCOUNT = { accountId: '1234567890123456', accessKeyId: 'LTAIlocal', accessKeySecret: 'local-secret' }
export const INSTANCE = 'yunbo'

/** A service on a free port with an empty folder of its own, and the vendor's client for it. */
export async function openService() {
  const dataDir = await mkdtemp(join(tmpdir(), 'tablestore-'))
  const clock = { offsetMs: 0 }
  const now = () => Date.now() + clock.offsetMs
  const credentials = openCredentials(ACCOUNT, now)
  const disk = { isFull: false, isSlow: false }
  const beforeCommit = () => {
    // So long that the next commit is left to lmdb's own thread.
    if (disk.isSlow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    if (disk.isFull) throw new Error('no space left on device')
  }
  const common = { host: '127.0.0.1', port: 0, instance: INSTANCE, credentials, now, beforeCommit }
  const start = () => startTablestore({ ...common, dataDir })
  let server = await start()
  const connect = (config: TableStore.ConfigOptions = {}) =>
    new TableStore.Client({
      accessKeyId: ACCOUNT.accessKeyId,
      accessKeySecret: ACCOUNT.accessKeySecret,
      endpoint: server.url,
      instancename: INSTANCE,
      maxRetries: 0,
      ...config,
    })
  const service = {
    client: connect(),
    connect,
    credentials,
    url: () => server.url,
    /** Moves the clock of the data. */
    advance(ms: number) {
      clock.offsetMs += ms
    },
    /** Posts a body under headers signed by hand. */
    post: (operation: string, body: Buffer, change?: Partial<Signed>) => post(server.url, operation, body, change),
    /** From now on global indexes follow their tables this much later. */
    setIndexLag: (ms: number) => server.setIndexLag(ms),
    /** Takes what is past its time to live off the disk. */
    purge: () => server.purge(),
    /** From now on no commit comes to its end, or all do. */
    fillDisk(isFull: boolean) {
      disk.isFull = isFull
    },
    /** From now on each commit takes long. */
    slowDisk() {
      disk.isSlow = true
    },
    async restart() {
      await server.close()
      server = await start()
      service.client = connect()
    },
    async close() {
      await server.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return service
}

/** The body that the vendor's client sends for an operation, to be spoilt. */
export function bodyOf(operation: string, params: unknown): Buffer {
  const message = TableStore.encoder.encode(operation, params)
  return Buffer.from(Object.getPrototypeOf(message).constructor.encode(message).finish())
}

/** A protobuf field of bytes, up to 16 KB, for what the vendor's client cannot say. */
export function field(id: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7]
  return Buffer.concat([Buffer.from([(id << 3) | 2, ...length]), bytes])
}

declare module 'tablestore' {
  interface Client {
    makeRequest(operation: string, params: unknown): Promise<unknown>
  }
  const encoder: { encode(operation: string, params: unknown): object }
  const PlainBufferBuilder: {
    serializePrimaryKey(key: object[]): Buffer
    serializeForPutRow(key: object[], columns: object[]): Buffer
    serializeColumnValue(value: unknown): Buffer
  }
  class PlainBufferInputStream {
    constructor(bytes: Buffer)
  }
  class PlainBufferCodedInputStream {
    constructor(stream: PlainBufferInputStream)
    readRow(): { primaryKey: { name: string; value: unknown }[] }
  }
}

export type Service = Awaited<ReturnType<typeof openService>>

/** All rows of a table or an index that one answer holds, by its key columns. */
export async function rowsIn({ client }: Service, tableName: string, key: readonly string[]) {
  const { rows } = await client.getRange({
    tableName,
    direction: TableStore.Direction.FORWARD,
    inclusiveStartPrimaryKey: key.map((name) => ({ [name]: INF_MIN })),
    exclusiveEndPrimaryKey: key.map((name) => ({ [name]: INF_MAX })),
  } as never)
  return rows.map((row) => ({ ...keyOf(row), ...columnsOf(row) }))
}

/** What a hand-signed request may have different. */
export interface Signed {
  readonly headers: Record<string, string | undefined>
  /** Applied after signing. */
  readonly tamper: (headers: Record<string, string>) => void
  readonly method: string
}

export interface Posted {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: Buffer
}

async function post(url: string, operation: string, body: Buffer, change: Partial<Signed> = {}): Promise<Posted> {
  const method = change.method ?? 'POST'
  const headers: Record<string, string> = {}
  const given: Record<string, string | undefined> = {
    'x-ots-date': new Date().toISOString(),
    'x-ots-apiversion': '2015-12-31',
    'x-ots-accesskeyid': ACCOUNT.accessKeyId,
    'x-ots-contentmd5': createHash('md5').update(body).digest('base64'),
    'x-ots-instancename': INSTANCE,
    ...change.headers,
  }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) headers[name] = value
  const lines = Object.keys(headers)
    .sort()
    .map((name) => `${name}:${headers[name]}`)
  headers['x-ots-signature'] = createHmac('sha1', ACCOUNT.accessKeySecret)
    .update(`/${operation}\n${method}\n\n${lines.join('\n')}\n`)
    .digest('base64')
  change.tamper?.(headers)
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/${operation}`, { method, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Matches the error that the client throws for a code (and part of a message) of the service. */
export function refused(code: string, message = '') {
  return { message: expect.stringMatching(new RegExp(`${code}[\\s\\S]*${message}`)) }
}

export const IGNORE = new TableStore.Condition(TableStore.RowExistenceExpectation.IGNORE, null)
export const EXIST = new TableStore.Condition(TableStore.RowExistenceExpectation.EXPECT_EXIST, null)
export const ABSENT = new TableStore.Condition(TableStore.RowExistenceExpectation.EXPECT_NOT_EXIST, null)

/** Bounds and the request for a number; typed as a whole, since unique symbols lose their type in object literals. */
export const INF_MIN = TableStore.INF_MIN as VirtualData
export const INF_MAX = TableStore.INF_MAX as VirtualData
export const NEXT_NUMBER = TableStore.PK_AUTO_INCR as VirtualData

/** A condition on one column: missing columns do not pass. */
export function where(
  column: string,
  value: CellValue,
  comparator: TableStore.SingleColumnCondition['comparator'] = TableStore.ComparatorType.EQUAL,
  passIfMissing = false,
) {
  return new TableStore.Condition(
    TableStore.RowExistenceExpectation.IGNORE,
    new TableStore.SingleColumnCondition(column, value, comparator, passIfMissing),
  )
}

/** A 64-bit integer as the client wants it. */
export function int(value: bigint | number) {
  return TableStore.Long.fromString(String(value))
}

type Changes = { [K in keyof CreateTableParams]?: Partial<CreateTableParams[K]> }

/** A new table with one STRING key column `id`, unless changed. */
export async function newTable(service: Service, change: Changes = {}): Promise<string> {
  const tableName = `t_${randomUUID().replaceAll('-', '')}`
  await service.client.createTable(tableParams(tableName, change))
  return tableName
}

/** What creates such a table. */
export function tableParams(tableName: string, change: Changes = {}): CreateTableParams {
  return {
    tableMeta: { tableName, primaryKey: [{ name: 'id', type: 'STRING' }], ...change.tableMeta },
    tableOptions: { timeToLive: -1, maxVersions: 1, ...change.tableOptions },
    reservedThroughput: { capacityUnit: { read: 0, write: 0 }, ...change.reservedThroughput },
    ...(change.indexMetas ? { indexMetas: change.indexMetas as NonNullable<CreateTableParams['indexMetas']> } : {}),
  }
}

/** Puts a row of attribute columns given as an object. */
export function put(
  service: Service,
  tableName: string,
  primaryKey: PutRowParams['primaryKey'],
  columns: Record<string, CellValue>,
  condition = IGNORE,
) {
  const attributeColumns = Object.entries(columns).map(([name, value]) => ({ [name]: value }))
  return service.client.putRow({ tableName, primaryKey, condition, attributeColumns })
}

/** The columns of a row, `undefined` when there is no row. */
export async function get(service: Service, tableName: string, primaryKey: PutRowParams['primaryKey'], more = {}) {
  const { row } = await service.client.getRow({ tableName, primaryKey, maxVersions: 1, ...more })
  return columnsOf(row)
}

/** Attribute columns by name; 64-bit integers as bigint. */
export function columnsOf(row: TableStore.Row | undefined): Record<string, unknown> | undefined {
  if (!row?.primaryKey) return undefined
  return Object.fromEntries(
    (row.attributes ?? []).map(({ columnName, columnValue }) => [columnName, plain(columnValue)]),
  )
}

/** Key columns by name; 64-bit integers as bigint. */
export function keyOf(row: TableStore.Row | undefined): Record<string, unknown> {
  return Object.fromEntries((row?.primaryKey ?? []).map(({ name, value }) => [name, plain(value)]))
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return BigInt(String(value))
}
