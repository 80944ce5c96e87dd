import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { acs3Verifier, header, OpenApiError, type SignedRequest } from '../wire/acs3.ts'
import { readBody } from '../wire/body.ts'
import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import { assumeRole, callerIdentity } from './operations.ts'

/*
 * Security Token Service, API 2015-04-01. Gaps, as of 2026-11 (nothing here has been compared with the real service;
 * limits are those stated in the SDK's and the product's documentation):
 * - The account's key stands for a RAM user that may assume every role; the service refuses the root account's own key.
 * - Every role of the account exists, trusts everybody in the account and may do everything.
 * - A session that assumes another role keeps nothing of its own policy: only the new one counts.
 * - Signatures: ACS3-HMAC-SHA256 only. The older RPC signature (Signature=, SignatureMethod=) is IncompleteSignature.
 * - Answers are JSON only; Format=XML is ignored. ExternalId is checked for length and otherwise ignored.
 * - AssumeRoleWithOIDC and AssumeRoleWithSAML are InvalidAction.NotFound. There is no flow control.
 */

/** What STS needs to run. */
export interface StsOptions extends ListenOptions {
  readonly credentials: Credentials
  /** What requests are dated by: the time that is given when missing, else one that may depend on the request's own. */
  nearest?(at: number): number
  readonly intercept?: Intercept
  now(): number
}

const VERSION = '2015-04-01'
const BODY_LIMIT_BYTES = 64 * 1024

/** Starts the token service. */
export function startSts(options: StsOptions): Promise<LocalServer> {
  const verify = acs3Verifier(options.credentials, options.nearest ?? options.now)
  return listen((request, response) => {
    void answer(request, response, (signed) => run(signed, verify, options))
  }, options)
}

async function run(
  signed: SignedRequest,
  verify: ReturnType<typeof acs3Verifier>,
  options: StsOptions,
): Promise<object> {
  const parameters = readParameters(signed)
  const action = header(signed, 'x-acs-action') ?? parameters.get('Action') ?? ''
  const version = header(signed, 'x-acs-version') ?? parameters.get('Version')
  const identity = verify(signed)
  if (version !== VERSION) throw new OpenApiError(400, 'InvalidVersion', 'Specified parameter Version is not valid.')
  const { accessKeyId } = identity
  const operate = (work: () => object) => {
    const call = { service: 'sts', operation: action, target: parameters.get('RoleArn') ?? '', accessKeyId } as const
    return options.intercept ? options.intercept(call, async () => work()) : work()
  }
  if (action === 'AssumeRole') return operate(() => assumeRole(parameters, identity, options.credentials))
  if (action === 'GetCallerIdentity') return operate(() => callerIdentity(identity))
  throw new OpenApiError(404, 'InvalidAction.NotFound', 'Specified api is not found, please check your url and method.')
}

function readParameters(signed: SignedRequest): URLSearchParams {
  const parameters = new URLSearchParams(signed.url.split('?')[1] ?? '')
  if (header(signed, 'content-type')?.startsWith('application/x-www-form-urlencoded')) {
    for (const [key, value] of new URLSearchParams(signed.body.toString())) parameters.append(key, value)
  }
  return parameters
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  work: (signed: SignedRequest) => Promise<object>,
): Promise<void> {
  const requestId = randomUUID().toUpperCase()
  try {
    const body = await readBody(request, BODY_LIMIT_BYTES)
    if (!body) throw new OpenApiError(413, 'RequestEntityTooLarge', 'The request body is too large.')
    const signed = { method: request.method ?? 'GET', url: request.url ?? '/', headers: request.headers, body }
    send(response, 200, { RequestId: requestId, ...(await work(signed)) })
  } catch (error) {
    if (error instanceof ConnectionCut) return void response.destroy()
    const { status, code, message } = refusalOf(error)
    send(response, status, { RequestId: requestId, Code: code, Message: message, HostId: 'sts.local' })
    if (code === 'InternalError' && !request.destroyed) throw error
  }
}

function refusalOf(error: unknown): OpenApiError {
  if (error instanceof OpenApiError) return error
  if (error instanceof ServiceBusy) return BUSY
  return new OpenApiError(500, 'InternalError', 'The request processing has failed.')
}

const BUSY = new OpenApiError(
  503,
  'ServiceUnavailable',
  'The request has failed due to a temporary failure of the server.',
)

function send(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json;charset=utf-8' }).end(JSON.stringify(body))
}
