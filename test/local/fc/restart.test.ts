import { existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { account, functionResource, makeProject, manifestText } from './project.ts'
import { fc3Sdk, localConfig } from './sdk.ts'

/** Hangs at its first run and ends at its second. */
const HANGS_ONCE = `
import { appendFileSync, existsSync } from 'node:fs'
export const handler = async (event) => {
  const again = existsSync(process.env.OUT)
  appendFileSync(process.env.OUT, event + '\\n')
  if (!again) await new Promise(() => setInterval(() => {}, 1000))
}`

test('an asynchronous invocation that a stop cut off is delivered again, and its task id stays taken', async () => {
  const project = await makeProject({ 'code/hangs/index.mjs': HANGS_ONCE })
  onTestFinished(() => project.dispose())
  const OUT = `${project.dir}/out`
  await project.write({
    's.yaml': manifestText({
      hangs: functionResource('hangs', {
        timeout: 600,
        environmentVariables: { OUT },
        asyncInvokeConfig: { maxAsyncRetryAttempts: 0 },
      }),
    }),
  })
  const first = await project.start()
  await add(first.fc.port)
  await until(() => existsSync(OUT))
  await first.close()
  expect(await project.read('out')).toBe('hello\n')

  const second = await project.start()
  await second.fc.idle()
  expect(await project.read('out')).toBe('hello\nhello\n')
  await expect(add(second.fc.port)).rejects.toMatchObject({ statusCode: 409 })
  await second.close()

  const third = await project.start()
  await third.fc.idle()
  expect(await project.read('out')).toBe('hello\nhello\n')
})

function add(port: number) {
  const client = new fc3Sdk.default(localConfig(port, account) as ConstructorParameters<typeof fc3Sdk.default>[0])
  const headers = new fc3Sdk.InvokeFunctionHeaders({ xFcInvocationType: 'Async', xFcAsyncTaskId: 'task-1' })
  const request = new fc3Sdk.InvokeFunctionRequest({ body: Readable.from([Buffer.from('hello')]) })
  return client.invokeFunctionWithOptions(
    'hangs',
    request,
    headers,
    {} as Parameters<typeof client.invokeFunctionWithOptions>[3],
  )
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
