import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Credentials, SessionCredentials } from '../wire/credentials.ts'
import { startBuiltin } from './builtin.ts'
import { startCustom } from './custom.ts'
import { instanceEnvironment, rewriter } from './environment.ts'
import type { FunctionConfig } from './function-config.ts'
import { framed, type LogFile, logFile } from './function-log.ts'
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
  /** The same, with what the caller may want to know beside the outcome. */
  call(requestId: string, payload: Buffer): Promise<Called>
  /** Kills the instance that works on a request, if one does. */
  abort(requestId: string): void
  /** Answers a request; the instance is busy until the answer is sent. */
  http(requestId: string, request: HttpRequest, send: (reply: HttpReply) => Promise<void>): Promise<void>
  /** Starts an instance unless one is there; throws what keeps the code from loading. */
  warm(): Promise<void>
  /** Ends as soon as what has begun and who waits is done; whoever comes now is served by its successor. */
  retire(): void
  close(): Promise<void>
}

/** An invocation that has ended. */
export interface Called {
  readonly outcome: Outcome
  readonly durationMs: number
  /** Absent when no instance could be started. */
  readonly instanceId?: string
  /** What the function printed meanwhile, in the frame that the service puts around it. */
  readonly log: string
}

export interface DeployOptions {
  readonly dataDir: string
  /** Where the code is; throws `StartError`. */
  codeDir(): Promise<string>
  /** What is mounted at /opt. */
  optDir(): Promise<string>
  readonly runtimePath: string
  readonly path: string
  readonly credentials: Credentials
  readonly reaper: Reaper
  readonly instances: Instances
  /** How node is started so that it sees the local cloud's time. */
  readonly nodeArguments: readonly string[]
  maxInstances(): number
  readonly idleMs: number
  readonly freeze: boolean
  now(): number
}

/** Role credentials in the context are good for 36 hours. */
const ROLE_SESSION_S = 36 * 3600

/** Makes a function callable: a pool of processes, a log file, a time limit for each request. */
export function deploy(config: FunctionConfig, options: DeployOptions): Deployed {
  const log = logFile(options, config.name)
  const busy = new Map<string, Instance>()
  const listeners = new Map<string, (line: string) => void>()
  const pool = createPool({
    maxInstances: options.maxInstances,
    concurrency: config.instanceConcurrency,
    idleMs: options.idleMs,
    freeze: options.freeze && !config.custom,
    launch: () => launch(config, options, log, (instanceId, line) => listeners.get(instanceId)?.(line)),
  })
  const limit = <T>(requestId: string, work: (instance: Instance) => Promise<T>, late: () => T) =>
    limited(pool, { requestId, timeoutS: config.timeoutS, log: log.line, busy }, work, late)
  async function invoke(requestId: string, payload: Buffer): Promise<Outcome>
  async function invoke(requestId: string, payload: Buffer, isStale?: () => boolean): Promise<Outcome | undefined> {
    const work = async (instance: Instance) => (isStale?.() ? undefined : instance.invoke(requestId, payload))
    return limit<Outcome | undefined>(requestId, work, () => timedOut(config)).catch(notStarted)
  }
  async function call(requestId: string, payload: Buffer): Promise<Called> {
    const startedAt = performance.now()
    const lines: string[] = []
    let instanceId: string | undefined
    const work = async (instance: Instance) => {
      instanceId = instance.id
      listeners.set(instance.id, (line) => void lines.push(line))
      const outcome = await instance.invoke(requestId, payload)
      // What was printed last may still be in the pipe.
      await pause(PIPE_MS)
      listeners.delete(instance.id)
      return outcome
    }
    const outcome = await limit<Outcome>(requestId, work, () => timedOut(config)).catch(notStarted)
    const durationMs = performance.now() - startedAt
    const frame = framed(lines, { requestId, durationMs, memoryMb: config.memoryMb })
    return { outcome, durationMs, log: frame, ...(instanceId === undefined ? {} : { instanceId }) }
  }
  return {
    config,
    invoke,
    call,
    abort: (requestId) => busy.get(requestId)?.kill(),
    http: (requestId, request, send) =>
      limit(
        requestId,
        async (instance) => send(await instance.http(requestId, request)),
        () => void send(badGateway(`Function timed out after ${config.timeoutS} seconds`, 504)),
      ).catch((error: unknown) => send(badGateway(messageOf(error)))),
    warm: () => pool.run(async () => {}),
    retire: () => pool.retire(),
    async close() {
      await pool.close()
      await log.flushed()
    },
  }
}

async function limited<T>(
  pool: Pool,
  call: { requestId: string; timeoutS: number; log: (line: string) => void; busy: Map<string, Instance> },
  work: (instance: Instance) => Promise<T>,
  late: () => T,
): Promise<T> {
  return pool.run(async (instance) => {
    call.log(`FC Invoke Start RequestId: ${call.requestId}`)
    call.busy.set(call.requestId, instance)
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
      call.busy.delete(call.requestId)
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

/** How long what a process has written before its answer may take through the pipe. */
const PIPE_MS = 10

async function launch(
  config: FunctionConfig,
  options: DeployOptions,
  log: LogFile,
  listen: (instanceId: string, line: string) => void,
): Promise<Instance> {
  const { dataDir, credentials, now } = options
  const id = `c-${randomBytes(4).toString('hex')}-${randomBytes(6).toString('hex')}`
  const codeDir = await options.codeDir()
  if (!existsSync(codeDir))
    throw new StartError({ errorMessage: `${codeDir} does not exist: build first`, errorType: 'CodeNotFound' })
  const tmpDir = join(dataDir, 'tmp', id)
  await mkdir(tmpDir, { recursive: true })
  const optDir = await options.optDir()
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
    log(line) {
      log.line(line)
      listen(id, line)
    },
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
    service: {
      name: '',
      logProject: '',
      logStore: '',
      qualifier: config.versionId ?? 'LATEST',
      versionId: config.versionId ?? '',
    },
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
    'x-fc-qualifier': config.versionId ?? 'LATEST',
    'x-fc-version-id': config.versionId ?? '',
  }
}

function pickKeys({ accessKeyId, accessKeySecret, securityToken }: SessionCredentials) {
  return { accessKeyId, accessKeySecret, securityToken }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
