import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from 'lmdb'
import { acs3Verifier } from '../wire/acs3.ts'
import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import { openAsyncQueue } from './async-queue.ts'
import { type Deployed, deploy } from './deployed.ts'
import type { FunctionConfig } from './function-config.ts'
import { toHttpEvent } from './http-event.ts'
import { serveHttpTrigger } from './http-trigger.ts'
import { serveInvokeApi } from './invoke-api.ts'
import { readManifest } from './manifest.ts'
import { type OssEvent, ossTriggerFires, ossTriggerPayload } from './oss-trigger.ts'
import { startReaper } from './reaper.ts'
import { newRequestId } from './request-id.ts'
import type { Route } from './routes.ts'

/*
 * Function Compute 3.0. Gaps, as of 2026-11 (nothing here has been compared with the real service; facts are from its
 * documentation and from the fc3 component):
 * By design:
 * - The only rewrites are the node path of the image, /code, /opt (the first layer's folder under dist/layers) and the
 *   port of a custom runtime. Memory, CPU, disk size and network settings are not enforced; Node is this machine's.
 * - A function has a few instances at most; requests beyond wait in line, where the service answers 429.
 * - A service name of the 2.0 API stands for nothing: every service holds the same functions.
 * - An invocation that the shutdown cuts off is delivered again at the next start and is not a failed try.
 * Unproven: code of a duplicate task in 3.0 (AsyncTaskAlreadyExists), payload of destinations, status 502 for a failed
 *   and 504 for a late function behind an HTTP trigger, which body types arrive as base64, GetAsyncTask's fields.
 * Missing:
 * - Management API, versions, aliases, containers, GPU, NAS, VPC, provisioned instances, Tail logs, health checks.
 * - Triggers other than http and oss; HTTP triggers other than anonymous; rewriteConfig of a custom domain.
 * - Answers are sent when they are whole: no streaming. Destinations other than functions.
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
  now(): number
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
}

const DEFAULT_METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']

/** Starts Function Compute: reads `s.yaml`, takes invocations, delivers what a previous run left unfinished. */
export async function startFc(options: FcOptions): Promise<Fc> {
  const { dataDir, projectDir, credentials, now } = options
  const { accountId } = credentials
  let api: (request: IncomingMessage, response: ServerResponse) => Promise<void> = async () => {}
  const server = await listen((request, response) => void counted(() => api(request, response)), options)
  const work = workCounter()
  const counted = async (run: () => Promise<void>) => {
    work.count(1)
    try {
      await run()
    } finally {
      work.count(-1)
    }
  }
  const manifest = await loadManifest(projectDir, options.env(server.url)).catch(async (error: unknown) => {
    await server.close()
    throw error
  })
  const region = manifest.functions[0]?.region ?? 'cn-hangzhou'
  // Left by a run that did not end in order.
  await rm(join(dataDir, 'tmp'), { recursive: true, force: true })
  await mkdir(dataDir, { recursive: true })
  const db = open({ path: join(dataDir, 'fc'), encoding: 'msgpack' })
  const runtimeDir = options.runtimeDir ?? findRuntimeDir(projectDir)
  const reaper = startReaper(join(runtimeDir, 'reaper.mjs'))
  const functions = new Map<string, Deployed>()
  for (const config of manifest.functions) {
    const { idleMs = 300_000, freeze = true, path } = options
    const maxInstances = instancesAtMost(config, options.maxInstances?.[config.name])
    const runtimePath = join(runtimeDir, 'runtime.mjs')
    const shared = { projectDir, dataDir, runtimePath, path, credentials, reaper, idleMs, freeze, now }
    functions.set(config.name, deploy(config, { ...shared, maxInstances }))
  }
  const find = (name: string) => {
    const deployed = functions.get(name)
    if (!deployed) throw new Error(`there is no function ${name}`)
    return deployed
  }
  const queue = openAsyncQueue({
    db,
    region,
    accountId,
    retryDelayMs: options.retryDelayMs ?? 1000,
    configOf: (name) => functions.get(name)?.config.async,
    invoke: (name, requestId, payload) => find(name).invoke(requestId, payload),
    newRequestId: () => newRequestId(now()),
    now,
    count: work.count,
  })
  const verify = acs3Verifier(credentials, now)
  const apiOptions = { functions, queue, region, accountId, verify, newRequestId: () => newRequestId(now()) }
  api = (request, response) => serveInvokeApi(request, response, apiOptions)
  queue.resume()

  return {
    port: server.port,
    url: server.url,
    functions: manifest.functions,
    routes: manifest.routes,
    ossEvent(event) {
      for (const { name, oss } of manifest.functions) {
        for (const trigger of oss.filter((one) => ossTriggerFires(one, event))) {
          void trigger
          const payload = ossTriggerPayload(event, region, accountId)
          queue.add({ functionName: name, requestId: newRequestId(now()), payload })
        }
      }
    },
    http: (route, request, response) =>
      counted(() => {
        const deployed = find(route.functionName)
        const requestId = newRequestId(now())
        const methods = methodsOf(deployed.config, route)
        return serveHttpTrigger(deployed, request, response, {
          requestId,
          methods,
          invokeLater(incoming) {
            const payload = toHttpEvent(incoming, requestId, { accountId, now: now() })
            queue.add({ functionName: deployed.config.name, requestId, payload })
          },
        })
      }),
    warm: (name) => find(name).warm(),
    idle: work.idle,
    async close() {
      queue.close()
      await Promise.all([server.close(), ...[...functions.values()].map((deployed) => deployed.close())])
      reaper.close()
      await db.close()
      await rm(join(dataDir, 'tmp'), { recursive: true, force: true })
    },
  }
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

function workCounter() {
  let running = 0
  let waiting: (() => void)[] = []
  return {
    count(change: 1 | -1) {
      running += change
      if (running > 0) return
      for (const resolve of waiting) resolve()
      waiting = []
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
  }
}
