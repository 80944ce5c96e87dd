import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { type LocalServer, listen, type SocketShape } from '../wire/http.ts'
import { type Call, ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { TablestoreError } from './errors.ts'
import { errorMessage } from './messages.ts'
import { OPERATIONS } from './operations.ts'
import { requirePermission } from './permission.ts'
import { decode, encode, repeated } from './protobuf.ts'
import { openStore, type Store } from './store.ts'
import { responseHeaders, verify } from './verify.ts'

/**
 * Local Tablestore: the wire protocol of API version 2015-12-31 over rows in lmdb.
 *
 * Layout, from the wire inwards:
 *   index       HTTP, limits of the body, errors           verify, permission   who calls, and may they
 *   protobuf, messages    bodies                           plain-buffer-*       rows and keys inside bodies
 *   operations  names → tables | reads | writes            errors               the service's codes
 *   table-definition, schema   what a table is             criteria, conditions what a read wants, filters
 *   row-change, write, indexes  one row's atomic write     values, rows, keys   the model and its bytes
 *   store       lmdb: one writer at a time, on disk before it is answered
 *
 * Gaps, as of 2026-11. Never run against the real service yet: behaviour follows its documentation, its error list and
 * its SDKs' own tests.
 * Differs by design:
 * - Indexes are global, and change in the same moment as their table unless a lag is set (the real ones always lag).
 * - Rows and cells past their time to live are invisible at once; they leave the disk when their row is next written.
 * - Writes are serialized, so OTSRowOperationConflict and OTSTableNotReady never come, OTSServerBusy only when asked for.
 * - Reserved throughput is stored, and neither enforced nor limited in how often it may be changed.
 * - Capacity units in answers are estimates. ListTable leaves indexes out.
 * - A value of another type than its predefined column is refused.
 * - Policies are judged table by table for operations on rows, without conditions; whether the service wants more than the
 *   index's own name for reading an index is not known.
 * Missing, answered with an error:
 * - Encoded primary keys over 4,026 bytes. Local and synchronous secondary indexes. Table partitions. Streams.
 * - Search indexes, SQL, local transactions, tunnels, time series, predefined column changes, ComputeSplitPointsBySize,
 *   bulk import and export, wide row tokens, regular expressions in filters, data blocks other than PlainBuffer.
 */
export interface TablestoreOptions {
  readonly host: string
  readonly port: number
  /** This service's own folder. */
  readonly dataDir: string
  readonly instance: string
  readonly credentials: Credentials
  /** The clock of the data: timestamps, time to live. */
  readonly now: () => number
  /** What requests and answers are dated by; the machine's time when missing, whatever they say. */
  readonly nearest?: (at: number) => number
  readonly intercept?: Intercept
  readonly shape?: SocketShape
}

/** A running service. */
export interface TablestoreService extends LocalServer {
  /** From now on changes reach the indexes this much later than their tables. */
  setIndexLag(ms: number): Promise<void>
}

const MAX_BODY_BYTES = 5 * 1024 * 1024

/** Starts the service; resolves when it listens. */
export async function startTablestore(options: TablestoreOptions): Promise<TablestoreService> {
  const store = openStore(options.dataDir, options.now)
  const busy = new Set<Promise<void>>()
  const handler: RequestListener = (request, response) => {
    const work = answer(request, store, options).then(({ status, headers, body }) => {
      response.writeHead(status, { ...headers, 'content-length': body.length })
      response.end(body)
    })
    const done = work.catch(() => void response.destroy()).finally(() => busy.delete(done))
    busy.add(done)
  }
  const server = await listen(handler, options).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  return {
    ...server,
    setIndexLag: (ms) => store.setIndexLag(ms),
    async close() {
      await server.close()
      await Promise.all(busy)
      await store.close()
    },
  }
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

async function answer(request: IncomingMessage, store: Store, options: TablestoreOptions): Promise<Answer> {
  const now = Math.floor(options.now())
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  let identity: Identity | undefined
  // The caller's own time, if it is one of the two that are right.
  const sentAt = Date.parse(String(request.headers['x-ots-date']))
  const date = Math.floor(options.nearest?.(Number.isNaN(sentAt) ? now : sentAt) ?? Date.now())
  const reply = (status: number, body: Buffer): Answer => ({
    status,
    headers: responseHeaders(path, body, randomUUID(), date, identity),
    body,
  })
  try {
    const method = request.method ?? ''
    const body = await readBody(request)
    if (method !== 'POST') {
      throw new TablestoreError('OTSMethodNotAllowed', 'Only POST method for requests is supported.')
    }
    identity = verify(
      { method, path, query, headers: request.headers, body },
      options.instance,
      options.credentials,
      date,
    )
    return reply(200, await operate(store, path.slice(1), body, identity, options))
  } catch (error) {
    if (error instanceof ConnectionCut) throw error
    if (error instanceof ServiceBusy) return busy(reply)
    const known = error instanceof TablestoreError ? error : unexpected(error)
    return reply(known.status, encode(errorMessage, { code: known.code, message: known.message }))
  }
}

function busy(reply: (status: number, body: Buffer) => Answer): Answer {
  const { status, code, message } = new TablestoreError('OTSServerBusy', 'Server is busy.')
  return reply(status, encode(errorMessage, { code, message }))
}

function operate(
  store: Store,
  name: string,
  body: Buffer,
  identity: Identity,
  { instance, now, intercept }: TablestoreOptions,
): Promise<Buffer> {
  const operation = OPERATIONS.get(name)
  if (!operation) throw new TablestoreError('OTSUnsupportOperation', `Unsupported operation: '${name}'.`)
  requirePermission(identity, name, instance, body)
  const work = async () => {
    if (store.isBehind()) await store.catchUp()
    return operation(store, body, Math.floor(now()))
  }
  return intercept ? intercept(callOf(name, body, identity), work) : work()
}

function callOf(operation: string, body: Buffer, { accessKeyId }: Identity): Call {
  return {
    service: 'tablestore',
    operation,
    accessKeyId,
    /** The first field of every message is its table, or what is asked of each table with the table's name in it. */
    get target() {
      const { tables } = decode({ tables: repeated(1, 'bytes') }, body)
      return tables.map((bytes) => bytes.toString('latin1')).join('\n')
    },
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    const bytes = chunk as Buffer
    size += bytes.length
    // The rest is read and dropped, so that the client gets an answer and not a broken connection.
    if (size <= MAX_BODY_BYTES) chunks.push(bytes)
  }
  if (size > MAX_BODY_BYTES) {
    throw new TablestoreError('OTSRequestBodyTooLarge', 'The size of POST data is too large.')
  }
  return Buffer.concat(chunks)
}

/** A fault of the local service itself: its stack belongs to whoever runs it, the client learns only that it happened. */
function unexpected(error: unknown): TablestoreError {
  process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), 'LocalTablestore')
  return new TablestoreError('OTSInternalServerError', 'Internal server error.')
}
