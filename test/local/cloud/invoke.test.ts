import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openInvoker } from '../../../shared/cloud/invoke.ts'
import { account, functionResource, makeProject, manifestText, type Project, type Running } from '../fc/project.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

let project: Project
let running: Running
let proxy: FaultProxy
beforeAll(async () => {
  project = await makeProject({
    's.yaml': manifestText({ worker: functionResource('yunbo-worker') }),
    'code/yunbo-worker/index.mjs': 'export const handler = async (event) => console.log("got " + event)',
  })
  running = await project.start()
  proxy = await faultProxy(running.fc.url)
})
afterAll(async () => {
  await proxy.close()
  await project.dispose()
})

describe.each([
  ['the API of 3.0', undefined, 'POST /2023-03-30/functions/yunbo-worker/invocations'],
  ['the API of 2.0', 'media', 'POST /2021-04-06/services/media/functions/yunbo-worker/invocations'],
])('%s', (_name, service, path) => {
  const invoker = (keys: typeof account = account) =>
    openInvoker({ endpoint: proxy.url, functionPrefix: 'yunbo-', service }, keys)
  const taskId = (name: string) => `t-${service ?? 'v3'}-${name}`

  test('starts a function with the payload, and the second call with an id is known', async () => {
    const options = { taskId: taskId('once') }
    expect(await invoker().invokeAsync('worker', { id: taskId('once'), text: '视频' }, options)).toBe('accepted')
    expect(await invoker().invokeAsync('worker', { id: taskId('once'), text: '视频' }, options)).toBe('already')
    await running.fc.idle()
    // What a function prints takes another way than its answer, and may come later.
    const line = `got {"id":"${taskId('once')}","text":"视频"}`
    await expect.poll(async () => (await project.logOf('yunbo-worker')).split(line).length).toBe(2)
    expect(proxy.seen.at(-1)).toBe(path)
  })

  test('tries again when the service is busy or the connection breaks', async () => {
    proxy.next({ status: 503, body: '{"Code":"ServiceUnavailable","Message":"later"}' }, 'cut before')
    expect(await invoker().invokeAsync('worker', {}, { taskId: taskId('busy') })).toBe('accepted')
  })

  test('finds a task queued whose acknowledgement was lost', async () => {
    proxy.next('cut after')
    expect(await invoker().invokeAsync('worker', {}, { taskId: taskId('lost') })).toBe('already')
  })

  test.each([
    ['a function that does not exist', 'nobody', 'ok', account, 'FunctionNotFound'],
    ['an id that is not allowed', 'worker', '1 2', account, 'InvalidArgument'],
    ['a wrong key', 'worker', 'wrong', { ...account, accessKeySecret: 'wrong' }, 'SignatureDoesNotMatch'],
  ])('refuses %s at once', async (_case, name, id, keys, code) => {
    const before = proxy.seen.length
    await expect(invoker(keys).invokeAsync(name, {}, { taskId: id })).rejects.toMatchObject({
      code: 'upstream_failed',
      message: expect.stringContaining(code),
    })
    expect(proxy.seen.length - before).toBe(1)
  })
})
