import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Account, openAccount } from './account.ts'
import { type MovableClock, openClock } from './controls/clock.ts'
import { type FaultHooks, type Faults, openFaults } from './controls/faults.ts'
import { lockData } from './data-lock.ts'
import { explain } from './explain.ts'
import { type Fc, startFc } from './fc/index.ts'
import type { RunningInstance } from './fc/instances.ts'
import { findRoute } from './fc/routes.ts'
import { type GatewayTarget, gateway } from './gateway.ts'
import { startOss } from './oss/index.ts'
import { StartupError } from './start-error.ts'
import { startSts } from './sts/index.ts'
import { startTablestore } from './tablestore/index.ts'
import { openCredentials } from './wire/credentials.ts'
import { listen } from './wire/http.ts'

/** Everything a client of the local cloud needs to know; the contents of `cloud.json`. */
export interface Cloud {
  readonly pid: number
  readonly gateway: string
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly accountId: string
  readonly region: string
  readonly oss: { readonly endpoint: string; readonly bucket: string; readonly addressing: 'path' }
  readonly tablestore: TablestoreTarget
  readonly sts: { readonly endpoint: string }
  readonly fc: { readonly endpoint: string }
  readonly user: { readonly username: string; readonly password: string }
}

interface TablestoreTarget {
  readonly endpoint: string
  readonly instance: string
}

/** What policies name. */
export interface RolePlace {
  readonly accountId: string
  readonly region: string
  readonly bucket: string
  readonly instance: string
}

/** What to run and where. */
export interface LocalOptions {
  /** Of the gateway; the services take the ports above it. 0: the system chooses each. */
  readonly port?: number
  readonly dataDir: string
  readonly host?: string
  readonly projectDir?: string
  /** Whether built pages are served beside the functions. */
  readonly web?: boolean
  /** Whether the controls below can be reached over HTTP too. */
  readonly controls?: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly maxInstances?: Readonly<Record<string, number>>
  /** The machine's time. */
  now?(): number
  /** RAM policies as JSON text by role name; functions whose role has none may do everything. */
  rolePolicies?(place: RolePlace): Readonly<Record<string, string>>
  /** Creates the product's tables over the wire. */
  createTables?(target: TablestoreTarget & { accessKeyId: string; accessKeySecret: string }): Promise<void>
  onProgress?(line: string): void
  /** Gives the start up at its next step; what is up by then is taken down again. */
  readonly signal?: AbortSignal
}

/** A running local cloud. */
export interface Local {
  readonly cloud: Cloud
  /** Resolves when no invocation is queued or running, and no retry and no timer is due. */
  idle(): Promise<void>
  /** The local clock, in milliseconds since the epoch. */
  now(): number
  /** Moves the local clock ahead, function processes included; what falls due on the way is done in order. */
  advance(ms: number): Promise<void>
  readonly faults: Faults
  /** From now on changes reach Tablestore's indexes this much later than their tables. */
  setIndexLag(ms: number): Promise<void>
  /** Running copies of functions. */
  instances(): readonly RunningInstance[]
  close(): Promise<void>
}

const REGION = 'cn-hangzhou'
const BUCKET = 'yunbo'
const INSTANCE = 'yunbo'

/**
 * Starts every service, with the functions of `s.yaml` on them, the bucket, the tables and the demo user; resolves when
 * all of it answers. What went up before something failed is taken down again.
 */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const running = new Teardown()
  const dataDir = resolve(options.dataDir)
  try {
    await mkdir(dataDir, { recursive: true })
    await refuseForeign(dataDir)
    running.add(await lockData(dataDir))
    return await startAll({ ...options, dataDir }, running)
  } catch (error) {
    await running.close()
    throw explain(error, { ...options, dataDir })
  }
}

async function startAll(options: LocalOptions, running: Teardown): Promise<Local> {
  const { dataDir, host = '127.0.0.1', port = 0, web = true, onProgress = () => {} } = options
  const projectDir = options.projectDir ?? findProject()
  const account = await openAccount(dataDir)
  const clockFile = join(dataDir, 'clock')
  const clock = openClock(clockFile, options.now ?? Date.now)
  running.add(async () => clock.close())
  const { now, nearest } = clock
  const { accountId } = account
  const place = { accountId, region: REGION, bucket: BUCKET, instance: INSTANCE }
  const credentials = openCredentials(account, now, options.rolePolicies?.(place))
  let fc: Fc | undefined
  const faults = openFaults({
    clock,
    instanceOf: (accessKeyId) => fc?.instanceOf(accessKeyId),
    killCloud: () => process.kill(process.pid, 'SIGKILL'),
  })
  const { intercept } = faults
  const at = (offset: number) => ({ host, port: port === 0 ? 0 : port + offset, credentials, now })
  const service = (name: 'oss' | 'tablestore' | 'sts' | 'fc', offset: number) => ({
    ...at(offset),
    nearest,
    intercept,
    shape: faults.shape(name),
  })

  onProgress('starting OSS, Tablestore, STS')
  const ready: { target?: GatewayTarget } = {}
  const front = running.up(
    await listen(
      gateway(() => ready.target),
      at(0),
    ),
  )
  const ossDir = join(dataDir, 'oss')
  const oss = running.up(
    await startOss({
      ...service('oss', 1),
      dataDir: ossDir,
      region: REGION,
      disk: faults.disk,
      onEvent: (event) => faults.event(event.key, () => fc?.ossEvent(event)),
    }),
  )
  const tablestoreDir = join(dataDir, 'tablestore')
  const tablestore = running.up(
    await startTablestore({ ...service('tablestore', 2), dataDir: tablestoreDir, instance: INSTANCE }),
  )
  const sts = running.up(await startSts(service('sts', 3)))
  const target = { endpoint: tablestore.url, instance: INSTANCE }
  await oss.createBucket(BUCKET, { cors: corsRules(front) })
  options.signal?.throwIfAborted()
  onProgress('creating tables')
  const { accessKeyId, accessKeySecret } = account
  await options.createTables?.({ ...target, accessKeyId, accessKeySecret })

  const urls = { gateway: front.url, oss: oss.url, tablestore: tablestore.url, sts: sts.url }
  const outside = options.env ?? process.env
  fc = running.up(
    await startFc({
      ...service('fc', 4),
      clock,
      clockFile,
      courier: faults.courier,
      dataDir,
      projectDir,
      env: (fcUrl) => deployEnvironment({ ...urls, fc: fcUrl }, account, projectDir, outside),
      path: outside.PATH ?? '',
      ...(options.maxInstances ? { maxInstances: options.maxInstances } : {}),
    }),
  )
  // First of all: nothing may hang, and nothing may start, while the services go down.
  running.add(async () => {
    clock.close()
    faults.clear()
  })
  const controls = {
    faults,
    now,
    advance: (ms: number) => clock.advance(ms),
    idle: idleOf(fc, clock, faults),
    setIndexLag: (ms: number) => tablestore.setIndexLag(ms),
  }
  ready.target = {
    fc,
    now,
    ...(web ? { webDir: join(projectDir, 'dist', 'web') } : {}),
    ...(options.controls ? { controls } : {}),
  }
  await warmUp(fc, { ...options, onProgress })
  await createUser(fc, front.url, account)
  const cloud: Cloud = {
    pid: process.pid,
    gateway: front.url,
    accessKeyId,
    accessKeySecret,
    accountId: account.accountId,
    region: REGION,
    oss: { endpoint: oss.url, bucket: BUCKET, addressing: 'path' },
    tablestore: target,
    sts: { endpoint: new URL(sts.url).host },
    fc: { endpoint: new URL(fc.url).host },
    user: account.user,
  }
  return { cloud, ...controls, instances: fc.instances, close: () => running.close() }
}

function idleOf(fc: Fc, clock: MovableClock, faults: FaultHooks): () => Promise<void> {
  return async () => {
    do {
      await clock.settled()
      await fc.idle()
    } while (faults.release() || clock.hasDue())
  }
}

/** What `s.yaml` finds in `env()`: the only difference between the local cloud and a deployment. */
function deployEnvironment(
  urls: Record<'gateway' | 'oss' | 'tablestore' | 'sts' | 'fc', string>,
  account: Account,
  projectDir: string,
  outside: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const passed = ['FFMPEG_PATH', 'FFPROBE_PATH'].flatMap((name) => (outside[name] ? [[name, outside[name]]] : []))
  return {
    REGION,
    ALIYUN_ACCOUNT_ID: account.accountId,
    SECRET_KEY: account.secretKey,
    PUBLIC_URL: urls.gateway,
    OSS_BUCKET: BUCKET,
    OSS_ENDPOINT: urls.oss,
    OSS_PUBLIC_ENDPOINT: urls.oss,
    OSS_ADDRESSING: 'path',
    TABLESTORE_ENDPOINT: urls.tablestore,
    TABLESTORE_INSTANCE: INSTANCE,
    STS_ENDPOINT: urls.sts,
    INVOKE_ENDPOINT: urls.fc,
    SIGNUP: 'open',
    // Without the layer, ffmpeg may come out of a package that `npm install` brought.
    NODE_MODULES_DIR: join(projectDir, 'node_modules'),
    ...Object.fromEntries(passed),
  }
}

/** Redirected segment requests come with `Origin: null`, so reading is open; uploads come from our pages only. */
function corsRules({ port, url }: { readonly port: number; readonly url: string }) {
  const exposeHeaders = ['ETag', 'x-oss-request-id', 'x-oss-hash-crc64ecma']
  const pages = [...new Set([url, `http://localhost:${port}`, `http://127.0.0.1:${port}`])]
  const common = { allowedHeaders: ['*'], exposeHeaders, maxAgeSeconds: 3600 }
  return [
    { allowedOrigins: pages, allowedMethods: ['PUT', 'POST', 'GET', 'HEAD', 'DELETE'], ...common },
    { allowedOrigins: ['*'], allowedMethods: ['GET', 'HEAD'], ...common },
  ]
}

/** One instance of each function, two at a time: code that does not load is found now and not by the first user. */
async function warmUp(fc: Fc, { dataDir, signal, onProgress }: LocalOptions): Promise<void> {
  const names = fc.functions.map(({ name }) => name)
  const worker = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      signal?.throwIfAborted()
      onProgress?.(`starting ${name}`)
      await fc.warm(name).catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error)
        throw new StartupError(`${name} does not start: ${message} (see ${join(dataDir, 'logs', `${name}.log`)})`)
      })
    }
  }
  await Promise.all([worker(), worker()])
}

/** The first user signs up as everybody does. */
async function createUser(fc: Fc, gatewayUrl: string, { user }: Account): Promise<void> {
  if (!findRoute(fc.routes, '/v1/accounts')) return
  const response = await fetch(`${gatewayUrl}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  })
  const answer = await response.text()
  if (response.status === 201 || response.status === 409) return
  throw new StartupError(`the demo user cannot be created: ${response.status} ${answer.slice(0, 500)}`)
}

/** The nearest folder above this file that has an `s.yaml`. */
function findProject(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 's.yaml'))) return dir
    if (dir === dirname(dir)) throw new StartupError('there is no s.yaml above this program')
  }
}

/** A start clears what a broken one left behind, so it must not be let loose on somebody's own files. */
async function refuseForeign(dataDir: string): Promise<void> {
  const names = await readdir(dataDir)
  const isOurs = names.some((name) => name === 'account.json' || name === 'lock')
  if (names.length > 0 && !isOurs) {
    throw new StartupError(`${dataDir} holds other files (--data): name a folder that is empty or does not exist yet`)
  }
}

/** Takes down what went up, the last first, once. */
class Teardown {
  private readonly steps: (() => Promise<void>)[] = []

  add(step: () => Promise<void>): void {
    this.steps.push(step)
  }

  up<T extends { close(): Promise<void> }>(service: T): T {
    this.add(() => service.close())
    return service
  }

  async close(): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) await step()
  }
}
