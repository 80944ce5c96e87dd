import type { IncomingMessage, ServerResponse } from 'node:http'
import { header, OpenApiError, type SignedRequest, sessionAllows } from '../wire/acs3.ts'
import { readBody } from '../wire/body.ts'
import type { Identity } from '../wire/credentials.ts'
import { ConnectionCut, type Intercept, ServiceBusy } from '../wire/intercept.ts'
import type { AsyncQueue, Task } from './async-queue.ts'
import type { Deployed } from './deployed.ts'
import { ASYNC_LIMIT_BYTES } from './http-trigger.ts'
import type { Outcome } from './instance.ts'

/** What the two APIs work on. */
export interface InvokeApiOptions {
  readonly functions: ReadonlyMap<string, Deployed>
  readonly queue: AsyncQueue
  readonly region: string
  readonly accountId: string
  readonly intercept?: Intercept
  verify(request: SignedRequest): Identity
  newRequestId(): string
}

const BUSY = new OpenApiError(503, 'ServiceUnavailable', 'The service is temporarily unavailable.')

const SYNC_LIMIT_BYTES = 32 * 1024 * 1024

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
const TASK_PATH = /^\/2023-03-30\/functions\/([^/]+)\/async-tasks\/([^/]+)$/

/** Serves InvokeFunction of the 3.0 and the 2.0 API, and GetAsyncTask. */
export async function serveInvokeApi(
  request: IncomingMessage,
  response: ServerResponse,
  options: InvokeApiOptions,
): Promise<void> {
  const requestId = options.newRequestId()
  response.setHeader('X-Fc-Request-Id', requestId)
  try {
    const body = await readBody(request, SYNC_LIMIT_BYTES)
    if (!body) throw new OpenApiError(413, 'RequestEntityTooLarge', 'The payload is larger than 32 MB.')
    await dispatch({ method: request.method ?? 'GET', url: request.url ?? '/', headers: request.headers, body })
  } catch (error) {
    if (error instanceof ConnectionCut) return void response.destroy()
    const refusal = error instanceof ServiceBusy ? BUSY : error
    if (!(refusal instanceof OpenApiError)) throw refusal
    sendJson(response, refusal.status, { RequestId: requestId, Code: refusal.code, Message: refusal.message })
  }

  async function dispatch(signed: SignedRequest): Promise<void> {
    const identity = options.verify(signed)
    const path = decodeURI(signed.url.split('?')[0] ?? '/')
    const [, taskFunction, taskId] = TASK_PATH.exec(path) ?? []
    if (signed.method === 'GET' && taskFunction && taskId) return sendTask(response, taskFunction, taskId, options)
    for (const api of APIS) {
      const name = api.path.exec(path)?.[1]
      if (name && signed.method === 'POST') return invoke(response, { api, name, signed, identity, requestId }, options)
    }
    throw new OpenApiError(501, 'NotImplemented', `${signed.method} ${path} is not part of the local Function Compute.`)
  }
}

interface InvokeCall {
  readonly api: Api
  readonly name: string
  readonly signed: SignedRequest
  readonly identity: Identity
  readonly requestId: string
}

async function invoke(response: ServerResponse, call: InvokeCall, options: InvokeApiOptions): Promise<void> {
  const { name, signed, identity, requestId } = call
  const deployed = findFunction(name, options)
  const arn = `acs:fc:${options.region}:${options.accountId}:functions/${name}`
  if (!sessionAllows(identity, 'fc:InvokeFunction', arn)) {
    throw new OpenApiError(403, 'AccessDenied', `the caller is not authorized to perform fc:InvokeFunction on ${arn}`)
  }
  const qualifier = new URLSearchParams(signed.url.split('?')[1] ?? '').get('qualifier') ?? 'LATEST'
  if (qualifier !== 'LATEST') throw new OpenApiError(404, 'VersionNotFound', `there is no version ${qualifier}`)
  const kind = header(signed, 'x-fc-invocation-type')?.toLowerCase() ?? 'sync'
  if (kind !== 'async' && kind !== 'sync') {
    throw new OpenApiError(400, 'InvalidArgument', 'X-Fc-Invocation-Type must be Sync or Async')
  }
  const operate = async () =>
    kind === 'async' ? enqueue(response, call, options) : deployed.invoke(requestId, signed.body)
  const { accessKeyId } = identity
  const described = { service: 'fc', operation: 'InvokeFunction', target: name, accessKeyId } as const
  const outcome = await (options.intercept ? options.intercept(described, operate) : operate())
  if (outcome === undefined) response.writeHead(202).end()
  else sendOutcome(response, outcome)
}

function enqueue(response: ServerResponse, call: InvokeCall, { queue }: InvokeApiOptions): undefined {
  const { api, name: functionName, signed, requestId } = call
  if (signed.body.length > ASYNC_LIMIT_BYTES) {
    throw new OpenApiError(413, 'RequestEntityTooLarge', 'The payload of an asynchronous invocation is over 128 KB.')
  }
  const taskId = header(signed, api.taskHeader)
  if (taskId !== undefined && !/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(taskId)) {
    throw new OpenApiError(400, 'InvalidArgument', `${api.taskHeader} must match [A-Za-z_][A-Za-z0-9_-]{0,127}`)
  }
  const task = taskId === undefined ? {} : { taskId }
  if (!queue.add({ functionName, requestId, payload: signed.body, ...task })) {
    throw new OpenApiError(409, api.taskExists, `the task ${taskId} of ${functionName} already exists`)
  }
  if (taskId !== undefined) response.setHeader('X-Fc-Async-Task-Id', taskId)
  return undefined
}

function sendOutcome(response: ServerResponse, outcome: Outcome): void {
  if (response.destroyed) return
  if (outcome.ok) {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(outcome.payload)
    return
  }
  response.setHeader('X-Fc-Error-Type', outcome.kind)
  sendJson(response, 200, outcome.error)
}

function sendTask(response: ServerResponse, name: string, taskId: string, options: InvokeApiOptions): void {
  findFunction(name, options)
  const task = options.queue.task(name, taskId)
  if (!task) throw new OpenApiError(404, 'AsyncTaskNotFound', `there is no task ${taskId} of ${name}`)
  sendJson(response, 200, describeTask(task, options))
}

function describeTask(task: Task, { region, accountId }: InvokeApiOptions): object {
  return {
    taskId: task.taskId,
    requestId: task.requestId,
    functionArn: `acs:fc:${region}:${accountId}:functions/${task.functionName}`,
    qualifier: 'LATEST',
    status: task.status,
    startedTime: task.startedAt,
    ...(task.endedAt === undefined ? {} : { endTime: task.endedAt, durationMs: task.endedAt - task.startedAt }),
    alreadyRetriedTimes: task.retries,
    ...(task.error === undefined ? {} : { taskErrorMessage: task.error }),
  }
}

function findFunction(name: string, { functions }: InvokeApiOptions): Deployed {
  const deployed = functions.get(name)
  if (!deployed) throw new OpenApiError(404, 'FunctionNotFound', `function '${name}' does not exist`)
  return deployed
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
