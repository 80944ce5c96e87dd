import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { openDatabase } from '../data/database.ts'
import { roomIn } from '../data/room.ts'
import { acs3Verifier } from '../wire/acs3.ts'
import { type Clock, machineClock } from '../wire/clock.ts'
import type { Credentials } from '../wire/credentials.ts'
import { type ListenOptions, type LocalServer, listen } from '../wire/http.ts'
import type { Intercept } from '../wire/intercept.ts'
import type { ObjectEvent } from '../wire/object-event.ts'
import { type WorkCounter, workCounter } from '../wire/work.ts'
import { type ApiOptions, serveApi } from './api/serve.ts'
import { type Courier, type Mns, openAsyncQueue } from './async-queue.ts'
import { openCatalog } from './catalog.ts'
import { declareAll } from './declare.ts'
import { type Events, openEvents } from './events.ts'
import { openFleet } from './fleet.ts'
import { type Front, openFront } from './front.ts'
import { refuseFault } from './http-trigger.ts'
import { type Instances, openInstances, type RunningInstance } from './instances.ts'
import { projectLayer } from './layer-folders.ts'
import { type Manifest, readManifest } from './manifest.ts'
import type { TopicMessage } from './mns-trigger.ts'
import { readObject } from './oss-source.ts'
import { type PackageLinks, packageLinks, packFolder } from './package-links.ts'
import { openPackages } from './packages.ts'
import { startReaper } from './reaper.ts'
import { openRecords, type Records } from './records.ts'
import { newRequestId } from './request-id.ts'
import type { Route } from './routes.ts'

/*
 * Function Compute 3.0. Gaps, as of 2026-11 (nothing here has been compared with the real service; facts are from its
 * documentation, its SDKs, the fc3 component and the Terraform provider, whose error codes are the service's):
 * By design:
 * - The only rewrites are the node path of the image, /code, /opt (the function's layers, merged), the port of a custom
 *   runtime, and an --import that gives node the local cloud's time. Memory, CPU, disk size and network settings are
 *   not enforced; every nodejs runtime is this machine's Node.
 * - Functions are those of s.yaml and, above them, those deployed over the API, which win also after a restart. What
 *   s.yaml declares and the API deletes is back at the next start.
 * - A function has a few instances at most; requests beyond wait in line, where the service answers 429.
 * - A service name of the 2.0 API stands for nothing: every service holds the same functions, LATEST unless a qualifier
 *   says otherwise.
 * - The URL of an HTTP trigger is a path of this service's own address, /2016-08-15/proxy/QUALIFIER/FUNCTION/.
 * - A timer fires again only when its last invocation is over, which is neither repeated when it fails nor kept over a
 *   restart: the next comes soon enough. Where the clock is moved by hours, some of its firings are left out.
 * - An invocation that the shutdown cuts off is delivered again at the next start and is not a failed try.
 * - A role that the local RAM knows no policy of may do everything; that it exists and trusts the service is not asked.
 * Unproven: the code of a duplicate task in 3.0 (AsyncTaskAlreadyExists) and of one that is over (InvalidArgument),
 *   payload of destinations, status 502 for a failed and 504 for a late function behind an HTTP trigger, which body types
 *   arrive as base64, GetAsyncTask's events, messages of InvalidArgument, the statuses of requests that are too large or
 *   too slow, that a function takes its triggers, versions and aliases with it when it is deleted, that a version behind
 *   an alias cannot be, X-Fc-Invocation-Function-Version, that functions need no HTTP trigger for a custom domain to name them.
 * Kept and read back, without an effect: provisioned instances and scaling (they say so in currentError), VPC bindings,
 *   triggers of the kinds log, cdn_events, tablestore and eventbridge, certificates and TLS, WAF and CORS settings of
 *   custom domains (authConfig too: nobody is asked for a token), health checks.
 * Missing:
 * - Runtimes other than nodejs and custom: a function of one is kept in state Failed and says why when it is invoked.
 * - Sessions, ListInstances, EnableFunctionInvocation, DisableFunctionInvocation, DescribeRegions, resource groups
 *   (NotImplemented); of the 2.0 API everything but invoking, getting and listing; the older signature (FC AK:…).
 * - HTTP triggers that are authorized by signature or token: they are kept, and refuse everybody.
 * - NAS, OSS mounts, GPU, Max Memory Used in the log. Answers of built-in runtimes are sent when they are whole.
 * - Destinations other than functions and MNS; a result for a queue or topic that is not there is dropped.
 * - A process that a crashed function had started in a session of its own, with an environment that it had cleaned,
 *   is not found again (killed instances do not have this hole).
 */

/** What Function Compute needs to run. */
export interface FcOptions extends ListenOptions {
  readonly dataDir: string
  /** Folder of `s.yaml`, which code paths are relative to; absent: what is deployed over the API, and nothing else. */
  readonly projectDir?: string
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
  /** Where code packages in OSS are read from; absent: they cannot be. */
  readonly ossUrl?: string
  /** How long a connection may be silent in the middle of a request; a minute when missing. */
  readonly slowMs?: number
  /** Takes results of asynchronous invocations whose destination is a queue or a topic; absent: they are dropped. */
  readonly mns?: Mns
  readonly intercept?: Intercept
  readonly courier?: Courier
}

/** Running functions. */
export interface Fc extends LocalServer {
  /** Those of `s.yaml` that nothing was deployed over. */
  readonly functions: readonly { readonly name: string }[]
  /** What the gateway's own address leads to. */
  readonly routes: readonly Route[]
  /** Starts every function whose OSS triggers match. */
  ossEvent(event: ObjectEvent): void
  /** Starts every function whose MNS triggers match. */
  topicMessage(message: TopicMessage): void
  /** Serves a request that is meant for a function; `false` when it is for nobody here. */
  front(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** Starts one instance of a function; throws what keeps its code from loading. */
  warm(functionName: string): Promise<void>
  isBusy(): boolean
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>
  instances(): readonly RunningInstance[]
  /** The instance that was given these credentials. */
  instanceOf(accessKeyId: string): RunningInstance | undefined
}

/** Starts Function Compute: reads `s.yaml`, takes invocations, delivers what a previous run left unfinished. */
export async function startFc(options: FcOptions): Promise<Fc> {
  const work = workCounter()
  let engine: Engine | undefined
  const server = await listen((request, response) => {
    const serve = async () => void (engine ? await serveOwn(engine, request, response) : response.destroy())
    work.counted(serve).catch(() => void response.destroy())
  }, listenOptions(options))
  try {
    const manifest = await loadManifest(options.projectDir, options.env(server.url))
    const running = await startEngine(manifest, server.url, options, work)
    engine = running
    running.api.queue.resume()
    running.events.syncTimers()
    return {
      port: server.port,
      url: server.url,
      functions: manifest.functions.filter(
        ({ name }) => running.api.records.functions.get(name)?.code.kind === 'folder',
      ),
      get routes() {
        return running.front.routes()
      },
      ossEvent: (event) => running.events.object(event),
      topicMessage: (message) => running.events.message(message),
      async front(request, response) {
        let isServed = false
        await work.counted(async () => {
          isServed = await running.front.serve(request, response)
        })
        return isServed
      },
      warm: async (name) => running.api.fleet.find(name).deployed.warm(),
      isBusy: work.isBusy,
      idle: work.idle,
      instances: running.instances.all,
      instanceOf: running.instances.byKey,
      async close() {
        running.events.close()
        running.api.queue.close()
        await Promise.all([server.close(), running.close()])
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}

/** A request that never becomes one is refused in the words of the service too. */
function listenOptions({ host, port, shape, slowMs, clock = machineClock }: FcOptions): ListenOptions {
  return {
    host,
    port,
    ...(shape ? { shape } : {}),
    ...(slowMs === undefined ? {} : { headersTimeoutMs: slowMs }),
    refuse: (fault) => refuseFault(fault, newRequestId(clock.now())),
  }
}

/** Everything but what listens. */
interface Engine {
  readonly api: ApiOptions
  readonly links: PackageLinks
  readonly front: Front
  readonly events: Events
  readonly instances: Instances
  close(): Promise<void>
}

async function serveOwn(engine: Engine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (await engine.front.serveNamed(request, response)) return
  if (await engine.links.serve(request, response)) return
  await serveApi(request, response, engine.api)
}

async function startEngine(manifest: Manifest, url: string, options: FcOptions, work: WorkCounter): Promise<Engine> {
  const { dataDir, projectDir = dataDir, credentials, clock = machineClock, intercept, courier } = options
  const { now } = clock
  const { accountId } = credentials
  const region = manifest.functions[0]?.region ?? 'cn-hangzhou'
  const tmpDir = join(dataDir, 'tmp')
  // Left by a run that did not end in order.
  await rm(tmpDir, { recursive: true, force: true })
  await mkdir(dataDir, { recursive: true })
  const db = openDatabase({ path: join(dataDir, 'fc'), encoding: 'msgpack' })
  const room = roomIn(dataDir)
  const catalog = openCatalog(db, room)
  const records = openRecords(catalog)
  declareAll(manifest.declared, records, now())
  const packages = await openPackages(join(dataDir, 'fc-code'))
  await packages.keepOnly(packagesOf(records))
  await rm(join(dataDir, 'fc-layers'), { recursive: true, force: true })

  const runtimeDir = options.runtimeDir ?? findRuntimeDir(projectDir)
  const reaper = startReaper(join(runtimeDir, 'reaper.mjs'))
  const instances = openInstances()
  const fleet = openFleet({
    catalog,
    records,
    packages,
    projectDir,
    dataDir,
    region,
    credentials,
    path: options.path,
    reaper,
    instances,
    runtimePath: join(runtimeDir, 'runtime.mjs'),
    nodeArguments: clockArguments(join(runtimeDir, 'clock.mjs'), options.clockFile),
    now,
    idleMs: options.idleMs ?? 300_000,
    freeze: options.freeze ?? true,
    ...(options.maxInstances ? { maxInstances: options.maxInstances } : {}),
  })
  const common = { catalog, records, fleet, region, accountId, now, newRequestId: () => newRequestId(now()) }
  const slow = options.slowMs === undefined ? {} : { slowMs: options.slowMs }
  const queue = openAsyncQueue({
    room,
    ...common,
    db,
    retryDelayMs: options.retryDelayMs ?? 500,
    target: fleet.lookUp,
    abort: fleet.abort,
    clock,
    count: work.count,
    ...(options.mns ? { mns: options.mns } : {}),
    ...(courier ? { courier } : {}),
  })
  const events = openEvents({ ...common, queue, work, clock })
  const ownDomains = manifest.declared.domains.map(({ domainName }) => String(domainName))
  const front = openFront({ ...common, ...slow, queue, ownDomains, ownName: new URL(url).hostname })
  const links = packageLinks(packages, credentials, { url, now })
  const { ossUrl } = options
  const api: ApiOptions = {
    ...common,
    ...slow,
    queue,
    packages,
    readObject: async (bucket, key, limitBytes) =>
      ossUrl === undefined ? undefined : readObject(ossUrl, credentials, { bucket, key }, limitBytes),
    hasProjectLayer: (layer) => projectLayer(projectDir, layer) !== undefined,
    packageUrl: links.url,
    packFolder: (path) => packFolder(resolve(projectDir, path)),
    triggerUrl: (functionName, qualifier) => `${url}/2016-08-15/proxy/${qualifier}/${functionName}/`,
    syncTriggers: () => events.syncTimers(),
    verify: acs3Verifier(credentials, clock.nearest),
    ...(intercept ? { intercept } : {}),
  }
  return {
    api,
    links,
    front,
    events,
    instances,
    async close() {
      await fleet.close()
      reaper.close()
      await db.close()
      await rm(tmpDir, { recursive: true, force: true })
    },
  }
}

/** Packages that something leads to. */
function packagesOf({ functions, versions, layers }: Records): ReadonlySet<string> {
  const all = [...functions.list(), ...versions.list().map((version) => version.function)]
  const code = all.flatMap(({ code }) => (code.kind === 'package' ? [code.id] : []))
  return new Set([...code, ...layers.list().map((layer) => layer.code.id)])
}

/** What makes a node process see the local cloud's time. */
function clockArguments(shim: string, clockFile: string | undefined): readonly string[] {
  if (clockFile === undefined) return []
  const url = pathToFileURL(shim)
  url.searchParams.set('file', clockFile)
  return ['--import', url.href]
}

async function loadManifest(projectDir: string | undefined, env: Readonly<Record<string, string>>): Promise<Manifest> {
  if (projectDir === undefined) return { functions: [], routes: [], declared: { functions: [], domains: [] } }
  return readManifest(await readFile(join(projectDir, 's.yaml'), 'utf8'), env)
}

/** Beside this file, in the sources above it when it has been bundled, or in the project. */
function findRuntimeDir(projectDir: string): string {
  const here = fileURLToPath(new URL('.', import.meta.url))
  const above: string[] = []
  for (let dir = here; dir !== dirname(dir); dir = dirname(dir)) above.push(join(dir, 'local', 'fc'))
  const places = [here, join(projectDir, 'local', 'fc'), ...above]
  return places.find((dir) => existsSync(join(dir, 'runtime.mjs'))) ?? here
}
