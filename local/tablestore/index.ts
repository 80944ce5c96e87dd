import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { type LocalServer, listen, type SocketShape } from '../wire/http.ts'
import { type Call, ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { warn } from '../wire/warn.ts'
import { TablestoreError, unsupported } from './errors.ts'
import { errorMessage } from './messages.ts'
import { ADDING, OPERATIONS } from './operations.ts'
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
 *   operations  names → tables | reads | writes | sessions | streams | splits | absent
 *   table-definition, schema   what a table is             criteria, conditions, transfer   what a read wants, filters
 *   row-change, write, indexes  one row's atomic write     overlay, transactions   changes that are not committed yet
 *   values, rows, keys, row-order   the model, its bytes   stream-log, stream-record   what streams keep
 *   store, commits, attempts   lmdb: one change at a time, on disk before it is answered, many in one commit, whole or not
 *   index-lag, purge   what happens later: changes of indexes, the end of what is past its time
 *
 * Gaps, as of 2026-11. Never run against the real service yet: behaviour follows its documentation, its error list and
 * the tests of its SDKs for Node, Python, Java, Go and PHP.
 * Differs by design:
 * - Global indexes change in the same moment as their table unless a lag is set (the real ones always lag).
 * - Rows and cells past their time to live are invisible at once; they leave the disk when their row is next written, and
 *   otherwise within ten minutes. Streams tell nothing of it.
 * - Writes are serialized, so OTSRowOperationConflict comes from transactions only, OTSTableNotReady never, and
 *   OTSServerBusy when asked for.
 * - Local transactions are on for every table that does not refuse them (the service turns them on when asked), and end
 *   with the process. AbortTransaction answers the id, which the client for Node needs and others ignore.
 * - Encryption is stored and described; nothing is encrypted. Reserved throughput is neither enforced nor limited in how
 *   often it may be changed. Capacity units in answers are estimates.
 * - A stream has one shard that never splits. ListTable leaves indexes out.
 * - ComputeSplitPointsBySize splits between values of the first key column only, at one location.
 * - Regular expressions in filters are JavaScript's.
 * - A value of another type than its predefined column is refused.
 * - Policies are judged table by table for operations on rows, without conditions; whether the service wants more than the
 *   index's own name for reading an index is not known.
 * Messages that no source quotes: the limits of a transaction, local indexes, predefined columns, streams, another API
 * version, a time to live under a day; and the HTTP status of OTSSessionNotExist.
 * Missing, answered with an error (lists of search indexes and of time series tables are empty, which is true):
 * - Synchronous global indexes. Table partitions at creation. Search indexes, SQL, tunnels, time series. Bulk import and
 *   export, wide row tokens, data blocks other than PlainBuffer. Replacing a whole row by UpdateRow.
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
  /** What it throws fails the commit that is about to be made. */
  readonly beforeCommit?: () => void
}

/** A running service. */
export interface TablestoreService extends LocalServer {
  /** From now on changes reach the indexes this much later than their tables. */
  setIndexLag(ms: number): Promise<void>
  /** Takes what is past its time to live off the disk now. */
  purge(): Promise<void>
}

const MAX_BODY_BYTES = 5 * 1024 * 1024

/** Starts the service; resolves when it listens. */
export async function startTablestore(options: TablestoreOptions): Promise<TablestoreService> {
  const store = openStore(options.dataDir, options.now, options.beforeCommit)
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
    purge: () => store.purge(),
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
    const body = await readBody(request)
    const name = path.slice(1)
    if (!OPERATIONS.has(name) && request.headers['x-ots-apiversion'] === undefined) return stranger(name)
    const { method = '', headers } = request
    if (method !== 'POST') {
      throw new TablestoreError('OTSMethodNotAllowed', 'Only POST method for requests is supported.')
    }
    const { instance, credentials } = options
    identity = verify({ method, path, query, headers, body }, instance, credentials, date)
    return reply(200, await operate(store, name, body, identity, options))
  } catch (error) {
    const { status, code, message } = refusalOf(error)
    return reply(status, encode(errorMessage, { code, message }))
  }
}

function refusalOf(error: unknown): TablestoreError {
  if (error instanceof ConnectionCut) throw error
  if (error instanceof ServiceBusy) return new TablestoreError('OTSServerBusy', 'Server is busy.')
  return error instanceof TablestoreError ? error : unexpected(error)
}

/** A browser, curl, or whoever else speaks another protocol, is told in XML. https://help.aliyun.com/document_detail/53722.html */
function stranger(name: string): Answer {
  const { code, message, status } = unsupported(name)
  const requestId = randomUUID()
  const said = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const error = `<Error><Code>${code}</Code><Message>${said}</Message><RequestID>${requestId}</RequestID></Error>`
  const headers = { 'content-type': 'application/xml', 'x-ots-requestid': requestId }
  return { status, headers, body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${error}\n`) }
}

function operate(
  store: Store,
  name: string,
  body: Buffer,
  identity: Identity,
  { instance, now, intercept }: TablestoreOptions,
): Promise<Buffer> {
  const operation = OPERATIONS.get(name)
  if (!operation) throw unsupported(name)
  requirePermission(identity, name, instance, body)
  const work = async () => {
    if (store.isBehind()) await store.catchUp()
    if (ADDING.has(name)) store.requireRoom()
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

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      // The rest is read and dropped, so that the client gets an answer and not a broken connection.
      if (size <= MAX_BODY_BYTES) chunks.push(chunk)
    })
    request.on('end', () => {
      if (size <= MAX_BODY_BYTES) resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
      else reject(new TablestoreError('OTSRequestBodyTooLarge', 'The size of POST data is too large.'))
    })
    // Whichever comes first: a client that goes away is no fault of ours.
    const cut = () => reject(new ConnectionCut('the request ended early'))
    request.on('error', cut)
    request.on('close', () => request.complete || cut())
  })
}

/** A fault of the local service itself: its stack belongs to whoever runs it, the client learns only that it happened. */
function unexpected(error: unknown): TablestoreError {
  warn(error, 'LocalTablestore')
  return new TablestoreError('OTSInternalServerError', 'Internal server error.')
}
