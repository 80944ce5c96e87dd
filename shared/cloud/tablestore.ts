import { randomUUID } from 'node:crypto'
import type { Agent } from 'node:https'
import type { BatchGetRowResult, BatchWriteRowParams, Client, RowInBatch } from 'tablestore'
import type { Credentials } from '../auth/credentials.ts'
import { AppError } from '../errors.ts'
import type { Key, RangeRequest, Row, TableClient, Write } from '../tables/client.ts'
import { perCredentials } from './per-credentials.ts'
import { pause, type RetryOptions, withRetries } from './retry.ts'
import { codeOf, isBusy, translate } from './tablestore-errors.ts'
import {
  codecOf,
  keyOf,
  type RowCodec,
  rowOf,
  type TableDefinition,
  type TablestoreSdk,
  tableDefinition,
} from './tablestore-rows.ts'

export interface TablestoreConfig {
  readonly endpoint: string
  readonly instance: string
}

export interface TablestoreOptions {
  /** Goes into the marks of our writes. */
  readonly requestId: string
  readonly tries?: number
  readonly baseDelayMs?: number
  readonly timeoutMs?: number
}

/** Limits of BatchGetRow and BatchWriteRow, https://help.aliyun.com/document_detail/91524.html */
const MAX_BATCH_GET_ROWS = 100
const MAX_BATCH_WRITE_ROWS = 200
/** Of one key column, https://help.aliyun.com/document_detail/91524.html */
const MAX_KEY_BYTES = 1024

interface Connection {
  readonly client: Client
  readonly codec: RowCodec
}

const connect = perCredentials(openConnection)

/**
 * The tables over the vendor's SDK. Every call has a deadline and is repeated a few times when the service is busy, writes
 * too: `winWrite` finds out whether a write whose reply was lost had won.
 */
export function openTables(
  config: TablestoreConfig,
  credentials: Credentials,
  options: TablestoreOptions,
): TableClient {
  const connection = () => connect({ endpoint: config.endpoint, instance: config.instance }, credentials)
  const retry: RetryOptions = {
    tries: options.tries ?? 5,
    baseDelayMs: options.baseDelayMs ?? 100,
    timeoutMs: options.timeoutMs ?? 10_000,
    retryable: isBusy,
  }

  const call = async <T>(operation: (connection: Connection) => Promise<T>): Promise<T> => {
    try {
      const open = await connection()
      return await withRetries(retry, () => operation(open))
    } catch (error) {
      throw translate(error)
    }
  }

  return {
    get: async (table, key) => (isPossible(key) ? call((open) => getRow(open, table, key)) : undefined),
    write: (write) => call((open) => writeRow(open, write)),
    writeBatch: (writes) => settle(writes, retry, (part) => call((open) => writeRows(open, part))),
    async getBatch(table, keys) {
      const wanted = [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]
      const found = new Map<string, Row | undefined>()
      for (let start = 0; start < wanted.length; start += MAX_BATCH_GET_ROWS) {
        const part = wanted.slice(start, start + MAX_BATCH_GET_ROWS)
        const rows = await settle(part, retry, (keys) => call((open) => getRows(open, table, keys)))
        for (const [index, key] of part.entries()) found.set(JSON.stringify(key), rows[index])
      }
      return keys.map((key) => found.get(JSON.stringify(key)))
    },
    async range(request) {
      if (request.limit !== undefined && request.limit < 1) throw new Error('limit must be at least 1')
      if (request.prefix.length < request.keyColumns.length) return readRange(request, (page) => call(page))
      const row = await call((open) => getRow(open, request.table, request.prefix))
      return { rows: row ? [row] : [], next: undefined }
    },
    newWriter: () => `${options.requestId}:${randomUUID()}`,
  }
}

/** Whether a row can have this key at all: whoever asks for something with an endless name is told that there is none. */
function isPossible(key: Key): boolean {
  return key.every(([, value]) => typeof value !== 'string' || Buffer.byteLength(value) <= MAX_KEY_BYTES)
}

/** The two schema operations, for whoever sets an installation up. */
export function openSchema(config: TablestoreConfig, credentials: Credentials) {
  const connection = () => connect({ endpoint: config.endpoint, instance: config.instance }, credentials)
  const retry = { tries: 5, baseDelayMs: 500, timeoutMs: 20_000, retryable: isBusy }
  const call = async <T>(operation: (client: Client) => Promise<T>): Promise<T> => {
    const { client } = await connection()
    return withRetries(retry, () => operation(client)).catch((error: unknown) => {
      throw translate(error)
    })
  }
  return {
    list: async (): Promise<readonly string[]> => (await call((client) => client.listTable({}))).tableNames,
    create: async (definition: TableDefinition): Promise<void> =>
      void (await call((client) => client.createTable(tableDefinition(definition)).catch(ifNew))),
  }
}

/** A try whose answer was lost had created the table. */
function ifNew(error: unknown): void {
  if (codeOf(error) !== 'OTSObjectAlreadyExist') throw error
}

async function openConnection(config: TablestoreConfig, credentials: Credentials): Promise<Connection> {
  const sdk = await loadSdk()
  const client = new sdk.Client({
    accessKeyId: credentials.accessKeyId,
    accessKeySecret: credentials.accessKeySecret,
    ...(credentials.securityToken ? { securityToken: credentials.securityToken } : {}),
    endpoint: config.endpoint,
    instancename: config.instance,
    // The SDK's own policy repeats reads twenty times and busy writes never.
    maxRetries: 0,
    httpOptions: { timeout: 10_000, maxSockets: 300, ...(await secureAgent(config.endpoint)) },
  })
  return { client, codec: codecOf(sdk) }
}

/** The SDK's default agent opens a new TLS connection for every request. Loaded late, as TLS is not needed to start. */
async function secureAgent(endpoint: string): Promise<{ agent?: Agent }> {
  if (!endpoint.startsWith('https:')) return {}
  const { Agent } = await import('node:https')
  return { agent: new Agent({ keepAlive: true }) }
}

async function loadSdk(): Promise<TablestoreSdk> {
  // The SDK assigns to undeclared variables in loops, which throws once a bundler has put it into a (strict) ES module.
  for (const name of ['pro', 'sub', 'key', 'size']) if (!(name in globalThis)) Reflect.set(globalThis, name, undefined)
  const loaded = await import('tablestore')
  return 'default' in loaded ? (loaded.default as TablestoreSdk) : loaded
}

async function getRow({ client, codec }: Connection, table: string, key: Key): Promise<Row | undefined> {
  const answer = await client.getRow({ tableName: table, primaryKey: codec.primaryKey(key), maxVersions: 1 })
  return rowOf(answer.row)
}

async function writeRow({ client, codec }: Connection, write: Write): Promise<boolean> {
  const common = {
    tableName: write.table,
    primaryKey: codec.primaryKey(write.key),
    condition: codec.condition(write.expect),
  }
  try {
    if ('put' in write) await client.putRow({ ...common, attributeColumns: codec.attributes(write.put) })
    else if ('delete' in write) await client.deleteRow(common)
    else await client.updateRow({ ...common, updateOfAttributeColumns: codec.changes(write.update, write.remove) })
    return true
  } catch (error) {
    if (codeOf(error) === 'OTSConditionCheckFail') return false
    throw error
  }
}

/** The answers of a batch; an error stands for a row that the service refused or was too busy for. */
type Answer<T> = { readonly value: T } | { readonly failed: Error }

async function getRows(open: Connection, table: string, keys: readonly Key[]): Promise<Answer<Row | undefined>[]> {
  const primaryKey = keys.map((key) => open.codec.primaryKey(key))
  const answer: BatchGetRowResult = await open.client.batchGetRow({
    tables: [{ tableName: table, primaryKey, maxVersions: 1 }],
  })
  return (answer.tables[0] ?? []).map((row) => (row.isOk ? { value: rowOf(row) } : { failed: failureOf(row) }))
}

async function writeRows(open: Connection, writes: readonly Write[]): Promise<Answer<boolean>[]> {
  if (writes.length > MAX_BATCH_WRITE_ROWS) throw new Error(`a batch holds at most ${MAX_BATCH_WRITE_ROWS} writes`)
  const names = [...new Set(writes.map((write) => write.table))]
  const tables = names.map((tableName) => ({
    tableName,
    rows: writes.filter((write) => write.table === tableName).map((write) => batchRow(open.codec, write)),
  }))
  const answer = await open.client.batchWriteRow({ tables })
  const byTable = new Map(names.map((name) => [name, answer.tables.filter((row) => row.tableName === name)]))
  return writes.map((write) => writeAnswer(byTable.get(write.table)?.shift()))
}

function batchRow(codec: RowCodec, write: Write): BatchWriteRowParams['tables'][number]['rows'][number] {
  const common = { primaryKey: codec.primaryKey(write.key), condition: codec.condition(write.expect) }
  if ('put' in write) return { type: 'PUT', ...common, attributeColumns: codec.attributes(write.put) }
  if ('delete' in write) return { type: 'DELETE', ...common }
  return { type: 'UPDATE', ...common, attributeColumns: codec.changes(write.update, write.remove) }
}

function writeAnswer(row: RowInBatch | undefined): Answer<boolean> {
  if (row?.isOk) return { value: true }
  if (row?.errorCode === 'OTSConditionCheckFail') return { value: false }
  return { failed: failureOf(row) }
}

/** Sends what a batch left undone again, alone: the rows of a batch succeed and fail one by one. */
async function settle<In, Out>(
  items: readonly In[],
  retry: RetryOptions,
  send: (items: readonly In[]) => Promise<Answer<Out>[]>,
  attempt = 1,
): Promise<Out[]> {
  if (items.length === 0) return []
  const answers = await send(items)
  if (answers.length < items.length) throw new AppError('upstream_failed', 'Tablestore left rows of a batch unanswered')
  const undone: In[] = []
  for (const [index, item] of items.entries()) {
    const answer = answers[index]
    if (!answer || 'value' in answer) continue
    if (attempt >= retry.tries || !isBusy(answer.failed)) throw translate(answer.failed)
    undone.push(item)
  }
  if (undone.length > 0) await pause(Math.random() * retry.baseDelayMs * 2 ** (attempt - 1))
  const later = await settle(undone, retry, send, attempt + 1)
  return answers.flatMap((answer) => ('value' in answer ? [answer.value] : later.splice(0, 1)))
}

/** One answer holds at most 5,000 rows or 4 MB, whatever the limit was; the rest is fetched here. */
async function readRange(
  request: RangeRequest,
  call: <T>(operation: (open: Connection) => Promise<T>) => Promise<T>,
): Promise<{ rows: Row[]; next: Key | undefined }> {
  const rows: Row[] = []
  let next = request.from
  do {
    const page = await call((open) => rangePage(open, { ...request, ...(next ? { from: next } : {}) }, rows.length))
    rows.push(...page.rows)
    next = page.next
  } while (next && rows.length < (request.limit ?? Number.POSITIVE_INFINITY))
  return { rows, next }
}

async function rangePage({ client, codec }: Connection, request: RangeRequest, already: number) {
  const { prefix, keyColumns, reverse } = request
  const open = keyColumns.slice(prefix.length)
  const edge = (side: 'lowest' | 'highest') => [...codec.primaryKey(prefix), ...codec.edge(open, side)]
  const answer = await client.getRange({
    tableName: request.table,
    direction: reverse ? 'BACKWARD' : 'FORWARD',
    inclusiveStartPrimaryKey: request.from ? codec.primaryKey(request.from) : edge(reverse ? 'highest' : 'lowest'),
    exclusiveEndPrimaryKey: edge(reverse ? 'lowest' : 'highest'),
    maxVersions: 1,
    ...(request.limit === undefined ? {} : { limit: request.limit - already }),
  })
  const rows = answer.rows.map(rowOf).filter((row) => row !== undefined)
  return { rows, next: answer.nextStartPrimaryKey ? keyOf(answer.nextStartPrimaryKey) : undefined }
}

function failureOf(row: RowInBatch | undefined): Error {
  return new Error(`${row?.errorCode ?? 'no answer'}: ${row?.errorMessage ?? ''}`)
}
