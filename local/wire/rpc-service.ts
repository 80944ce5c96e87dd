import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { OpenApiError, type SignedRequest } from './acs3.ts'
import { readBodyWithin } from './body.ts'
import type { Credentials, Identity } from './credentials.ts'
import type { RawAnswer, RequestFault } from './http.ts'
import { type Call, ConnectionCut, type Intercept, ServiceBusy } from './intercept.ts'
import { mandatory, type RpcCall, readRpcCall, rpcVerifier } from './rpc.ts'
import { writeXml, type XmlFields } from './xml.ts'

/** An RPC-style API behind the OpenAPI gateway: what it is called and what it can do. */
export interface RpcService {
  readonly service: Call['service']
  /** As troubleshooting links name it. */
  readonly product: string
  readonly version: string
  readonly actions: Readonly<Record<string, RpcAction>>
  readonly credentials: Credentials
  readonly intercept?: Intercept
  /** What requests are dated by. */
  now(sentAt: number): number
}

/** One action of the API. */
export interface RpcAction {
  /** What faults are aimed at; nothing when missing. */
  target?(parameters: URLSearchParams): string
  /** The fields of the answer beside `RequestId`; throws `OpenApiError`. */
  run(parameters: URLSearchParams, identity: Identity): object | Promise<object>
}

const BODY_LIMIT_BYTES = 2 * 1024 * 1024
const SLOW_MS = 60_000

/** The gateway's answer to what is no request. */
export function refuseRpcFault(fault: RequestFault): RawAnswer {
  const [status, Code, Message] = FAULTS[fault]
  const body = JSON.stringify({ RequestId: randomUUID().toUpperCase(), Code, Message })
  return { status, contentType: 'application/json;charset=utf-8', body }
}

const FAULTS = {
  malformed: [400, 'InvalidRequest', 'The request is not HTTP.'],
  'headers-too-large': [431, 'RequestHeaderTooLarge', 'The headers of the request are too large.'],
  'too-slow': [408, 'RequestTimeout', 'The request did not come in time.'],
} as const

/**
 * Serves the API: both signatures, JSON and XML, errors in the gateway's words. The gateway looks the action up before it
 * asks who calls.
 */
export function rpcListener(service: RpcService): RequestListener {
  const verify = rpcVerifier(service.credentials, service.now)
  return (request, response) => void answer(request, response, service, verify).catch(() => response.destroy())
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  service: RpcService,
  verify: (request: SignedRequest) => Identity,
): Promise<void> {
  const requestId = randomUUID().toUpperCase()
  let call: RpcCall | undefined
  try {
    const body = await readBodyWithin(request, BODY_LIMIT_BYTES, SLOW_MS)
    if (body === 'too-large') throw new OpenApiError(413, 'RequestEntityTooLarge', 'The request body is too large.')
    if (body === 'too-slow') throw new OpenApiError(408, 'RequestTimeout', 'The request did not come in time.')
    const signed = { method: request.method ?? 'GET', url: request.url ?? '/', headers: request.headers, body }
    call = readRpcCall(signed)
    const action = findAction(signed, call, service)
    const fields = await run(action, call, verify(signed), service)
    send(response, 200, `${call.action}Response`, call.format, { RequestId: requestId, ...fields })
  } catch (error) {
    if (error instanceof ConnectionCut) return void response.destroy()
    const { status, code, message } = refusalOf(error)
    const Recommend = `https://api.aliyun.com/troubleshoot?q=${code}&product=${service.product}&requestId=${requestId}`
    const fields = { RequestId: requestId, HostId: request.headers.host ?? '', Code: code, Message: message, Recommend }
    send(response, status, 'Error', call?.format ?? 'XML', fields)
  }
}

function findAction({ method, url }: SignedRequest, call: RpcCall, { version, actions }: RpcService): RpcAction {
  if (method !== 'GET' && method !== 'POST') {
    throw new OpenApiError(405, 'UnsupportedHTTPMethod', 'This http method is not supported.')
  }
  const named = new URLSearchParams({ Version: call.version, Action: call.action })
  if (mandatory(named, 'Version') !== version) {
    throw new OpenApiError(400, 'InvalidVersion', 'Specified parameter Version is not valid.')
  }
  const action = Object.hasOwn(actions, mandatory(named, 'Action')) ? actions[call.action] : undefined
  if (action && /^\/(?:\?|$)/.test(url)) return action
  throw new OpenApiError(404, 'InvalidAction.NotFound', 'Specified api is not found, please check your url and method.')
}

async function run(action: RpcAction, call: RpcCall, identity: Identity, service: RpcService): Promise<object> {
  const { parameters } = call
  const work = async () => action.run(parameters, identity)
  if (!service.intercept) return work()
  const { accessKeyId } = identity
  const target = action.target?.(parameters) ?? ''
  return service.intercept({ service: service.service, operation: call.action, target, accessKeyId }, work)
}

function refusalOf(error: unknown): OpenApiError {
  if (error instanceof OpenApiError) return error
  if (error instanceof ServiceBusy) return BUSY
  return new OpenApiError(500, 'InternalError', 'The request processing has failed due to some unknown error.')
}

const BUSY = new OpenApiError(
  503,
  'ServiceUnavailable',
  'The request has failed due to a temporary failure of the server.',
)

function send(response: ServerResponse, status: number, root: string, format: RpcCall['format'], body: object): void {
  if (response.destroyed) return
  const text = format === 'JSON' ? JSON.stringify(body) : writeXml(root, body as XmlFields)
  const type = format === 'JSON' ? 'application/json;charset=utf-8' : 'text/xml;charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'x-acs-request-id': requestIdOf(body) }).end(text)
}

function requestIdOf(body: { RequestId?: string }): string {
  return body.RequestId ?? ''
}
