/*
 * A local Object Storage Service over its own wire protocol.
 *
 * State of 2026-11. Nothing here has been run against the real service; what is known of it comes from its documentation,
 * from what ali-oss 6.23 sends and expects, from the suites of the vendor's SDKs (Go, Python, Java, Node, PHP, C++ and C, old and
 * new), and from the published vectors of the signatures.
 *
 * Differs by design
 * - Paths may carry the bucket (`/bucket/key`), which the service refuses on its own domains (SecondLevelDomainForbidden).
 * - Everything is served over plain HTTP; `acs:SecureTransport` is therefore false in policies.
 * - A version 4 signature may cover an empty parameter as `name` or as `name=`; the documentation has the first only.
 * - Keys that hold NUL are refused.
 * - Reading through a symbolic link asks for the right to read its target too.
 * - A session is judged by its policy alone: what is public does not add to it.
 * - A copy keeps type and ETag of its source, but for an appendable one, which becomes normal; there is no limit of size.
 * - Encryption at rest is told by every answer and not done: the bytes lie on this disk as they came.
 * - Lifecycle rules, logging, inventories, transfer acceleration, access monitoring, the TLS versions of httpsConfig and
 *   the payer of requests, flow control (qosInfo), callback policies and fields of logs are checked, kept and given back;
 *   nothing acts on them.
 * - The bucket `oss` belongs to another account, as the suites rely on, unless this folder has it already.
 * - Live channels are kept and told; nobody can stream to them, so they are never live and have nothing to make playlists of.
 * - A fetch (asyncFetch) is tried once, follows no redirections and ends as failed with the process; private addresses are
 *   refused as for callbacks.
 * - A domain is bound to a bucket without a look at who owns it.
 * - Restoring takes one minute for Archive and the longest documented time of its tier for the colder classes, by the
 *   local clock.
 * - Of the account's own requests a bucket's policy can deny all but those about policies; there is one account only.
 * - Callbacks go to this machine's own addresses, loopback among them; other private addresses are refused as by the
 *   service, but only where the URL has them as numbers. Their signature is by a key of this data folder, which is at
 *   `/callback_pub_key_v1.pem` and not at gosspublic.alicdn.com.
 * - A form whose lines end in LF alone is malformed, and one with two files is refused although the second comes last.
 * - What processing makes of an image differs in its bytes: another library decodes, scales and encodes.
 *
 * Missing, and answered with 501 NotImplemented
 * - select, replication and its time control, changes of redundancy, metadata queries and tables, access points, batch jobs,
 *   data pipelines, protection against attacks (antiDDos), retention and holds of single objects, quotas (`quota`; `qos` is
 *   there), resource pools and vectors, tokens and certificates of bound domains, the ACL authenticated-read.
 * - signatures of the service's own over the body in chunks: refused as an invalid x-oss-content-sha256; the service has
 *   none either. Of Amazon's, chunks that are unsigned or followed by sums (0017-00000804, as documented).
 * - over the protocol of S3: encryption and policies of buckets, websites, object locks, grants to others than everybody,
 *   keys of the client's own, GetObjectAttributes, and processing other than image/ and style/.
 * - processing: format/heic and reading HEIC, hls/sign, document previews, blur of faces, x-oss-async-process.
 *
 * Unproven
 * - Over the protocol of S3 (./s3): the codes behind the numbers 0002-00000301 to 0002-00000431, which are published
 *   without them; which operations outside of the documented list are answered (versioning, CORS, tags, ListBuckets,
 *   ListMultipartUploads and RestoreObject are); that x-oss-ec, x-oss-server-time, x-oss-hash-crc64ecma and
 *   x-oss-object-type keep their names beside x-amz-request-id; what ColdArchive and DeepColdArchive are called; that
 *   x-amz-checksum-* is left unread; grants in the body of PutObjectAcl; headers that a signed URL carries as parameters;
 *   that a storage class given with an upload counts, which an older page denies.
 * - The codes of what is refused in lifecycle rules, tags, inventories and policies beyond those that the suites of the
 *   vendor's SDKs name; when a key of KMS does not exist; what deleting a marker-only key by a marker answers; how several
 *   Referer patterns match; ETags of appendable objects, which only differ when the bytes do; the code for a prefix of
 *   ListBuckets that begins no name; QuotaExceeded, NoSuchBucketQosInfo, NoSuchBucketCallbackPolicy, NoSuchAsyncFetchTask and
 *   NoSuchUserDefinedLogFieldsConfig; what rules against overwriting do to a bucket with versions (nothing) and to appends.
 * - Where the suites contradict each other: GetBucketStat tells the time of the last change (Go v2), not 0 (Python v2), and
 *   processing looks at the version that is named, not at the current one (C++).
 * - That a missing bucket goes before an unknown key id, but not before a wrong signature.
 * - Messages and numbers of InvalidPolicyDocument and of InvalidArgument for callbacks beyond those that the error pages
 *   quote, what JSON variables without a value become (""), and which callbackBody is refused for its variables.
 * - Which resizings limit_1 leaves alone, one-sided fill and pad, errors of images that are too large, of snapshots from
 *   other codecs, and the right oss:PostProcessTask.
 *
 * Missing, without an answer of its own
 * - Requests are never throttled, and there is no limit to the number of buckets. Routing rules and folders of a website
 *   that lack their slash are not followed. Overlapping lifecycle rules are taken. AbortMultipartUpload sends no event.
 */
import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Credentials, Identity } from '../wire/credentials.ts'
import { type LocalServer, listen, type SocketShape } from '../wire/http.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import type { ObjectEvent } from '../wire/object-event.ts'
import { type Action, authorizer, refuseForeign, refuseMissing } from './access.ts'
import { checkCorsRule } from './bucket-cors.ts'
import { bucketOfDomain } from './bucket-domains.ts'
import { openCallbackKey } from './callback/key.ts'
import type { Context, Reply } from './context.ts'
import { corsHeaders, type Headers, preflightHeaders } from './cors.ts'
import { detect, isForm, type OperationName } from './detect.ts'
import { OssError } from './errors.ts'
import { OPERATIONS } from './operations.ts'
import { openProcessing } from './process/processing.ts'
import type { DiskHook } from './receive.ts'
import type { CorsRule } from './records.ts'
import { checkReferer } from './referer.ts'
import { checkBucketName, newRequestId, type OssRequest, readRequest, withoutRepeatedBucket } from './request.ts'
import { commonHeaders, errorReply, respond } from './respond.ts'
import { openS3, s3Headers, s3Reply, speaksS3 } from './s3/s3.ts'
import { openStore, type Store } from './store.ts'
import { limitReply, readTrafficLimit } from './traffic.ts'
import { authenticate } from './verify.ts'

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
  readonly onEvent?: (event: ObjectEvent) => void
  readonly intercept?: Intercept
  readonly disk?: DiskHook
  readonly shape?: SocketShape
  /** Path of ffmpeg for pictures out of videos; they are not implemented without. */
  readonly ffmpeg?: () => Promise<string | undefined>
}

/** What requests are served with. */
type Running = OssOptions & Pick<Context, 'callbacks' | 'processing'>

/** Where receivers of callbacks find the public key; the name cannot be that of a bucket. */
const KEY_PATH = '/callback_pub_key_v1.pem'

function isForKey({ url, headers }: IncomingMessage): boolean {
  // A host that names a bucket may well have an object by that name.
  return url === KEY_PATH && !/^[a-z0-9-]+\.(?:localhost|oss-)/i.test(headers.host ?? '')
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
  const key = await openCallbackKey(options.dataDir)
  const callbacks = { key, keyUrl: '' }
  const running = { ...options, callbacks, processing: openProcessing(options.ffmpeg ?? (async () => undefined)) }
  const busy = new Set<Promise<void>>()
  const handler = (message: IncomingMessage, response: ServerResponse) => {
    if (isForKey(message)) return void response.setHeader('Content-Type', 'text/plain').end(key.publicPem)
    const done = serve(message, response, store, running).finally(() => busy.delete(done))
    busy.add(done)
  }
  const server = await listen(handler, options).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  callbacks.keyUrl = `${server.url}${KEY_PATH}`
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
  options: Running,
): Promise<void> {
  // A client may go away at any moment; that is no fault of ours and must not end the process.
  response.on('error', () => {})
  const id = newRequestId()
  const started = performance.now()
  let request: OssRequest | undefined
  let reply: Reply | undefined
  try {
    request = readRequest(message, id, options.now(), (domain) => bucketOfDomain(store, domain))
    reply = await answer(request, store, options)
    await send(response, reply, headersFor(id, started, request, store), request)
  } catch (error) {
    await fail(response, error, id, request, message.headers.host ?? '', headersFor(id, started, request, store))
    // What is left of the body goes nowhere, so that the next request of the connection is heard.
    message.resume()
  } finally {
    if (typeof reply?.body === 'object') reply.body.release()
  }
}

async function answer(asked: OssRequest, store: Store, options: Running): Promise<Reply> {
  if (asked.method === 'OPTIONS') return preflight(asked, store)
  const { request, caller } = isForm(asked)
    ? { request: asked, caller: undefined }
    : await identify(asked, store, options)
  const name = detect(request)
  const operation = OPERATIONS[name]
  const context = contextOf(request, caller, store, options)
  const { bucket, key } = request
  refuseForeign(request, name, store)
  checkReferer(request, store)
  if (operation.action) {
    const versionId = request.param('versionId')
    context.authorize(versionId === undefined ? operation.action : ofVersion(operation.action), {
      bucket,
      key,
      versionId,
    })
  }
  const limit = readTrafficLimit(request)
  const started = performance.now()
  const made = await run(name, context, options.intercept)
  const reply = speaksS3(asked) ? s3Reply(name, made) : made
  return limit === undefined ? reply : limitReply(reply, limit, performance.now() - started)
}

/** Who asks, and for what: a signature may show that the bucket stands in the request twice. */
async function identify(
  request: OssRequest,
  store: Store,
  options: Running,
): Promise<{ request: OssRequest; caller: Identity | undefined }> {
  const amazon = speaksS3(request)
  try {
    return amazon ? await openS3(request, options) : { request, caller: authenticate(request, options) }
  } catch (error) {
    if (error instanceof OssError && error.code === 'InvalidAccessKeyId') refuseMissing(request, detect(request), store)
    const mismatch = error instanceof OssError && error.code === 'SignatureDoesNotMatch' && !amazon
    const other = mismatch && withoutRepeatedBucket(request)
    if (!other) throw error
    return { request: other, caller: authenticate(other, options) }
  }
}

async function run(name: OperationName, context: Context, intercept: Intercept | undefined): Promise<Reply> {
  const operation = OPERATIONS[name]
  if (!intercept) return await operation.run(context)
  const { request, caller } = context
  const call = { service: 'oss', operation: name, target: request.key ?? '', accessKeyId: caller?.accessKeyId } as const
  return await intercept(call, async () => operation.run(context))
}

/** Older versions are a right of their own: GetObject and GetObjectVersion, GetObjectAcl and GetObjectVersionAcl. */
function ofVersion(action: Action): Action {
  return `oss:${action.slice('oss:'.length).replace('Object', 'ObjectVersion')}`
}

function contextOf(request: OssRequest, caller: Identity | undefined, store: Store, options: Running): Context {
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
    signing: options,
    as: (other) => contextOf(request, other, store, options),
    callbacks: options.callbacks,
    processing: options.processing,
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
  await send(response, errorReply(known, id, request, host), headers, request)
}

/** In the names that the client knows. */
async function send(
  response: ServerResponse,
  reply: Reply,
  headers: Headers,
  request: OssRequest | undefined,
): Promise<void> {
  if (request === undefined || !speaksS3(request)) return await respond(response, reply, headers)
  await respond(response, { ...reply, headers: s3Headers(reply.headers ?? []) }, s3Headers(headers))
}
