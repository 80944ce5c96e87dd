import { Readable } from 'node:stream'
import { strToU8, zipSync } from 'fflate'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { fc3Sdk } from '../local/fc/sdk.ts'
import { openTarget, uniqueName } from './target.ts'

/*
 * What Function Compute 3.0 promises of functions that are made, called and removed over its API; each test fails where
 * the promise is broken. The address above a test is where the promise is made.
 */
const target = await openTarget()
afterAll(() => target.close())

const client = new fc3Sdk.default({ ...target.keys, ...target.fc } as ConstructorParameters<typeof fc3Sdk.default>[0])

/** Gives back what it was called with, or fails as it is told. */
const ECHO = `exports.handler = async (event, context) => {
  const text = event.toString()
  if (text === 'fail') throw new RangeError('as told')
  return JSON.stringify({ text, name: context.function.name, requestId: context.requestId })
}`

/** Makes a function that is gone when the test is over. */
async function newFunction(more: object = {}): Promise<string> {
  const functionName = uniqueName('contract')
  const zipFile = Buffer.from(zipSync({ 'index.js': strToU8(ECHO) })).toString('base64')
  const body = new fc3Sdk.CreateFunctionInput({
    functionName,
    runtime: 'nodejs20',
    handler: 'index.handler',
    code: new fc3Sdk.InputCodeLocation({ zipFile }),
    timeout: 5,
    ...more,
  })
  await client.createFunction(new fc3Sdk.CreateFunctionRequest({ body }))
  onTestFinished(async () => void (await client.deleteFunction(functionName).catch(() => undefined)))
  return functionName
}

async function invoke(functionName: string, text: string, headers: Record<string, string> = {}) {
  const request = new fc3Sdk.InvokeFunctionRequest({ body: Readable.from([Buffer.from(text)]) })
  const runtime = {} as Parameters<typeof client.invokeFunctionWithOptions>[3]
  const given = new fc3Sdk.InvokeFunctionHeaders(headers)
  const answer = await client.invokeFunctionWithOptions(functionName, request, given, runtime)
  const chunks: Buffer[] = []
  for await (const chunk of answer.body ?? []) chunks.push(Buffer.from(chunk))
  return { status: answer.statusCode, headers: answer.headers ?? {}, text: Buffer.concat(chunks).toString() }
}

// https://help.aliyun.com/zh/functioncompute/fc-3-0/developer-reference/api-fc-2023-03-30-createfunction
describe('functions', () => {
  test('run the package that was uploaded', async () => {
    const name = await newFunction()
    const answer = await invoke(name, 'hello')
    const id = answer.headers['x-fc-request-id']
    expect(id).toBeTruthy()
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { text: 'hello', name, requestId: id }])
  })

  test('that fail answer 200, with the kind of the failure in a header', async () => {
    const answer = await invoke(await newFunction(), 'fail')
    expect([answer.status, answer.headers['x-fc-error-type']]).toEqual([200, 'UnhandledInvocationError'])
    expect(JSON.parse(answer.text)).toMatchObject({ errorMessage: 'as told', errorType: 'RangeError' })
  })

  test('can be looked up and changed', async () => {
    const name = await newFunction({ memorySize: 512, environmentVariables: { A: 'x' } })
    const body = new fc3Sdk.UpdateFunctionInput({ timeout: 7 })
    await client.updateFunction(name, new fc3Sdk.UpdateFunctionRequest({ body }))
    const found = (await client.getFunction(name, new fc3Sdk.GetFunctionRequest({}))).body
    expect(found).toMatchObject({ functionName: name, timeout: 7, memorySize: 512, environmentVariables: { A: 'x' } })
    const { functions } = (await client.listFunctions(new fc3Sdk.ListFunctionsRequest({ prefix: name }))).body ?? {}
    expect(functions?.map(({ functionName }) => functionName)).toEqual([name])
  })

  test('have names that are taken once', async () => {
    const functionName = await newFunction()
    await expect(newFunction({ functionName })).rejects.toMatchObject({
      statusCode: 409,
      code: 'FunctionAlreadyExists',
    })
  })

  test('are gone when they are deleted', async () => {
    const name = await newFunction()
    await client.deleteFunction(name)
    await expect(invoke(name, 'x')).rejects.toMatchObject({ statusCode: 404, code: 'FunctionNotFound' })
    await expect(client.deleteFunction(name)).rejects.toMatchObject({ statusCode: 404, code: 'FunctionNotFound' })
  })

  test('have versions that stay as they were published', async () => {
    const name = await newFunction({ environmentVariables: { A: 'then' } })
    const published = await client.publishFunctionVersion(name, new fc3Sdk.PublishFunctionVersionRequest({}))
    const body = new fc3Sdk.UpdateFunctionInput({ environmentVariables: { A: 'now' } })
    await client.updateFunction(name, new fc3Sdk.UpdateFunctionRequest({ body }))
    const qualifier = published.body?.versionId ?? ''
    onTestFinished(async () => void (await client.deleteFunctionVersion(name, qualifier)))
    const old = (await client.getFunction(name, new fc3Sdk.GetFunctionRequest({ qualifier }))).body
    expect(old?.environmentVariables).toEqual({ A: 'then' })
  })
})

// https://help.aliyun.com/zh/functioncompute/fc-3-0/user-guide/asynchronous-invocation
describe('tasks', () => {
  test('are accepted at once and tell later how they ended', async () => {
    const name = await newFunction()
    const config = new fc3Sdk.PutAsyncInvokeConfigInput({ asyncTask: true, maxAsyncRetryAttempts: 0 })
    await client.putAsyncInvokeConfig(name, new fc3Sdk.PutAsyncInvokeConfigRequest({ body: config }))
    const taskId = uniqueName('task')
    const accepted = await invoke(name, 'x', { xFcInvocationType: 'Async', xFcAsyncTaskId: taskId })
    expect(accepted.status).toBe(202)
    await vi.waitFor(
      async () => {
        const { body } = await client.getAsyncTask(name, taskId, new fc3Sdk.GetAsyncTaskRequest({}))
        expect(body).toMatchObject({ taskId, status: 'Succeeded' })
      },
      { timeout: 30_000, interval: 200 },
    )
    const again = invoke(name, 'x', { xFcInvocationType: 'Async', xFcAsyncTaskId: taskId })
    await expect(again).rejects.toMatchObject({ statusCode: 409 })
  })
})
