import type { IncomingMessage, ServerResponse } from 'node:http'
import { OpenApiError, type SignedRequest, sessionAllows } from '../../wire/acs3.ts'
import { readBodyWithin } from '../../wire/body.ts'
import type { Identity } from '../../wire/credentials.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../../wire/intercept.ts'
import { HEADER_LIMIT_BYTES, SLOW_MS } from '../http-trigger.ts'
import { ManifestError, record } from '../manifest-error.ts'
import { ZipError } from '../zip.ts'
import { type ApiCall, type ApiContext, arnOf } from './call.ts'
import { invoke, isInvocation } from './invoke.ts'
import { type Entry, findEntry } from './table.ts'

/** What the API needs beside what its operations work on. */
export interface ApiOptions extends ApiContext {
  readonly intercept?: Intercept
  /** How long nothing may come of a body; a minute when missing. */
  readonly slowMs?: number
  verify(request: SignedRequest): Identity
  newRequestId(): string
}

const INVOCATION_LIMIT_BYTES = 32 * 1024 * 1024
/** A package of 100 MB, in Base64. */
const REQUEST_LIMIT_BYTES = 140 * 1024 * 1024

const BUSY = new OpenApiError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.')

/** Serves the 3.0 API and what is left of the 2.0 API. */
export async function serveApi(request: IncomingMessage, response: ServerResponse, options: ApiOptions): Promise<void> {
  const requestId = options.newRequestId()
  response.setHeader('X-Fc-Request-Id', requestId)
  try {
    await dispatch(request, response, { ...options, requestId })
  } catch (error) {
    if (error instanceof ConnectionCut) return void response.destroy()
    const { status, code, message } = refusalOf(error)
    // What is left of a request that was too large is not waited for.
    if (!request.complete) response.setHeader('Connection', 'close')
    sendJson(response, status, { RequestId: requestId, Code: code, Message: message })
  }
}

async function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  options: ApiOptions & { readonly requestId: string },
): Promise<void> {
  const { method = 'GET', url = '/', headers } = request
  const headerBytes = request.rawHeaders.reduce((sum, text) => sum + text.length, 0)
  if (headerBytes > HEADER_LIMIT_BYTES) throw new ManifestError('headers', 'expected 8 KB at most')
  const path = url.split('?')[0] ?? '/'
  const invocation = method === 'POST' ? isInvocation(path) : undefined
  const limit = invocation ? INVOCATION_LIMIT_BYTES : REQUEST_LIMIT_BYTES
  const body = await readWithin(request, limit, options.slowMs ?? SLOW_MS)
  const signed = { method, url, headers, body }
  const identity = options.verify(signed)
  if (invocation) return invoke(response, { ...invocation, signed, identity, requestId: options.requestId }, options)
  const answer = await operate(signed, identity, options)
  if (answer === undefined) response.writeHead(204).end()
  else sendJson(response, 200, answer)
}

async function operate(signed: SignedRequest, identity: Identity, options: ApiOptions): Promise<object | undefined> {
  const { method, url, body } = signed
  const [path = '/', query = ''] = url.split('?')
  const found = findEntry(method, path)
  if (!found) throw notSupported(method, path)
  const { entry, values } = found
  const call: ApiCall = {
    path: Object.fromEntries(entry.names.map((name, index) => [name, decode(values[index] ?? '')])),
    query: new URLSearchParams(query),
    body: readJson(body),
  }
  authorize(identity, entry, call, options)
  const work = async () => entry.operation(call, options)
  if (!options.intercept) return work()
  const target = call.path.functionName ?? String(call.body.functionName ?? '')
  const described = { service: 'fc', operation: entry.action, target, accessKeyId: identity.accessKeyId } as const
  return options.intercept(described, work)
}

async function readWithin(request: IncomingMessage, limit: number, slowMs: number): Promise<Buffer> {
  const tooLarge = new OpenApiError(
    413,
    'RequestEntityTooLarge',
    `payload size exceeds maximum allowed size (${limit} bytes)`,
  )
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge
  const body = await readBodyWithin(request, limit, slowMs)
  if (body === 'too-large') throw tooLarge
  if (body === 'too-slow') throw new OpenApiError(408, 'RequestTimeout', 'the body did not come in time')
  return body
}

function readJson(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {}
  try {
    return record(JSON.parse(body.toString()), 'body')
  } catch (error) {
    if (error instanceof ManifestError) throw error
    throw new ManifestError('body', 'expected JSON')
  }
}

/** Operations that are documented but not here say so; anything else never was one. */
function notSupported(method: string, path: string): OpenApiError {
  if (MISSING.test(path)) {
    return new OpenApiError(501, 'NotImplemented', `${method} ${path} is not part of the local Function Compute.`)
  }
  return new OpenApiError(404, 'PathNotSupported', `'${path}' against '${method}' is not supported`)
}

const MISSING =
  /^\/(2023-03-30\/(functions\/[^/]+\/(sessions|instances|invoke)(\/|$)|resource-groups$|regions$)|2021-04-06\/)/

function authorize(identity: Identity, { action }: Entry, { path, body }: ApiCall, context: ApiContext): void {
  const { functionName = body.functionName, layerName, version = '*', domainName = body.domainName } = path
  const resource = layerName
    ? `layers/${layerName}/versions/${version}`
    : /Domain/.test(action)
      ? `custom-domains/${domainName ?? '*'}`
      : `functions/${functionName ?? '*'}`
  const arn = arnOf(context, resource)
  if (sessionAllows(identity, `fc:${action}`, arn)) return
  throw new OpenApiError(403, 'AccessDenied', `the caller is not authorized to perform fc:${action} on ${arn}`)
}

function refusalOf(error: unknown): OpenApiError {
  if (error instanceof OpenApiError) return error
  if (error instanceof ServiceBusy) return BUSY
  if (error instanceof ManifestError) return new OpenApiError(400, 'InvalidArgument', error.detail)
  if (error instanceof ZipError) return new OpenApiError(400, 'InvalidArgument', error.message)
  return new OpenApiError(500, 'InternalServerError', 'an internal error has occurred')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ManifestError('path', 'expected percent encoding')
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
