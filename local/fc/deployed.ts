import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Credentials, SessionCredentials } from '../wire/credentials.ts'
import { startBuiltin } from './builtin.ts'
import { startCustom } from './custom.ts'
import { instanceEnvironment, rewriter } from './environment.ts'
import type { FunctionConfig } from './function-config.ts'
import { badGateway, type HttpReply, type HttpRequest } from './http-event.ts'
import { type Instance, type InstanceSetup, type Outcome, StartError } from './instance.ts'
import type { Instances } from './instances.ts'
import { createPool, type Pool } from './pool.ts'
import type { Reaper } from './reaper.ts'

/** A function that can be called. */
export interface Deployed {
  readonly config: FunctionConfig
  invoke(requestId: string, payload: Buffer): Promise<Outcome>
  /** The same, unless it has become stale by the time there is an instance for it. */
  invoke(requestId: string, payload: Buffer, isStale: () => boolean): Promise<Outcome | undefined>
  /** Answers a request; the instance is busy until the answer is sent. */
  http(requestId: string, request: HttpRequest, send: (reply: HttpReply) => Promise<void>): Promise<void>
  /** Starts an instance unless one is there; throws what keeps the code from loading. */
  warm(): Promise<void>
  close(): Promise<void>
}

export interface DeployOptions {
  readonly projectDir: string
  readonly dataDir: string
  readonly runtimePath: string
  readonly path: string
  readonly credentials: Credentials
  readonly reaper: Reaper
  readonly instances: Instances
  /** How node is started so that it sees the local cloud's time. */
  readonly nodeArguments: readonly string[]
  readonly maxInstances: number
  readonly idleMs: number
  readonly freeze: boolean
  now(): number
}

/** Role credentials in the context are good for 36 hours. */
const ROLE_SESSION_S = 36 * 3600

/** Makes a function of `s.yaml` callable: a pool of processes, a log file, a time limit for each request. */
export function deploy(config: FunctionConfig, options: DeployOptions): Deployed {
  const log = logFile(options, config.name)
  const pool = createPool({
    maxInstances: options.maxInstances,
    concurrency: config.instanceConcurrency,
    idleMs: options.idleMs,
    freeze: options.freeze && !config.custom,
    launch: () => launch(config, options, log),
  })
  const limit = <T>(requestId: string, work: (instance: Instance) => Promise<T>, late: () => T) =>
    limited(pool, { requestId, timeoutS: config.timeoutS, log: log.line }, work, late)
  async function invoke(requestId: string, payload: Buffer): Promise<Outcome>
  async function invoke(requestId: string, payload: Buffer, isStale?: () => boolean): Promise<Outcome | undefined> {
    const work = async (instance: Instance) => (isStale?.() ? undefined : instance.invoke(requestId, payload))
    return limit<Outcome | undefined>(requestId, work, () => timedOut(config)).catch(notStarted)
  }
  return {
    config,
    invoke,
    http: (requestId, request, send) =>
      limit(
        requestId,
        async (instance) => send(await instance.http(requestId, request)),
        () => void send(badGateway(`Function timed out after ${config.timeoutS} seconds`, 504)),
      ).catch((error: unknown) => send(badGateway(messageOf(error)))),
    warm: () => pool.run(async () => {}),
    async close() {
      await pool.close()
      await log.flushed()
    },
  }
}

async function limited<T>(
  pool: Pool,
  call: { requestId: string; timeoutS: number; log: (line: string) => void },
  work: (instance: Instance) => Promise<T>,
  late: () => T,
): Promise<T> {
  return pool.run(async (instance) => {
    call.log(`FC Invoke Start RequestId: ${call.requestId}`)
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<T>((resolve) => {
      timer = setTimeout(() => {
        call.log(`${call.requestId} Function timed out after ${call.timeoutS} seconds`)
        resolve(late())
        instance.kill()
      }, call.timeoutS * 1000)
    })
    try {
      return await Promise.race([timeout, work(instance)])
    } finally {
      clearTimeout(timer)
      call.log(`FC Invoke End RequestId: ${call.requestId}`)
    }
  })
}

function timedOut(config: FunctionConfig): Outcome {
  const errorMessage = `Function timed out after ${config.timeoutS} seconds`
  return { ok: false, kind: 'UnhandledInvocationError', error: { errorMessage, errorType: 'FunctionTimedOut' } }
}

function notStarted(error: unknown): Outcome {
  const detail =
    error instanceof StartError ? error.detail : { errorMessage: messageOf(error), errorType: 'FunctionNotStarted' }
  return { ok: false, kind: 'UnhandledInvocationError', error: detail }
}

async function launch(config: FunctionConfig, options: DeployOptions, log: LogFile): Promise<Instance> {
  const { projectDir, dataDir, credentials, now } = options
  const id = `c-${randomBytes(4).toString('hex')}-${randomBytes(6).toString('hex')}`
  const codeDir = resolve(projectDir, config.code)
  if (!existsSync(codeDir))
    throw new StartError({ errorMessage: `${codeDir} does not exist: build first`, errorType: 'CodeNotFound' })
  const tmpDir = join(dataDir, 'tmp', id)
  await mkdir(tmpDir, { recursive: true })
  const optDir = layerDir(projectDir, config)
  const places = { codeDir, optDir, tmpDir, path: options.path }
  const keys = roleKeys(config, credentials, now, (accessKeyId) => options.instances.issued(accessKeyId, id))
  const { accountId } = credentials
  const setup: InstanceSetup = {
    id,
    config,
    codeDir,
    environment: instanceEnvironment(config, places, { instanceId: id, accountId, keys: keys() }),
    reaper: options.reaper,
    accountId,
    now,
    rewrite: rewriter(places),
    nodeArguments: options.nodeArguments,
    context: (requestId) => context(config, accountId, requestId, keys()),
    contextHeaders: (requestId) => contextHeaders(config, accountId, requestId, keys()),
    log: log.line,
  }
  const cleanUp = () => rm(tmpDir, { recursive: true, force: true, maxRetries: 3 })
  try {
    const instance = config.custom
      ? await startCustom(setup, config.custom)
      : await startBuiltin(setup, options.runtimePath)
    options.instances.started(config.name, instance)
    void instance.exited.then(cleanUp)
    return instance
  } catch (error) {
    log.line(`cannot start: ${error instanceof StartError ? JSON.stringify(error.detail) : messageOf(error)}`)
    await cleanUp()
    throw error
  }
}

/** What is mounted at /opt: the first layer's folder under dist/layers, by its name or what follows a prefix in it. */
function layerDir(projectDir: string, { layers: [name = 'none'] }: FunctionConfig): string {
  const folders = [name, name.replace(/^[^-]*-/, '')].map((folder) => resolve(projectDir, 'dist', 'layers', folder))
  return folders.find((folder) => existsSync(folder)) ?? resolve(projectDir, 'dist', 'layers', name)
}

/** Credentials of the function's role, renewed when half of their life is over. */
function roleKeys(
  config: FunctionConfig,
  credentials: Credentials,
  now: () => number,
  onIssue: (accessKeyId: string) => void,
) {
  let current: SessionCredentials | undefined
  return () => {
    if (config.role === undefined) return undefined
    if (!current || current.expiresAt - now() < (ROLE_SESSION_S * 1000) / 2) {
      current = credentials.issue({ role: config.role, sessionName: config.name, durationSeconds: ROLE_SESSION_S })
      onIssue(current.accessKeyId)
    }
    return current
  }
}

function context(config: FunctionConfig, accountId: string, requestId: string, keys: SessionCredentials | undefined) {
  const { name, handler, memoryMb, timeoutS, region } = config
  return {
    requestId,
    ...(keys ? { credentials: pickKeys(keys) } : {}),
    function: { name, handler, memory: memoryMb, timeout: timeoutS },
    service: { name: '', logProject: '', logStore: '', qualifier: 'LATEST', versionId: '' },
    region,
    accountId,
    tracing: { openTracingSpanContext: '', jaegerEndpoint: '', openTracingSpanBaggages: {} },
  }
}

function contextHeaders(
  config: FunctionConfig,
  accountId: string,
  requestId: string,
  keys: SessionCredentials | undefined,
): Record<string, string> {
  const credentials = keys
    ? {
        'x-fc-access-key-id': keys.accessKeyId,
        'x-fc-access-key-secret': keys.accessKeySecret,
        'x-fc-security-token': keys.securityToken,
      }
    : {}
  return {
    'x-fc-request-id': requestId,
    ...credentials,
    'x-fc-region': config.region,
    'x-fc-account-id': accountId,
    'x-fc-function-name': config.name,
    'x-fc-function-memory': String(config.memoryMb),
    'x-fc-function-timeout': String(config.timeoutS),
    'x-fc-qualifier': 'LATEST',
  }
}

function pickKeys({ accessKeyId, accessKeySecret, securityToken }: SessionCredentials) {
  return { accessKeyId, accessKeySecret, securityToken }
}

interface LogFile {
  line(text: string): void
  flushed(): Promise<void>
}

/** `<data>/logs/<function>.log`, one line after the other. */
function logFile({ dataDir, now }: DeployOptions, name: string): LogFile {
  const folder = join(dataDir, 'logs')
  const path = join(folder, `${name}.log`)
  // The folder may be cleared at any time.
  const append = (text: string) =>
    appendFile(path, text).catch(() => mkdir(folder, { recursive: true }).then(() => appendFile(path, text)))
  let last = Promise.resolve()
  return {
    line(text) {
      const stamped = `${new Date(now()).toISOString()} ${text}\n`
      // A log that cannot be written must not end what it tells of.
      last = last.then(() => append(stamped)).catch(() => {})
    },
    flushed: () => last,
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
