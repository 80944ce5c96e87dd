import type { ServerResponse } from 'node:http'
import { header, OpenApiError, type SignedRequest, sessionAllows } from '../../wire/acs3.ts'
import type { Identity } from '../../wire/credentials.ts'
import type { Intercept } from '../../wire/intercept.ts'
import type { Called } from '../deployed.ts'
import type { Target } from '../fleet.ts'
import { ASYNC_LIMIT_BYTES } from '../http-trigger.ts'
import { type ApiContext, arnOf } from './call.ts'

/** How one of the two APIs spells an asynchronous task. */
interface Api {
  readonly path: RegExp
  readonly taskHeader: string
  readonly taskExists: string
}

const APIS: readonly Api[] = [
  {
    path: /^\/2023-03-30\/functions\/([^/]+)\/invocations$/,
    taskHeader: 'x-fc-async-task-id',
    taskExists: 'AsyncTaskAlreadyExists',
  },
  {
    path: /^\/2021-04-06\/services\/[^/]+\/functions\/([^/]+)\/invocations$/,
    taskHeader: 'x-fc-stateful-async-invocation-id',
    taskExists: 'StatefulAsyncInvocationAlreadyExists',
  },
]

/** A request to invoke a function. */
export interface InvokeCall {
  readonly api: Api
  readonly name: string
  readonly signed: SignedRequest
  readonly identity: Identity
  readonly requestId: string
}

/** What is invoked by a POST to this path, if it is an invocation. */
export function isInvocation(path: string): Pick<InvokeCall, 'api' | 'name'> | undefined {
  for (const api of APIS) {
    const name = api.path.exec(path)?.[1]
    if (name !== undefined) return { api, name: decodeURI(name) }
  }
  return undefined
}

/** InvokeFunction of the 3.0 and of the 2.0 API. */
export async function invoke(
  response: ServerResponse,
  call: InvokeCall,
  context: ApiContext & { readonly intercept?: Intercept },
): Promise<void> {
  const { name, signed, identity, requestId } = call
  const qualifier = new URLSearchParams(signed.url.split('?')[1] ?? '').get('qualifier') || 'LATEST'
  const target = context.fleet.find(name, qualifier)
  const arn = arnOf(context, `functions/${name}`)
  if (!sessionAllows(identity, 'fc:InvokeFunction', arn)) {
    throw new OpenApiError(403, 'AccessDenied', `the caller is not authorized to perform fc:InvokeFunction on ${arn}`)
  }
  const kind = oneOfHeader(signed, 'x-fc-invocation-type', ['sync', 'async'])
  const log = oneOfHeader(signed, 'x-fc-log-type', ['none', 'tail'])
  const operate = async () =>
    kind === 'async'
      ? enqueue(response, { ...call, qualifier, target }, context)
      : target.deployed.call(requestId, signed.body)
  const { accessKeyId } = identity
  const described = { service: 'fc', operation: 'InvokeFunction', target: name, accessKeyId } as const
  const called = await (context.intercept ? context.intercept(described, operate) : operate())
  if (called === undefined) response.writeHead(202).end()
  else sendOutcome(response, called, target, log === 'tail')
}

function oneOfHeader(signed: SignedRequest, name: string, [fallback, other]: readonly [string, string]): string {
  const value = header(signed, name)?.toLowerCase() ?? fallback
  if (value === fallback || value === other) return value
  throw new OpenApiError(400, 'InvalidArgument', `${name} must be ${fallback} or ${other}`)
}

async function enqueue(
  response: ServerResponse,
  call: InvokeCall & { readonly qualifier: string; readonly target: Target },
  { queue }: ApiContext,
): Promise<undefined> {
  const { api, name: functionName, signed, requestId, qualifier, target } = call
  if (signed.body.length > ASYNC_LIMIT_BYTES) {
    throw new OpenApiError(413, 'RequestEntityTooLarge', 'The payload of an asynchronous invocation is over 128 KB.')
  }
  const given = header(signed, api.taskHeader)
  if (given !== undefined && !/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(given)) {
    throw new OpenApiError(400, 'InvalidArgument', `${api.taskHeader} must match [A-Za-z_][A-Za-z0-9_-]{0,127}`)
  }
  // In task mode every invocation is a task, by the id of its request unless it has one of its own.
  const taskId = given ?? (target.async.isTask ? requestId : undefined)
  const task = taskId === undefined ? {} : { taskId }
  if (!queue.add({ functionName, qualifier, requestId, payload: signed.body, ...task })) {
    throw new OpenApiError(409, api.taskExists, `the task ${taskId} of ${functionName} already exists`)
  }
  if (taskId !== undefined) response.setHeader('X-Fc-Async-Task-Id', taskId)
  return undefined
}

/** Of the log, what fits into the header. */
const TAIL_BYTES = 4096

function sendOutcome(response: ServerResponse, called: Called, { record, versionId }: Target, withLog: boolean): void {
  if (response.destroyed) return
  const { outcome, instanceId, durationMs, log } = called
  if (record.code.kind === 'package') response.setHeader('X-Fc-Code-Checksum', record.code.checksum)
  if (instanceId !== undefined) response.setHeader('X-Fc-Instance-Id', instanceId)
  response.setHeader('X-Fc-Invocation-Duration', durationMs.toFixed(2))
  response.setHeader('X-Fc-Invocation-Function-Version', versionId)
  if (withLog) response.setHeader('X-Fc-Log-Result', Buffer.from(log).subarray(-TAIL_BYTES).toString('base64'))
  if (outcome.ok) {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(outcome.payload)
    return
  }
  response.setHeader('X-Fc-Error-Type', outcome.kind)
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(outcome.error))
}
