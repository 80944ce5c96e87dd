/*
 * A local Object Storage Service over its own wire protocol.
 *
 * State of 2026-11. Nothing here has been run against the real service; what is known of it comes from its documentation,
 * from what ali-oss 6.23 sends and expects, and from the published vectors of the signatures.
 *
 * Differs by design
 * - Paths may carry the bucket (`/bucket/key`), which the service refuses on its own domains.
 * - Everything is served over plain HTTP; `acs:SecureTransport` is therefore false in policies.
 * - A version 4 signature may cover an empty parameter as `name` or as `name=`; the documentation has the first only.
 * - Keys that hold NUL are refused.
 * - Reading through a symbolic link asks for the right to read its target too.
 * - The ETag of a multipart object is MD5 over the parts' MD5 and their number; the service does not document its own.
 * - A session is judged by its policy alone: what is public does not add to it.
 * - A commit survives the end of the process at once and a loss of power some milliseconds later.
 * - A copy keeps type and ETag of its source, and there is no limit of size.
 *
 * Missing, and answered with 501 NotImplemented
 * - append, PostObject, callbacks, versions, tagging, encryption, lifecycle, restore and the archive classes, select,
 *   data processing (x-oss-process), traffic limits, live channels, and all bucket settings other than ACL and CORS.
 * - chunked signatures and signature version 2: refused as an invalid Authorization.
 *
 * Missing, without an answer of its own
 * - bucket policies, referer lists, blocking of public access; requests are never throttled.
 */
import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { type LocalServer, listen, type SocketShape } from '../wire/http.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { authorizer } from './access.ts'
import type { DiskHook } from './blobs.ts'
import { checkCorsRule } from './bucket-operations.ts'
import type { Context, ObjectCreatedEvent, Reply } from './context.ts'
import { corsHeaders, type Headers, preflightHeaders } from './cors.ts'
import { detect } from './detect.ts'
import { OssError } from './errors.ts'
import { OPERATIONS } from './operations.ts'
import type { CorsRule } from './records.ts'
import { checkBucketName, newRequestId, type OssRequest, readRequest } from './request.ts'
import { commonHeaders, errorReply, respond } from './respond.ts'
import { openStore, type Store } from './store.ts'
import { authenticate } from './verify.ts'

export type { ObjectCreatedEvent } from './context.ts'
export type { CorsRule } from './records.ts'

export interface OssOptions {
  readonly host: string
  readonly port: number
  /** A folder of this service's own. */
  readonly dataDir: string
  /** Such as `cn-hangzhou`. */
  readonly region: string
  readonly credentials: Credentials
  readonly now: () => number
  /** What the dates of signatures are compared with; the time itself when missing. */
  readonly nearest?: (at: number) => number
  readonly onEvent?: (event: ObjectCreatedEvent) => void
  readonly intercept?: Intercept
  readonly disk?: DiskHook
  readonly shape?: SocketShape
}

/** A running service. */
export interface OssService extends LocalServer {
  /** Makes a bucket if it is missing, and gives it the rules if any are given. */
  createBucket(name: string, options?: { readonly cors?: readonly CorsRule[] }): Promise<void>
}

/** Starts the service over the objects in its folder. */
export async function startOss(options: OssOptions): Promise<OssService> {
  await mkdir(options.dataDir, { recursive: true })
  const store = await openStore(options.dataDir, options.disk)
  const busy = new Set<Promise<void>>()
  const handler = (message: IncomingMessage, response: ServerResponse) => {
    const done = serve(message, response, store, options).finally(() => busy.delete(done))
    busy.add(done)
  }
  const server = await listen(handler, options).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  return {
    ...server,
    async createBucket(name, { cors } = {}) {
      checkBucketName(name)
      await store.createBucket(name, { createdAt: options.now(), acl: 'private', cors: [] })
      if (cors) await store.changeBucket(name, { cors: cors.map(checkCorsRule) })
    },
    async close() {
      await server.close()
      await Promise.all(busy)
      await store.close()
    },
  }
}

/** One request from its first byte to its last; never rejects. */
async function serve(
  message: IncomingMessage,
  response: ServerResponse,
  store: Store,
  options: OssOptions,
): Promise<void> {
  // A client may go away at any moment; that is no fault of ours and must not end the process.
  response.on('error', () => {})
  const id = newRequestId()
  const started = performance.now()
  let request: OssRequest | undefined
  let reply: Reply | undefined
  try {
    request = readRequest(message, id, options.now())
    reply = await answer(request, store, options)
    await respond(response, reply, headersFor(id, started, request, store))
  } catch (error) {
    await fail(response, error, id, request, message.headers.host ?? '', headersFor(id, started, request, store))
  } finally {
    if (typeof reply?.body === 'object') reply.body.release()
  }
}

async function answer(request: OssRequest, store: Store, options: OssOptions): Promise<Reply> {
  if (request.method === 'OPTIONS') return preflight(request, store)
  const caller = authenticate(request, options)
  const name = detect(request)
  const operation = OPERATIONS[name]
  const context = contextOf(request, caller, store, options)
  const { bucket, key } = request
  if (operation.action) context.authorize(operation.action, { bucket, key })
  if (!options.intercept) return await operation.run(context)
  const call = { service: 'oss', operation: name, target: key ?? '', accessKeyId: caller?.accessKeyId } as const
  return await options.intercept(call, async () => operation.run(context))
}

function contextOf(request: OssRequest, caller: Identity | undefined, store: Store, options: OssOptions): Context {
  const { region, now } = options
  const { accountId } = options.credentials
  return {
    request,
    store,
    region,
    accountId,
    caller,
    now,
    authorize: authorizer(caller, request, store, { region, accountId, now }),
    emit(event) {
      const { id: requestId, sourceIp } = request
      options.onEvent?.({ ...event, requestId, sourceIp, principalId: principalOf(caller), at: now() })
    },
  }
}

function principalOf(caller: Identity | undefined): string {
  if (caller === undefined) return ''
  return caller.kind === 'account' ? caller.accountId : `${caller.role ?? ''}:${caller.sessionName ?? ''}`
}

function preflight(request: OssRequest, store: Store): Reply {
  const rules = rulesOf(request, store)
  if (rules.length === 0) {
    throw new OssError('AccessForbidden', {}, 'CORSResponse: CORS is not enabled for this bucket.')
  }
  return { status: 200, headers: preflightHeaders(rules, request) }
}

function headersFor(id: string, started: number, request: OssRequest | undefined, store: Store): Headers {
  const common = commonHeaders(id, performance.now() - started)
  if (request === undefined || request.method === 'OPTIONS') return common
  return [...common, ...corsHeaders(rulesOf(request, store), request)]
}

function rulesOf({ bucket }: OssRequest, store: Store): readonly CorsRule[] {
  return bucket === undefined ? [] : (store.findBucket(bucket)?.cors ?? [])
}

async function fail(
  response: ServerResponse,
  error: unknown,
  id: string,
  request: OssRequest | undefined,
  host: string,
  headers: Headers,
): Promise<void> {
  // Once bytes are out the only honest sign of a failure is a connection that breaks.
  const cut = error instanceof ConnectionCut
  if (cut || response.headersSent || response.destroyed) return void response.destroy()
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  const code = error instanceof ServiceBusy ? 'ServiceUnavailable' : 'InternalError'
  const known = error instanceof OssError ? error : new OssError(code)
  await respond(response, errorReply(known, id, request, host), headers)
}
