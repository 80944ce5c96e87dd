import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import OSS from 'ali-oss'
import TableStore from 'tablestore'
import { type Local, type LocalOptions, startLocal } from '../../../local/index.ts'
import { functionResource, httpTrigger, makeProject } from '../fc/project.ts'

const require = createRequire(import.meta.url)

/** Tells how it sees the time. */
const TELL = `JSON.stringify({ now: Date.now(), date: new Date().getTime(), text: Date(), worn: performance.now(), pid: process.pid })`
const BUILT_IN = `export const handler = async () => ({ statusCode: 200, body: ${TELL} })`
const CUSTOM = `
import { createServer } from 'node:http'
createServer((request, response) => response.end(${TELL})).listen(Number(process.env.FC_CUSTOM_LISTEN_PORT))`
/** Writes what it is told of into a file, one line each. */
const NOTER = `
import { appendFileSync } from 'node:fs'
export const handler = async (event) => {
  const { events, note, fail } = JSON.parse(event)
  appendFileSync(process.env.OUT, (note ?? events[0].oss.object.key) + '\\n')
  if (fail) throw new Error('as told')
}`
/** Stores objects one after the other, with a child running. */
const CALLER = `
import { spawn } from 'node:child_process'
import OSS from ${JSON.stringify(require.resolve('ali-oss'))}
export const handler = async (event, context) => {
  const { prefix, count } = JSON.parse(event)
  const { accessKeyId, accessKeySecret, securityToken: stsToken } = context.credentials
  const client = new OSS({ endpoint: process.env.OSS_ENDPOINT, bucket: 'yunbo', region: 'oss-cn-hangzhou', sldEnable: true, accessKeyId, accessKeySecret, stsToken, authorizationV4: true })
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal)))
  for (let at = 1; at <= count; at++) await client.put(prefix + at, Buffer.from('x'))
  const killed = await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve('alive'), 500))])
  child.kill()
  await client.put(prefix + killed, Buffer.from('x'))
}`

const ossTrigger = {
  triggerName: 'oss',
  triggerType: 'oss',
  sourceArn: "acs:oss:cn-hangzhou:${env('ALIYUN_ACCOUNT_ID')}:yunbo",
  triggerConfig: { events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'outbox/', suffix: '' } } },
}

/** A local cloud with a handful of tiny functions on it. */
export interface Stage {
  readonly local: Local
  readonly dir: string
  /** The account's own client of OSS, which sends everything once. */
  oss(options?: Partial<OSS.Options>): OSS
  tablestore(): TableStore.Client
  /** What the noter has been told, in order. */
  notes(): string[]
  /** What the built-in or the custom runtime says of the time. */
  tell(which: 'built-in' | 'custom'): Promise<{ now: number; date: number; text: string; worn: number; pid: number }>
  close(): Promise<void>
  dispose(): Promise<void>
}

/** Starts it in a folder of its own, or over the folder of an earlier one. */
export async function openStage(options: Partial<LocalOptions> = {}): Promise<Stage> {
  const project = await makeProject({
    'code/tell/index.mjs': BUILT_IN,
    'code/serve/index.mjs': CUSTOM,
    'code/noter/index.mjs': NOTER,
    'code/caller/index.mjs': CALLER,
  })
  const out = join(project.dir, 'notes')
  const worker = "acs:ram::${env('ALIYUN_ACCOUNT_ID')}:role/worker"
  const role = { role: worker }
  const OUT = { environmentVariables: { OUT: out, OSS_ENDPOINT: "${env('OSS_ENDPOINT')}" } }
  const resources = {
    tell: functionResource('tell', { ...role, triggers: [httpTrigger()] }),
    serve: functionResource('serve', {
      ...role,
      runtime: 'custom.debian10',
      customRuntimeConfig: { command: ['/var/fc/lang/nodejs20/bin/node'], args: ['/code/index.mjs'], port: 9000 },
      triggers: [httpTrigger()],
    }),
    noter: functionResource('noter', {
      ...role,
      ...OUT,
      triggers: [ossTrigger],
      asyncInvokeConfig: { maxAsyncRetryAttempts: 1 },
    }),
    caller: functionResource('caller', { ...role, ...OUT, asyncInvokeConfig: { maxAsyncRetryAttempts: 0 } }),
  }
  const routes = [
    { path: '/tell', functionName: 'tell' },
    { path: '/serve', functionName: 'serve' },
  ]
  const domain = {
    component: 'fc3-domain',
    props: { region: 'cn-hangzhou', domainName: 'auto', protocol: 'HTTP', routeConfig: { routes } },
  }
  await project.write({
    's.yaml': JSON.stringify({ edition: '3.0.0', name: 'test', resources: { ...resources, domain } }),
  })
  const local = await startLocal({
    port: 0,
    dataDir: project.dataDir,
    projectDir: project.dir,
    maxInstances: { noter: 1 },
    ...options,
  })
  const { cloud } = local
  const keys = { accessKeyId: cloud.accessKeyId, accessKeySecret: cloud.accessKeySecret }
  let open = true
  const close = async () => {
    if (open) await local.close()
    open = false
  }
  return {
    local,
    dir: project.dir,
    oss: (more = {}) =>
      new OSS({
        endpoint: cloud.oss.endpoint,
        bucket: 'yunbo',
        region: 'oss-cn-hangzhou',
        sldEnable: true,
        authorizationV4: true,
        retryMax: 0,
        ...keys,
        ...more,
      } as OSS.Options),
    tablestore: () =>
      new TableStore.Client({ ...keys, endpoint: cloud.tablestore.endpoint, instancename: 'yunbo', maxRetries: 0 }),
    notes: () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').slice(0, -1) : []),
    async tell(which) {
      const answer = await fetch(`${cloud.gateway}/${which === 'custom' ? 'serve' : 'tell'}`)
      return (await answer.json()) as Awaited<ReturnType<Stage['tell']>>
    },
    close,
    async dispose() {
      await close()
      await project.dispose()
    },
  }
}
