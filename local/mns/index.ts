import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { sessionAllows } from '../wire/acs3.ts'
import { readBody } from '../wire/body.ts'
import { type Clock, machineClock } from '../wire/clock.ts'
import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { openTurns, type Turns } from '../wire/turns.ts'
import { type WorkCounter, workCounter } from '../wire/work.ts'
import { type Certificate, newPrivateKey, openCertificate } from './certificate.ts'
import type { Context, Reply } from './context.ts'
import { type MessageCourier, openDeliveries } from './deliveries.ts'
import { MnsError } from './errors.ts'
import { inNamespace } from './notification.ts'
import { push } from './push.ts'
import { QUEUE_OPERATIONS } from './queue-operations.ts'
import { openQueues } from './queues.ts'
import { readCall } from './request.ts'
import { openTables, type Tables, type TopicMessage } from './store.ts'
import { TOPIC_OPERATIONS } from './topic-operations.ts'
import { openTopics } from './topics.ts'
import { authenticate, type SignedRequest } from './verify.ts'

/*
 * Message Service (MNS, now Simple Message Queue), wire version 2015-06-06. Gaps, as of 2026-11 (nothing here has been
 * compared with the real service; facts are from its documentation and from what its clients send, read and test):
 * By design:
 * - The host of a request means nothing: every account id and region in it is this account in this region.
 * - Mail and SMS endpoints reach nobody: what would be sent is a line of JSON in outbox.log of the data folder.
 * - Pushes over HTTP are signed with a key of this data folder, whose certificate this service serves itself at
 *   /x509_public_certificate.pem; a subscriber that pins the certificate's host has to allow this one.
 * - Pushes go to any address, this machine's included. A function's trigger is started asynchronously, so that retries
 *   are the function's and the trigger's own strategy never comes into play.
 * - Waiting (waitseconds) goes by the local clock, the five seconds that a subscriber has to answer by the machine's.
 * Unproven: statuses and messages where the error list of the documentation has none (InvalidSecurityToken, the version's
 *   header, 408 for TimeExpired); that a wrong handle of a batch is 404; MessageNotExist of ChangeMessageVisibility for
 *   a handle that is over; that one bad message refuses its whole batch; the content type of a push in JSON; the next
 *   name of a list as its marker.
 * Missing:
 * - Ordered queues, dead-letter and delay-retry policies, the management API of 2022 (Mns-open), tags, OpenService, logs
 *   (LoggingEnabled is kept only), flow control, quotas of queues and topics.
 * - A queue can be made again at once after it was deleted. Names are up to 256 long, as they used to be.
 */

/** What the message service needs to run. */
export interface MnsOptions extends ListenOptions {
  readonly dataDir: string
  readonly credentials: Credentials
  readonly region: string
  readonly clock?: Clock
  readonly intercept?: Intercept
  /** Brings messages of topics to subscribers. */
  readonly courier?: MessageCourier
  /** Starts the functions whose triggers match. */
  onMessage?(message: TopicMessage): void
}

/** A running message service. */
export interface MnsService extends LocalServer, Pick<WorkCounter, 'idle' | 'isBusy'> {
  /** What other services of the cloud send of themselves; gives back the id of the message. */
  publish(topic: string, body: string): Promise<string>
  send(queue: string, body: string): Promise<string>
  /** Delivers what a previous run left. */
  resume(): void
}

const BODY_LIMIT_BYTES = 2 * 1024 * 1024
const CERTIFICATE_PATH = '/x509_public_certificate.pem'

/** Starts the message service over its folder. */
export async function startMns(options: MnsOptions): Promise<MnsService> {
  const { dataDir, clock = machineClock, credentials, courier } = options
  const tables = openTables(dataDir)
  const work = workCounter()
  // Apart from the work of the service: whoever waits for messages keeps nobody from being idle.
  const requests = workCounter()
  const certificate = certificateOf(tables)
  const queues = openQueues(tables, clock)
  const closing = new AbortController()
  const turnsOf = turnsByName()
  let url = ''
  const deliveries = openDeliveries({
    tables,
    queues,
    clock,
    accountId: credentials.accountId,
    count: work.count,
    notifyFunctions: (message) => options.onMessage?.(message),
    post: (endpoint, message) =>
      appendFile(join(dataDir, 'outbox.log'), `${JSON.stringify({ endpoint, ...message })}\n`),
    push: (endpoint, notification) =>
      turnsOf(endpoint).take(async () =>
        push(endpoint, notification, {
          certificate: await certificate(),
          certificateUrl: `${url}${CERTIFICATE_PATH}`,
          requestId: newRequestId(),
          at: clock.now(),
          signal: closing.signal,
        }),
      ),
    ...(courier ? { courier } : {}),
  })
  const topics = openTopics(tables, clock, deliveries)
  const shared = { queues, topics, account: tables.account, accountId: credentials.accountId, save: tables.change }
  const handle = async (message: IncomingMessage, response: ServerResponse) => {
    if (message.method === 'GET' && message.url === CERTIFICATE_PATH) {
      const { pem } = await certificate()
      response.writeHead(200, { 'content-type': 'application/x-x509-ca-cert' }).end(pem)
    } else await serve(message, response, shared, options)
  }
  const server = await listen((message, response) => {
    response.on('error', () => {})
    requests.counted(() => handle(message, response)).catch(() => void response.destroy())
  }, options).catch(async (error: unknown) => {
    await tables.close()
    throw error
  })
  url = server.url
  return {
    ...server,
    publish: async (topic, body) => (await topics.publish(topic, { body })).id,
    async send(queue, body) {
      const [sent] = await queues.send(queue, [{ body }])
      return sent?.message.id ?? ''
    },
    resume: () => deliveries.resume(),
    idle: work.idle,
    isBusy: work.isBusy,
    async close() {
      deliveries.close()
      closing.abort()
      queues.close()
      await server.close()
      await Promise.all([work.idle(), requests.idle()])
      await tables.close()
    },
  }
}

/** A subscriber that is down for long must not be met with all that it has missed at once. */
const PUSHES_AT_ONCE = 32

function turnsByName(): (name: string) => Turns {
  const known = new Map<string, Turns>()
  return (name) => {
    const turns = known.get(name) ?? openTurns(PUSHES_AT_ONCE)
    known.set(name, turns)
    return turns
  }
}

/** Made when it is first asked for, and kept. */
function certificateOf(tables: Tables): () => Promise<Certificate> {
  let made: Promise<Certificate> | undefined
  const make = async () => {
    const kept = tables.account.get('PrivateKey')
    const key = kept ?? (await newPrivateKey())
    if (kept === undefined) await tables.change(() => tables.account.put('PrivateKey', key))
    return openCertificate(key)
  }
  return () => {
    made ??= make()
    return made
  }
}

async function serve(
  message: IncomingMessage,
  response: ServerResponse,
  shared: Omit<Context, 'call' | 'request' | 'signal'>,
  options: MnsOptions,
): Promise<void> {
  const requestId = newRequestId()
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  try {
    const body = await readBody(message, BODY_LIMIT_BYTES)
    if (!body) throw new MnsError('RequestEntityTooLarge')
    const request = { method: message.method ?? 'GET', url: message.url ?? '/', headers: message.headers, body }
    send(response, requestId, await answer(request, { ...shared, signal: gone.signal }, options))
  } catch (error) {
    if (error instanceof ConnectionCut) return void response.destroy()
    const refusal = refusalOf(error)
    const fields = {
      Code: refusal.code,
      Message: refusal.message,
      RequestId: requestId,
      HostId: `http://${message.headers.host ?? ''}`,
    }
    send(response, requestId, { status: refusal.status, xml: inNamespace('Error', fields) })
  }
}

async function answer(
  request: SignedRequest,
  shared: Omit<Context, 'call' | 'request'>,
  { credentials, clock = machineClock, region, intercept }: MnsOptions,
): Promise<Reply> {
  const identity = authenticate(request, credentials, clock.nearest)
  const call = readCall(request)
  const resource = `acs:mns:${region}:${credentials.accountId}:${call.resource}`
  if (!sessionAllows(identity, `mns:${call.operation}`, resource)) throw new MnsError('AccessDenied')
  const context = { ...shared, call, request }
  const run = async () => OPERATIONS[call.operation](context)
  if (!intercept) return run()
  const target = call.queue || [call.topic, call.subscription].filter((name) => name !== '').join('/')
  const about = { service: 'mns', operation: call.operation, target, accessKeyId: identity.accessKeyId } as const
  return intercept(about, run)
}

const OPERATIONS = { ...QUEUE_OPERATIONS, ...TOPIC_OPERATIONS }

function refusalOf(error: unknown): MnsError {
  if (error instanceof MnsError) return error
  return new MnsError(error instanceof ServiceBusy ? 'ServiceUnavailable' : 'InternalError')
}

function send(response: ServerResponse, requestId: string, { status, xml, location }: Reply): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'x-mns-request-id': requestId,
    'x-mns-version': '2015-06-06',
    ...(location === undefined ? {} : { location }),
    ...(xml === undefined
      ? {}
      : { 'content-type': 'text/xml;charset=utf-8', 'content-length': Buffer.byteLength(xml) }),
  })
  response.end(xml)
}

function newRequestId(): string {
  return randomBytes(12).toString('hex').toUpperCase()
}
