import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { open } from 'lmdb'
import { acs3Verifier } from '../wire/acs3.ts'
import { type Clock, machineClock } from '../wire/clock.ts'
import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import type { Intercept } from '../wire/intercept.ts'
import { type Courier, openAsyncQueue } from './async-queue.ts'
import { type Deployed, type DeployOptions, deploy } from './deployed.ts'
import type { FunctionConfig } from './function-config.ts'
import { toHttpEvent } from './http-event.ts'
import { serveHttpTrigger } from './http-trigger.ts'
import { type Instances, openInstances, type RunningInstance } from './instances.ts'
import { type InvokeApiOptions, serveInvokeApi } from './invoke-api.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { type OssEvent, ossTriggerFires, ossTriggerPayload } from './oss-trigger.ts'
import { startReaper } from './reaper.ts'
import { newRequestId } from './request-id.ts'
import type { Route } from './routes.ts'
import { runTimer, timerPayload } from './timer-trigger.ts'

/*
 * Function Compute 3.0. Gaps, as of 2026-11 (nothing here has been compared with the real service; facts are from its
 * documentation and from the fc3 component):
 * By design:
 * - The only rewrites are the node path of the image, /code, /opt (the first layer's folder under dist/layers), the port
 *   of a custom runtime, and an --import that gives node the local cloud's time. Memory, CPU, disk size and network settings are not enforced; Node is this machine's.
 * - A function has a few instances at most; requests beyond wait in line, where the service answers 429.
 * - A service name of the 2.0 API stands for nothing: every service holds the same functions.
 * - A timer fires again only when its last invocation is over, which is neither repeated when it fails nor kept over a
 *   restart: the next comes soon enough. Where the clock is moved by hours, some of its firings are left out.
 * - An invocation that the shutdown cuts off is delivered again at the next start and is not a failed try.
 * Unproven: code of a duplicate task in 3.0 (AsyncTaskAlreadyExists), payload of destinations, status 502 for a failed
 *   and 504 for a late function behind an HTTP trigger, which body types arrive as base64, GetAsyncTask's fields.
 * Missing:
 * - Management API, versions, aliases, containers, GPU, NAS, VPC, provisioned instances, Tail logs, health checks.
 * - Triggers other than http, oss and timer; HTTP triggers other than anonymous; rewriteConfig of a custom domain.
 * - Answers of built-in runtimes are sent when they are whole. Destinations other than functions.
 * - A process that a crashed function had started in a session of its own, with an environment that it had cleaned,
 *   is not found again (killed instances do not have this hole).
 */

/** What Function Compute needs to run. */
export interface FcOptions extends ListenOptions {
  readonly dataDir: string
  /** Folder of `s.yaml`, which code paths are relative to. */
  readonly projectDir: string
  readonly credentials: Credentials
  /** Environment in which `s.yaml` is read, given this service's own URL. */
  readonly env: (fcUrl: string) => Readonly<Record<string, string>>
  /** PATH of the instances. */
  readonly path: string
  /** Instances at most, by function name; the rest is chosen by the machine's size. */
  readonly maxInstances?: Readonly<Record<string, number>>
  readonly idleMs?: number
  readonly retryDelayMs?: number
  /** Whether instances of built-in runtimes are stopped between requests. */
  readonly freeze?: boolean
  /** Folder of runtime.mjs and reaper.mjs. */
  readonly runtimeDir?: string
  /** Retries wait by it, credentials and messages are dated by it; the machine's when missing. */
  readonly clock?: Clock
  /** Where function processes read how far the clock is ahead of the machine's; absent: they see the machine's time. */
  readonly clockFile?: string
  readonly intercept?: Intercept
  readonly courier?: Courier
}

/** Running functions. */
export interface Fc extends LocalServer {
  readonly functions: readonly FunctionConfig[]
  readonly routes: readonly Route[]
  /** Starts every function whose OSS triggers match. */
  ossEvent(event: OssEvent): void
  /** Serves a request that a route leads to. */
  http(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Starts one instance of a function; throws what keeps its code from loading. */
  warm(functionName: string): Promise<void>
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>
  instances(): readonly RunningInstance[]
  /** The instance that was given these credentials. */
  instanceOf(accessKeyId: string): RunningInstance | undefined
}

const DEFAULT_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']

/** Starts Function Compute: reads `s.yaml`, takes invocations, delivers what a previous run left unfinished. */
export async function startFc(options: FcOptions): Promise<Fc> {
  const work = workCounter()
  let api: (request: IncomingMessage, response: ServerResponse) => Promise<void> = async () => {}
  const server = await listen((request, response) => {
    work.counted(() => api(request, response)).catch(() => void response.destroy())
  }, options)
  try {
    const manifest = await loadManifest(options.projectDir, options.env(server.url))
    const engine = await startEngine(manifest, options, work)
    api = (request, response) => serveInvokeApi(request, response, engine)
    engine.queue.resume()
    const stopTimers = startTimers(manifest, engine, options.clock ?? machineClock, work)
    return {
      port: server.port,
      url: server.url,
      functions: manifest.functions,
      routes: manifest.routes,
      ossEvent: (event) => engine.ossEvent(event),
      http: (route, request, response) => work.counted(() => serveRoute(engine, route, request, response)),
      warm: async (name) => engine.functions.get(name)?.warm(),
      idle: work.idle,
      instances: engine.instances.all,
      instanceOf: engine.instances.byKey,
      async close() {
        stopTimers()
        engine.queue.close()
        await Promise.all([server.close(), engine.close()])
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}

interface Engine extends InvokeApiOptions {
  readonly instances: Instances
  now(): number
  ossEvent(event: OssEvent): void
  close(): Promise<void>
}

/** The functions and the queue of asynchronous invocations, without anything that listens. */
async function startEngine(manifest: Manifest, options: FcOptions, work: WorkCounter): Promise<Engine> {
  const { dataDir, credentials, clock = machineClock, intercept, courier } = options
  const { now } = clock
  const { accountId } = credentials
  const region = manifest.functions[0]?.region ?? 'cn-hangzhou'
  const tmpDir = join(dataDir, 'tmp')
  // Left by a run that did not end in order.
  await rm(tmpDir, { recursive: true, force: true })
  await mkdir(dataDir, { recursive: true })
  const db = open({ path: join(dataDir, 'fc'), encoding: 'msgpack' })
  const runtimeDir = options.runtimeDir ?? findRuntimeDir(options.projectDir)
  const reaper = startReaper(join(runtimeDir, 'reaper.mjs'))
  const instances = openInstances()
  const functions = deployAll(manifest, options, {
    reaper,
    instances,
    runtimePath: join(runtimeDir, 'runtime.mjs'),
    nodeArguments: clockArguments(join(runtimeDir, 'clock.mjs'), options.clockFile),
    now,
  })
  const newId = () => newRequestId(now())
  const queue = openAsyncQueue({
    db,
    region,
    accountId,
    retryDelayMs: options.retryDelayMs ?? 500,
    deployed: (name) => functions.get(name),
    newRequestId: newId,
    clock,
    count: work.count,
    ...(courier ? { courier } : {}),
  })
  return {
    functions,
    queue,
    region,
    accountId,
    verify: acs3Verifier(credentials, clock.nearest),
    instances,
    ...(intercept ? { intercept } : {}),
    newRequestId: newId,
    now,
    ossEvent(event) {
      for (const { name, oss } of manifest.functions) {
        const fires = oss.filter((trigger) => ossTriggerFires(trigger, event))
        const payload = ossTriggerPayload(event, region, accountId)
        for (const _trigger of fires) queue.add({ functionName: name, requestId: newId(), payload })
      }
    },
    async close() {
      await Promise.all([...functions.values()].map((deployed) => deployed.close()))
      reaper.close()
      await db.close()
      await rm(tmpDir, { recursive: true, force: true })
    },
  }
}

/** What takes longer than this while the clock is being moved is taken to hang. */
const HUNG_MS = 30_000

/** Timers count as work only while their functions run. */
function startTimers(manifest: Manifest, engine: Engine, clock: Clock, work: WorkCounter): () => void {
  const stops = manifest.functions.flatMap(({ name, timers }) =>
    timers.map((trigger) => {
      const fire = async (at: number) => {
        await engine.functions.get(name)?.invoke(engine.newRequestId(), timerPayload(trigger, at))
      }
      const { count, counted } = work
      const settled = () => Promise.race([work.idle(), pause(HUNG_MS, undefined, { ref: false })])
      return trigger.enabled
        ? runTimer(trigger, clock, { count, settled, fire: (at) => counted(() => fire(at)) })
        : () => {}
    }),
  )
  return () => {
    for (const stop of stops) stop()
  }
}

function deployAll(
  manifest: Manifest,
  options: FcOptions,
  shared: Pick<DeployOptions, 'reaper' | 'instances' | 'runtimePath' | 'nodeArguments' | 'now'>,
): ReadonlyMap<string, Deployed> {
  const { projectDir, dataDir, credentials, path, idleMs = 300_000, freeze = true } = options
  const entries = manifest.functions.map((config) => {
    const maxInstances = instancesAtMost(config, options.maxInstances?.[config.name])
    const places = { projectDir, dataDir, path, credentials }
    return [config.name, deploy(config, { ...shared, ...places, maxInstances, idleMs, freeze })] as const
  })
  return new Map(entries)
}

/** What makes a node process see the local cloud's time. */
function clockArguments(shim: string, clockFile: string | undefined): readonly string[] {
  if (clockFile === undefined) return []
  const url = pathToFileURL(shim)
  url.searchParams.set('file', clockFile)
  return ['--import', url.href]
}

async function serveRoute(
  engine: Engine,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const deployed = engine.functions.get(route.functionName)
  if (!deployed) throw new Error(`the route ${route.path} leads to no function`)
  const { accountId, queue, now } = engine
  const requestId = engine.newRequestId()
  return serveHttpTrigger(deployed, request, response, {
    requestId,
    methods: methodsOf(deployed.config, route),
    invokeLater(incoming) {
      const payload = toHttpEvent(incoming, requestId, { accountId, now: now() })
      queue.add({ functionName: deployed.config.name, requestId, payload })
    },
  })
}

async function loadManifest(projectDir: string, env: Readonly<Record<string, string>>) {
  return readManifest(await readFile(join(projectDir, 's.yaml'), 'utf8'), env)
}

/** Functions meant for asynchronous work share the machine's cores; the others mostly wait. */
function instancesAtMost(config: FunctionConfig, wanted: number | undefined): number {
  const fallback = config.custom ? 2 : config.async.configured && !config.http ? Math.min(4, availableParallelism()) : 8
  return Math.min(wanted ?? fallback, config.reservedConcurrency ?? Number.POSITIVE_INFINITY)
}

function methodsOf(config: FunctionConfig, route: Route): readonly string[] {
  const ofTrigger = config.http?.methods.length ? config.http.methods : DEFAULT_METHODS
  return ofTrigger.filter((method) => route.methods?.includes(method) ?? true)
}

/** Beside this file, or in the project when this file has been bundled. */
function findRuntimeDir(projectDir: string): string {
  const here = fileURLToPath(new URL('.', import.meta.url))
  return existsSync(join(here, 'runtime.mjs')) ? here : join(projectDir, 'local', 'fc')
}

interface WorkCounter {
  count(change: 1 | -1): void
  counted(run: () => Promise<void>): Promise<void>
  idle(): Promise<void>
}

/** Knows whether anything is queued or running. */
function workCounter(): WorkCounter {
  let running = 0
  let waiting: (() => void)[] = []
  const count = (change: 1 | -1) => {
    running += change
    if (running > 0) return
    for (const resolve of waiting) resolve()
    waiting = []
  }
  return {
    count,
    async counted(run) {
      count(1)
      await run().finally(() => count(-1))
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
  }
}
