import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  account,
  credentials,
  functionResource,
  makeProject,
  manifestText,
  type Project,
  type Running,
} from './project.ts'
import { fc2Sdk, fc3Sdk, type Keys, localConfig } from './sdk.ts'

const WORKER = `
import { appendFileSync } from 'node:fs'
export const handler = async (event) => {
  const { write, fail, exit, sleep } = event.length && event[0] === 123 ? JSON.parse(event) : {}
  if (write) appendFileSync(process.env.OUT, write + '\\n')
  if (fail) throw new RangeError(fail)
  if (exit) process.exit(7)
  if (sleep) await new Promise(() => setInterval(() => {}, 1000))
  return event
}`
/** Keeps what it is told about the end of others. */
const SINK = `
import { appendFileSync } from 'node:fs'
export const handler = (event, context, callback) => { appendFileSync(process.env.OUT, event + '\\n'); callback(null) }`

const arn = (name: string) => `acs:fc:cn-hangzhou:${account.accountId}:functions/${name}`
let project: Project
let running: Running

beforeAll(async () => {
  project = await makeProject({})
  await project.write({
    's.yaml': manifestText({
      worker: functionResource('worker', {
        environmentVariables: { OUT: `${project.dir}/worker.out` },
        timeout: 1,
        asyncInvokeConfig: {
          maxAsyncRetryAttempts: 0,
          destinationConfig: { onFailure: { destination: arn('sink') }, onSuccess: { destination: arn('sink') } },
        },
      }),
      other: functionResource('other', { code: './code/worker' }),
      sink: functionResource('sink', { environmentVariables: { OUT: `${project.dir}/sink.out` } }),
      broken: functionResource('broken'),
    }),
    'code/worker/index.mjs': WORKER,
    'code/sink/index.mjs': SINK,
    'code/broken/index.mjs': 'import "./missing.mjs"',
  })
  running = await project.start()
})
afterAll(() => project.dispose())

function client3(keys: Keys = account) {
  return new fc3Sdk.default(localConfig(running.fc.port, keys) as ConstructorParameters<typeof fc3Sdk.default>[0])
}

function client2() {
  return new fc2Sdk.default(localConfig(running.fc.port, account) as ConstructorParameters<typeof fc2Sdk.default>[0])
}

interface Invocation {
  payload?: Buffer | string
  async?: boolean
  taskId?: string
  keys?: Keys
}

async function invoke(name: string, { payload = '', async: later = false, taskId, keys }: Invocation = {}) {
  const headers = new fc3Sdk.InvokeFunctionHeaders({
    ...(later ? { xFcInvocationType: 'Async' } : {}),
    ...(taskId === undefined ? {} : { xFcAsyncTaskId: taskId }),
  })
  const request = new fc3Sdk.InvokeFunctionRequest({ body: Readable.from([Buffer.from(payload)]), qualifier: 'LATEST' })
  const runtime = {} as Parameters<ReturnType<typeof client3>['invokeFunctionWithOptions']>[3]
  const answer = await client3(keys).invokeFunctionWithOptions(name, request, headers, runtime)
  const chunks: Buffer[] = []
  for await (const chunk of answer.body ?? []) chunks.push(Buffer.from(chunk))
  return { status: answer.statusCode, headers: answer.headers ?? {}, body: Buffer.concat(chunks) }
}

const later = (name: string, body: object, taskId?: string) =>
  invoke(name, { payload: JSON.stringify(body), async: true, ...(taskId === undefined ? {} : { taskId }) })

describe('a synchronous invocation', () => {
  test('of the 3.0 API gives bytes and takes bytes back', async () => {
    const payload = Buffer.from([0, 1, 2, 253, 254, 255])
    const answer = await invoke('worker', { payload })
    expect(answer.body).toEqual(payload)
    expect(answer.headers['x-fc-request-id']).toMatch(/^1-/)
  })

  test('of the 2.0 API reaches the same function under any service name', async () => {
    const request = new fc2Sdk.InvokeFunctionRequest({ body: Buffer.from('{"plain":1}') })
    const answer = await client2().invokeFunction('whatever', 'worker', request)
    expect(Buffer.from(answer.body as unknown as Uint8Array).toString()).toBe('{"plain":1}')
  })

  test.each([
    ['an error thrown', { fail: 'nope' }, { errorMessage: 'nope', errorType: 'RangeError' }],
    ['a process that exits', { exit: true }, { errorType: 'FunctionProcessExited' }],
    ['no answer in time', { sleep: true }, { errorMessage: 'Function timed out after 1 seconds' }],
  ])('that ends with %s is 200 with an error type', async (_what, event, error) => {
    const answer = await invoke('worker', { payload: JSON.stringify(event) })
    expect([answer.status, answer.headers['x-fc-error-type']]).toEqual([200, 'UnhandledInvocationError'])
    expect(JSON.parse(answer.body.toString())).toMatchObject(error)
  })

  test('of code that does not load says why', async () => {
    const answer = await invoke('broken')
    expect(answer.headers['x-fc-error-type']).toBe('UnhandledInvocationError')
    expect(answer.body.toString()).toContain('missing.mjs')
  })
})

describe('what is refused', () => {
  const otherPolicy = JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action: 'oss:*', Resource: '*' }] })
  const fcPolicy = JSON.stringify({
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'fc:InvokeFunction', Resource: arn('worker') }],
  })
  const session = (policy: string) => credentials.issue({ role: 'r', sessionName: 's', durationSeconds: 900, policy })

  test.each<[string, string, Invocation, string, number]>([
    ['a function that does not exist', 'nobody', {}, 'FunctionNotFound', 404],
    [
      'an unknown key',
      'worker',
      { keys: { accessKeyId: 'LTAInobody', accessKeySecret: 'x' } },
      'InvalidAccessKeyId.NotFound',
      404,
    ],
    ['a wrong secret', 'worker', { keys: { ...account, accessKeySecret: 'x' } }, 'SignatureDoesNotMatch', 400],
    ['a session for other services', 'worker', { keys: session(otherPolicy) }, 'AccessDenied', 403],
    [
      'an asynchronous payload over 128 KB',
      'worker',
      { async: true, payload: Buffer.alloc(131_073) },
      'RequestEntityTooLarge',
      413,
    ],
    ['a task id of another form', 'worker', { async: true, taskId: '1 2' }, 'InvalidArgument', 400],
  ])('%s', async (_what, name, options, code, statusCode) => {
    await expect(invoke(name, options)).rejects.toMatchObject({ code, statusCode })
  })

  test('a request with one flipped signature byte', async () => {
    const answer = await fetch(`${running.fc.url}/2023-03-30/functions/worker/invocations`, { method: 'POST' })
    expect(await answer.json()).toMatchObject({ Code: 'MissingParameter', RequestId: expect.any(String) })
    const flipped = account.accessKeySecret.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x'))
    await expect(invoke('worker', { keys: { ...account, accessKeySecret: flipped } })).rejects.toMatchObject({
      code: 'SignatureDoesNotMatch',
      message: expect.stringContaining('does not match'),
    })
  })

  test('but not a session that may invoke this function', async () => {
    expect((await invoke('worker', { payload: 'x', keys: session(fcPolicy) })).body.toString()).toBe('x')
  })
})

describe('an asynchronous invocation', () => {
  test('is answered with 202 and delivered once', async () => {
    expect((await later('worker', { write: 'once' })).status).toBe(202)
    await running.fc.idle()
    expect((await project.read('worker.out')).match(/once/g)).toHaveLength(1)
  })

  test('with a task id that was used before is refused, by both APIs, for ever', async () => {
    expect((await later('worker', { write: 'task' }, 'task-1')).status).toBe(202)
    await running.fc.idle()
    await expect(later('worker', { write: 'task' }, 'task-1')).rejects.toMatchObject({
      statusCode: 409,
      code: expect.stringContaining('AlreadyExists'),
    })
    const headers = new fc2Sdk.InvokeFunctionHeaders({
      xFcInvocationType: 'Async',
      xFcStatefulAsyncInvocationId: 'task-1',
    })
    const request = new fc2Sdk.InvokeFunctionRequest({ body: Buffer.from('{}') })
    const runtime = {} as Parameters<ReturnType<typeof client2>['invokeFunctionWithOptions']>[4]
    await expect(client2().invokeFunctionWithOptions('svc', 'worker', request, headers, runtime)).rejects.toMatchObject(
      { code: 'StatefulAsyncInvocationAlreadyExists' },
    )
    // The id belongs to the function: another one may have it too.
    expect((await later('other', {}, 'task-1')).status).toBe(202)
    await running.fc.idle()
    expect((await project.read('worker.out')).match(/task/g)).toHaveLength(1)
    const { body } = await client3().getAsyncTask('worker', 'task-1', new fc3Sdk.GetAsyncTaskRequest({}))
    expect(body).toMatchObject({ taskId: 'task-1', status: 'Succeeded' })
  })

  test.each([
    ['fails', { fail: 'first' }, 'first'],
    ['crashes', { exit: true }, 'exited unexpectedly'],
    ['times out', { sleep: true }, 'timed out'],
  ])('that %s is reported to onFailure', async (_what, event, text) => {
    await later('worker', event)
    await running.fc.idle()
    const reports = (await project.read('sink.out'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const report = reports.findLast((one) => one.responsePayload.includes(text))
    expect(report).toMatchObject({
      timestamp: expect.any(Number),
      requestContext: {
        requestId: expect.any(String),
        functionArn: arn('worker'),
        condition: 'UnhandledInvocationError',
        approximateInvokeCount: 1,
      },
      requestPayload: JSON.stringify(event),
      responseContext: { statusCode: 200, functionError: 'UnhandledInvocationError' },
    })
  })

  test('that succeeds is reported to onSuccess', async () => {
    await later('worker', { marker: 'fine' })
    await running.fc.idle()
    const line = (await project.read('sink.out')).split('\n').find((one) => one.includes('fine')) ?? ''
    expect(JSON.parse(line)).toMatchObject({
      responseContext: { functionError: '' },
      responsePayload: '{"marker":"fine"}',
    })
  })
})
