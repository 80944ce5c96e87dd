import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openClock } from '../../../local/controls/clock.ts'
import { account, functionResource, httpTrigger, makeProject, manifestText } from './project.ts'

/** Writes down when it ran, by its own clock, and fails unless it is told otherwise. */
const WORKER = `
import { appendFileSync, existsSync } from 'node:fs'
export const handler = async (event) => {
  appendFileSync(process.env.OUT, Date.now() + '\\n')
  if (String(event).includes('"/hold"')) while (!existsSync(process.env.GATE)) await new Promise((go) => setTimeout(go, 5))
  if (!existsSync(process.env.GATE)) throw new Error('not yet')
  return 'fine'
}`
const SINK = `
import { appendFileSync } from 'node:fs'
export const handler = (event, context, callback) => { appendFileSync(process.env.OUT, event + '\\n'); callback(null) }`

const arn = (name: string) => `acs:fc:cn-hangzhou:${account.accountId}:functions/${name}`
const MINUTE = 60_000

async function startWorker(asyncInvokeConfig: Record<string, unknown>) {
  const project = await makeProject({ 'code/worker/index.mjs': WORKER, 'code/sink/index.mjs': SINK })
  onTestFinished(() => project.dispose())
  const gate = join(project.dir, 'gate')
  const env = (out: string) => ({ OUT: join(project.dir, out), GATE: gate })
  const destinationConfig = { onFailure: { destination: arn('sink') }, onSuccess: { destination: arn('sink') } }
  await project.write({
    's.yaml': manifestText(
      {
        worker: functionResource('worker', {
          environmentVariables: env('worker.out'),
          triggers: [httpTrigger()],
          asyncInvokeConfig: { ...asyncInvokeConfig, destinationConfig },
        }),
        sink: functionResource('sink', { environmentVariables: env('sink.out') }),
      },
      [{ path: '/*', functionName: 'worker' }],
    ),
  })
  const clockFile = join(project.dir, 'clock')
  const clock = openClock(clockFile)
  onTestFinished(() => clock.close())
  const start = () => project.start({ clock, clockFile, retryDelayMs: MINUTE, maxInstances: { worker: 1 } })
  return {
    project,
    clock,
    start,
    gate,
    tries: async () => (await project.read('worker.out')).trim().split('\n').map(Number),
    reports: async () =>
      existsSync(join(project.dir, 'sink.out'))
        ? (await project.read('sink.out'))
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        : [],
  }
}

const later = (gateway: string, path = '/') => fetch(gateway + path, { headers: { 'x-fc-invocation-type': 'Async' } })

test('a failed invocation is tried again as often as configured, after pauses that double, then reported', async () => {
  const { clock, start, tries, reports } = await startWorker({ maxAsyncRetryAttempts: 2 })
  const running = await start()
  expect((await later(running.gateway)).status).toBe(202)
  await running.fc.idle()
  expect(await tries()).toHaveLength(1)
  await clock.advance(MINUTE - 5000)
  expect(await tries()).toHaveLength(1)
  await clock.advance(3 * MINUTE + 5000)
  await running.fc.idle()
  const [first = 0, second = 0, third = 0, ...more] = await tries()
  expect(more).toEqual([])
  expect((second - first) / MINUTE).toBeCloseTo(1, 0)
  expect((third - second) / MINUTE).toBeCloseTo(2, 0)
  expect(await reports()).toMatchObject([
    { requestContext: { approximateInvokeCount: 3, condition: 'UnhandledInvocationError' } },
  ])
})

test('one that succeeds at last is reported as a success', async () => {
  const { project, clock, start, reports } = await startWorker({ maxAsyncRetryAttempts: 1 })
  const running = await start()
  await later(running.gateway)
  await running.fc.idle()
  await project.write({ gate: '' })
  await clock.advance(MINUTE)
  await running.fc.idle()
  expect(await reports()).toMatchObject([
    { requestContext: { approximateInvokeCount: 2 }, responseContext: { functionError: '' }, responsePayload: 'fine' },
  ])
})

test('a retry that waits keeps its time over a restart', async () => {
  const { clock, start, tries } = await startWorker({ maxAsyncRetryAttempts: 1 })
  const first = await start()
  await later(first.gateway)
  await first.fc.idle()
  await first.close()
  const second = await start()
  await second.fc.idle()
  expect(await tries()).toHaveLength(1)
  await clock.advance(MINUTE)
  expect(await tries()).toHaveLength(2)
})

test('one that is too old when its next try comes is not tried but reported', async () => {
  const { clock, start, tries, reports } = await startWorker({
    maxAsyncRetryAttempts: 8,
    maxAsyncEventAgeInSeconds: 100,
  })
  const running = await start()
  await later(running.gateway)
  await running.fc.idle()
  await clock.advance(60 * MINUTE)
  await running.fc.idle()
  expect(await tries()).toHaveLength(2)
  expect(await reports()).toMatchObject([{ responsePayload: expect.stringContaining('maxAsyncEventAgeInSeconds') }])
})

test('one that grows too old while it waits for an instance is not started', async () => {
  const { project, clock, start, tries, reports } = await startWorker({
    maxAsyncRetryAttempts: 0,
    maxAsyncEventAgeInSeconds: 100,
  })
  const running = await start()
  await later(running.gateway, '/hold')
  await until(() => existsSync(join(project.dir, 'worker.out')))
  await later(running.gateway)
  await clock.advance(5 * MINUTE)
  await project.write({ gate: '' })
  await running.fc.idle()
  expect(await tries()).toHaveLength(1)
  const said = (await reports()).map(({ responsePayload }) => responsePayload)
  expect(said).toEqual(expect.arrayContaining(['fine', expect.stringContaining('maxAsyncEventAgeInSeconds')]))
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}
