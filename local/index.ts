import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openAccount } from './account.ts'
import { type MovableClock, openClock } from './controls/clock.ts'
import { type FaultHooks, type Faults, openFaults } from './controls/faults.ts'
import { checkIndexes, rememberIndexes } from './data/indexes.ts'
import { checkVersion, writeVersion } from './data/version.ts'
import { lockData } from './data-lock.ts'
import { explain } from './explain.ts'
import { refuseFault } from './fc/http-trigger.ts'
import { type Fc, startFc } from './fc/index.ts'
import type { RunningInstance } from './fc/instances.ts'
import { newRequestId } from './fc/request-id.ts'
import { type GatewayTarget, gateway } from './gateway.ts'
import { programDir } from './home.ts'
import { corsRules, createUser, deployEnvironment, given, warmUp } from './product.ts'
import { common, type Surroundings, startServices } from './services.ts'
import { StartupError } from './start-error.ts'
import { Teardown } from './teardown.ts'
import { openCredentials } from './wire/credentials.ts'
import { listen, type RequestFault } from './wire/http.ts'
import type { WorkCounter } from './wire/work.ts'

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
  readonly mps: { readonly endpoint: string; readonly pipelineId: string }
  readonly mns: { readonly endpoint: string }
  /** What `env()` finds in an `s.yaml`: the only difference between the local cloud and a deployment. */
  readonly env: Readonly<Record<string, string>>
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
  /** Folder of the `s.yaml` whose functions run; the product's own unless it is named. */
  readonly projectDir?: string
  /** The services by themselves: nothing of the product, and functions only of a `projectDir` that is named. */
  readonly bare?: { readonly buckets: readonly string[]; readonly instance: string }
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
    await checkVersion(dataDir)
    await checkIndexes(dataDir)
    running.add(() => rememberIndexes(dataDir))
    const local = await startAll({ ...options, dataDir }, running)
    await writeVersion(dataDir)
    return local
  } catch (error) {
    await running.close()
    throw explain(error, { ...options, dataDir })
  }
}

async function startAll(options: LocalOptions, running: Teardown): Promise<Local> {
  const { dataDir, host = '127.0.0.1', port = 0, env = process.env, onProgress = () => {} } = options
  const plan = planOf(options)
  const { bucket, instance, home } = plan
  const account = await openAccount(dataDir)
  const { accessKeyId, accessKeySecret, accountId } = account
  const clockFile = join(dataDir, 'clock')
  const clock = openClock(clockFile, options.now ?? Date.now)
  running.add(async () => clock.close())
  const { now } = clock
  const policies = options.rolePolicies?.({ accountId, region: REGION, bucket, instance })
  const credentials = openCredentials(account, now, policies)
  let fc: Fc | undefined
  const faults = openFaults({
    clock,
    instanceOf: (keyId) => fc?.instanceOf(keyId),
    killCloud: () => process.kill(process.pid, 'SIGKILL'),
  })
  const place = { dataDir, host, port, region: REGION, instance, home, env }
  const around: Surroundings = { ...place, credentials, clock, faults, fc: () => fc }

  onProgress('starting OSS, Tablestore, STS, MNS, MPS')
  const ready: { target?: GatewayTarget } = {}
  const refuse = (fault: RequestFault) => refuseFault(fault, newRequestId(now()))
  const front = running.up(
    await listen(
      gateway(() => ready.target),
      { host, port, refuse },
    ),
  )
  const { oss, tablestore, sts, mns, mps, tellEarlier } = await startServices(around, running)
  await oss.createBucket(bucket, plan.isProduct ? { cors: corsRules(front) } : {})
  for (const name of plan.moreBuckets) await oss.createBucket(name)
  options.signal?.throwIfAborted()
  onProgress('creating tables')
  await options.createTables?.({ endpoint: tablestore.url, instance, accessKeyId, accessKeySecret })

  const environment = (fcUrl: string) => {
    const own = { oss: oss.url, tablestore: tablestore.url, sts: sts.url, mns: mns.url, mps: mps.url }
    const urls = { ...own, gateway: front.url, fc: fcUrl }
    const { pipelineId } = mps
    return deployEnvironment({ region: REGION, urls, pipelineId, account, bucket, instance, home }, env)
  }
  fc = running.up(
    await startFc({
      ...common('fc', around),
      clock,
      clockFile,
      courier: faults.courier,
      dataDir,
      ...plan.project,
      env: (fcUrl) => ({ ...(plan.isProduct ? {} : given(env)), ...environment(fcUrl) }),
      path: env.PATH ?? '',
      ossUrl: oss.url,
      mns,
      ...(options.maxInstances ? { maxInstances: options.maxInstances } : {}),
    }),
  )
  tellEarlier()
  mns.resume()
  mps.resume()
  // First of all: nothing may hang, and nothing may start, while the services go down.
  running.add(async () => {
    clock.close()
    faults.clear()
  })
  const controls = {
    faults,
    now,
    advance: (ms: number) => clock.advance(ms),
    idle: idleOf([mps, mns, fc], clock, faults),
    setIndexLag: (ms: number) => tablestore.setIndexLag(ms),
  }
  ready.target = {
    fc,
    now,
    ...(plan.hasPages ? { webDir: join(home, 'dist', 'web'), ossOrigin: oss.url } : {}),
    ...(options.controls ? { controls } : {}),
  }
  await warmUp(fc, { ...options, onProgress })
  if (plan.isProduct) await createUser(fc, front.url, account)
  const cloud: Cloud = {
    pid: process.pid,
    gateway: front.url,
    ...{ accessKeyId, accessKeySecret, accountId, region: REGION },
    oss: { endpoint: oss.url, bucket, addressing: 'path' },
    tablestore: { endpoint: tablestore.url, instance },
    sts: { endpoint: new URL(sts.url).host },
    fc: { endpoint: new URL(fc.url).host },
    mps: { endpoint: new URL(mps.url).host, pipelineId: mps.pipelineId },
    mns: { endpoint: mns.url },
    env: environment(fc.url),
    user: account.user,
  }
  return { cloud, ...controls, instances: fc.instances, close: () => running.close() }
}

interface Plan {
  readonly isProduct: boolean
  readonly hasPages: boolean
  readonly project: { readonly projectDir?: string }
  /** Where packages, layers and pages are looked for. */
  readonly home: string
  readonly bucket: string
  readonly moreBuckets: readonly string[]
  readonly instance: string
}

/** What is asked for, with what goes without saying. */
function planOf({ bare, projectDir, web = bare === undefined }: LocalOptions): Plan {
  const home = projectDir ?? programDir()
  const [bucket = BUCKET, ...moreBuckets] = bare?.buckets ?? []
  const project = bare && projectDir === undefined ? {} : { projectDir: home }
  const instance = bare?.instance ?? INSTANCE
  return { isProduct: bare === undefined, hasPages: web, project, home, bucket, moreBuckets, instance }
}

type Working = Pick<WorkCounter, 'idle' | 'isBusy'>

/** What one service has finished may be the beginning of another's work. */
function idleOf(services: readonly Working[], clock: MovableClock, faults: FaultHooks): () => Promise<void> {
  return async () => {
    do {
      await clock.settled()
      for (const service of services) await service.idle()
    } while (faults.release() || clock.hasDue() || services.some((service) => service.isBusy()))
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
