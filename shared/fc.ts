import { isUtf8 } from 'node:buffer'
import { AppError } from './errors.ts'
import { errorFields, log } from './log.ts'
import { type RequestLine, respond, withinHeaderLimit } from './respond.ts'

/** What Function Compute says about one invocation. */
export interface FcContext {
  readonly requestId: string
  /** The function role's credentials; they rotate, so never keep them beyond the invocation. */
  readonly credentials: {
    readonly accessKeyId: string
    readonly accessKeySecret: string
    readonly securityToken: string
  }
  readonly accountId: string
  readonly region: string
  readonly functionName: string
  /** Address of the client, HTTP requests only. */
  readonly sourceIp?: string
}

export type MakeDeps<Deps> = (context: FcContext) => Deps
export type Route<Deps> = (request: Request, deps: Deps) => Promise<Response>
export type OnEvent<Deps> = (event: unknown, deps: Deps) => Promise<unknown>
/** The exported `handler` of a built-in runtime. */
export type Handler = (event: Uint8Array, context: RuntimeContext) => Promise<unknown>

/** The context of the built-in Node.js runtimes, https://help.aliyun.com/zh/functioncompute/fc/user-guide/context-1 */
export interface RuntimeContext {
  readonly requestId: string
  readonly credentials?: { accessKeyId?: string; accessKeySecret?: string; securityToken?: string }
  readonly accountId?: string
  readonly region?: string
  readonly function?: { readonly name?: string }
}

/** The event of an HTTP trigger, https://help.aliyun.com/zh/functioncompute/fc/user-guide/http-trigger-invoking-function */
interface HttpEvent {
  readonly rawPath?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly queryParameters?: Readonly<Record<string, string>>
  readonly body?: string
  readonly isBase64Encoded?: boolean
  readonly requestContext: {
    readonly domainName?: string
    readonly http: { readonly method: string; readonly path: string; readonly sourceIp?: string }
  }
}

export interface HttpResult {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly isBase64Encoded: boolean
  readonly body: string
}

/** A route behind an HTTP trigger of a built-in runtime. */
export function httpHandler<Deps>(makeDeps: MakeDeps<Deps>, route: Route<Deps>) {
  return async (event: Uint8Array, context: RuntimeContext): Promise<HttpResult> => {
    const parsed = parse(event)
    if (!isHttpEvent(parsed)) throw new Error('expected the event of an HTTP trigger')
    const sourceIp = parsed.requestContext.http.sourceIp ?? ''
    const fc: FcContext = { ...contextOf(context), sourceIp }
    const line = { requestId: fc.requestId, sourceIp, ...lineOf(parsed) }
    const run = async () => withinHeaderLimit(await route(requestOf(parsed), makeDeps(fc)))
    return resultOf(await respond(line, run), line)
  }
}

/** A function that is invoked with events; to throw marks the invocation as failed. */
export function eventHandler<Deps>(makeDeps: MakeDeps<Deps>, onEvent: OnEvent<Deps>): Handler {
  return async (event, context) => runEvent(event, contextOf(context), makeDeps, onEvent)
}

/** One function with an HTTP trigger and other events: the shape of the event decides. */
export function combined(http: Handler, event: Handler): Handler {
  return (payload, context) => (isHttpEvent(tryParse(payload)) ? http(payload, context) : event(payload, context))
}

/** Runs one event and leaves a line in the log. */
export async function runEvent<Deps>(
  payload: Uint8Array,
  context: FcContext,
  makeDeps: MakeDeps<Deps>,
  onEvent: OnEvent<Deps>,
): Promise<unknown> {
  const { requestId, functionName } = context
  const startedAt = performance.now()
  try {
    const result = await onEvent(parse(payload), makeDeps(context))
    log('info', 'event', { requestId, functionName, durationMs: since(startedAt) })
    return result
  } catch (error) {
    log('error', 'event failed', { requestId, functionName, durationMs: since(startedAt), ...errorFields(error) })
    throw error
  }
}

/** Text stays text; anything else travels as base64. */
async function resultOf(response: Response, { method, requestId }: RequestLine): Promise<HttpResult> {
  // The gateway adds cross-origin headers and appends ours, and two values make browsers refuse.
  const kept = [...response.headers].filter(([name]) => !name.startsWith('access-control-'))
  const headers = { ...Object.fromEntries(kept), 'x-request-id': requestId }
  const bytes = Buffer.from(method === 'HEAD' ? new ArrayBuffer(0) : await response.arrayBuffer())
  const text = isUtf8(bytes)
  return {
    statusCode: response.status,
    headers,
    isBase64Encoded: !text,
    body: bytes.toString(text ? 'utf8' : 'base64'),
  }
}

function requestOf(event: HttpEvent): Request {
  const headers = headersOf(event.headers ?? {})
  if (!headers.has('host') && event.requestContext.domainName) headers.set('host', event.requestContext.domainName)
  const { method } = event.requestContext.http
  // A parameter given twice arrives joined by a comma and cannot be told from one that holds a comma.
  const query = new URLSearchParams(event.queryParameters ?? {}).toString()
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  return buildRequest(method, `${lineOf(event).path}${query && `?${query}`}`, headers, body)
}

function buildRequest(method: string, target: string, headers: Headers, body: Buffer): Request {
  const scheme = headers.get('x-forwarded-proto')?.split(',', 1)[0]?.trim() || 'http'
  const url = `${scheme}://${headers.get('host') ?? 'localhost'}${target}`
  if (!URL.canParse(url)) throw new AppError('invalid_request', 'The host or the path is not valid')
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(url, { method, headers, ...(hasBody ? { body: new Uint8Array(body) } : {}) })
}

/** Credentials come as `x-fc-*` headers; routes have no use for any of those. */
function headersOf(raw: Readonly<Record<string, string | readonly string[] | undefined>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || name.toLowerCase().startsWith('x-fc-')) continue
    for (const one of [value].flat()) headers.append(name, one)
  }
  return headers
}

/** `rawPath` is as it was requested; `path` has been decoded. */
function lineOf(event: HttpEvent): { method: string; path: string } {
  const { method, path } = event.requestContext.http
  return { method, path: event.rawPath ?? encodeURI(path) }
}

function contextOf(context: RuntimeContext): FcContext {
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = context.credentials ?? {}
  return {
    requestId: context.requestId,
    credentials: { accessKeyId, accessKeySecret, securityToken },
    accountId: context.accountId ?? '',
    region: context.region ?? '',
    functionName: context.function?.name ?? '',
  }
}

function isHttpEvent(event: unknown): event is HttpEvent {
  if (typeof event !== 'object' || event === null || !('requestContext' in event)) return false
  const { requestContext } = event
  return typeof requestContext === 'object' && requestContext !== null && 'http' in requestContext
}

function parse(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString())
}

function tryParse(payload: Uint8Array): unknown {
  try {
    return parse(payload)
  } catch {
    return undefined
  }
}

function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt)
}
