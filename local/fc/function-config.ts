import { integer, list, ManifestError, oneOf, record, text } from './manifest-error.ts'
import { parseMnsTrigger } from './mns-trigger.ts'
import { type OssTrigger, parseOssTrigger } from './oss-trigger.ts'
import { parseTimerTrigger, type TimerTrigger } from './timer-trigger.ts'

/** One deployed function, with the service's defaults filled in. */
export interface FunctionConfig {
  readonly name: string
  /** The published version that this is; absent: LATEST. */
  readonly versionId?: string
  readonly region: string
  readonly runtime: string
  readonly handler: string
  /** Folder of the built code, as written (relative to `s.yaml`). */
  readonly code: string
  readonly timeoutS: number
  readonly memoryMb: number
  readonly environment: Readonly<Record<string, string>>
  /** Name of the RAM role, without its ARN. */
  readonly role?: string
  /** What is mounted at /opt; where two have the same file, the first one's counts. */
  readonly layers: readonly LayerName[]
  readonly instanceConcurrency: number
  readonly reservedConcurrency?: number
  readonly custom?: CustomRuntime
  readonly initializer?: Hook
  readonly preStop?: Hook
  readonly http?: HttpTrigger
  readonly oss: readonly OssTrigger[]
  readonly timers: readonly TimerTrigger[]
  readonly async: AsyncConfig
}

const RUNTIMES = ['nodejs18', 'nodejs20', 'custom.debian10', 'custom.debian12'] as const

/** A version of a layer. */
export interface LayerName {
  /** As written; other accounts have layers too. */
  readonly arn: string
  readonly name: string
  readonly version: string
}

export interface CustomRuntime {
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly port: number
}

export interface Hook {
  readonly handler: string
  readonly timeoutS: number
}

export interface HttpTrigger {
  readonly methods: readonly string[]
  /** Absent: anonymous. */
  readonly authType?: 'anonymous' | 'function' | 'jwt'
  /** Reached through custom domains only. */
  readonly isOffInternet?: boolean
}

export interface AsyncConfig {
  /** Whether each invocation can be looked up afterwards. */
  readonly isTask: boolean
  readonly maxRetries: number
  readonly maxAgeS: number
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
}

/** Where the result of an asynchronous invocation is told. */
export type Destination =
  | { readonly kind: 'function'; readonly name: string; readonly qualifier?: string }
  | { readonly kind: 'queue' | 'topic'; readonly name: string }

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const

/** Reads the `props` of a resource of component `fc3`. */
export function parseFunction(props: Record<string, unknown>, where: string): FunctionConfig {
  oneOf(props.runtime, `${where}.runtime`, RUNTIMES)
  return parseAnyFunction(props, where)
}

/** The same for every runtime that the service knows, whether it can be run here or not. */
export function parseAnyFunction(props: Record<string, unknown>, where: string): FunctionConfig {
  const name = text(props.functionName, `${where}.functionName`)
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name)) {
    throw new ManifestError(`${where}.functionName`, 'expected 1 to 64 of A-Z a-z 0-9 _ -, not starting with a digit')
  }
  const runtime = text(props.runtime, `${where}.runtime`)
  const isCustom = runtime.startsWith('custom')
  const hooks = record(props.instanceLifecycleConfig ?? {}, `${where}.instanceLifecycleConfig`)
  return {
    name,
    region: text(props.region, `${where}.region`),
    runtime,
    handler: isCustom ? '' : text(props.handler, `${where}.handler`),
    code: text(props.code, `${where}.code`),
    timeoutS: integer(props.timeout, `${where}.timeout`, [1, 86_400], 3),
    memoryMb: integer(props.memorySize, `${where}.memorySize`, [128, 32_768], 512),
    environment: parseEnvironment(props.environmentVariables, `${where}.environmentVariables`),
    layers: list(props.layers, `${where}.layers`).map((arn) => layerName(arn, `${where}.layers`)),
    instanceConcurrency: parseInstanceConcurrency(props.instanceConcurrency, where, isCustom),
    ...parseReserved(props.concurrencyConfig, `${where}.concurrencyConfig`),
    ...(props.role === undefined ? {} : { role: roleName(props.role, `${where}.role`) }),
    ...(isCustom ? { custom: parseCustom(props.customRuntimeConfig, `${where}.customRuntimeConfig`) } : {}),
    ...(hooks.initializer === undefined ? {} : { initializer: parseHook(hooks.initializer, `${where}.initializer`) }),
    ...(hooks.preStop === undefined ? {} : { preStop: parseHook(hooks.preStop, `${where}.preStop`) }),
    ...parseTriggers(list(props.triggers, `${where}.triggers`), `${where}.triggers`),
    async: parseAsync(props.asyncInvokeConfig, `${where}.asyncInvokeConfig`),
  }
}

function parseEnvironment(value: unknown, where: string): Record<string, string> {
  const entries = Object.entries(record(value ?? {}, where))
  return Object.fromEntries(entries.map(([key, item]) => [key, item === null ? '' : String(item)]))
}

function parseInstanceConcurrency(value: unknown, where: string, isCustom: boolean): number {
  const at = `${where}.instanceConcurrency`
  const wanted = integer(value, at, [1, 200], 1)
  if (wanted > 1 && !isCustom) throw new ManifestError(at, 'built-in runtimes serve one request per instance')
  return wanted
}

function parseReserved(value: unknown, where: string): { reservedConcurrency?: number } {
  if (value === undefined) return {}
  const reserved = record(value, where).reservedConcurrency
  return { reservedConcurrency: integer(reserved, `${where}.reservedConcurrency`, [1, 100_000], 1) }
}

function parseCustom(value: unknown, where: string): CustomRuntime {
  const config = record(value ?? {}, where)
  const command = list(config.command, `${where}.command`).map((item) => text(item, `${where}.command`))
  if (command.length === 0) throw new ManifestError(`${where}.command`, 'expected the program that serves HTTP')
  return {
    command,
    args: list(config.args, `${where}.args`).map((item) => String(item)),
    port: integer(config.port, `${where}.port`, [1, 65_535], 9000),
  }
}

function parseHook(value: unknown, where: string): Hook {
  const hook = record(value, where)
  return {
    handler: typeof hook.handler === 'string' ? hook.handler : '',
    timeoutS: integer(hook.timeout, `${where}.timeout`, [1, 600], 3),
  }
}

function parseTriggers(triggers: readonly unknown[], where: string) {
  const oss: OssTrigger[] = []
  const timers: TimerTrigger[] = []
  let http: HttpTrigger | undefined
  for (const item of triggers) {
    const trigger = record(item, where)
    const type = oneOf(trigger.triggerType, `${where}.triggerType`, ['http', 'oss', 'timer', 'mns_topic'])
    if (type === 'mns_topic') parseMnsTrigger(trigger, where)
    else if (type === 'oss') oss.push(parseOssTrigger(trigger, where))
    else if (type === 'timer') timers.push(parseTimerTrigger(trigger, where))
    else if (http) throw new ManifestError(where, 'a function has at most one HTTP trigger')
    else http = parseHttpTrigger(trigger, where)
  }
  return { oss, timers, ...(http ? { http } : {}) }
}

function parseHttpTrigger(trigger: Record<string, unknown>, where: string): HttpTrigger {
  const config = record(trigger.triggerConfig, `${where}.triggerConfig`)
  oneOf(config.authType, `${where}.triggerConfig.authType`, ['anonymous'])
  const methods = list(config.methods, `${where}.triggerConfig.methods`)
  return { methods: methods.map((method) => oneOf(method, `${where}.triggerConfig.methods`, METHODS)) }
}

/** Reads an `asyncInvokeConfig`. */
export function parseAsync(value: unknown, where: string): AsyncConfig {
  const config = record(value ?? {}, where)
  const destinations = record(config.destinationConfig ?? {}, `${where}.destinationConfig`)
  return {
    isTask: config.asyncTask === true || config.asyncTask === 'true',
    maxRetries: integer(config.maxAsyncRetryAttempts, `${where}.maxAsyncRetryAttempts`, [0, 8], 3),
    maxAgeS: integer(config.maxAsyncEventAgeInSeconds, `${where}.maxAsyncEventAgeInSeconds`, [1, 604_800], 86_400),
    ...destination('onSuccess', destinations.onSuccess, `${where}.destinationConfig`),
    ...destination('onFailure', destinations.onFailure, `${where}.destinationConfig`),
  }
}

function destination(kind: 'onSuccess' | 'onFailure', value: unknown, where: string): { [kind]?: Destination } {
  const arn = value === undefined || value === null ? undefined : record(value, `${where}.${kind}`).destination
  return arn === undefined || arn === ''
    ? {}
    : { [kind]: parseDestination(text(arn, `${where}.${kind}.destination`), where) }
}

function parseDestination(arn: string, where: string): Destination {
  const [, name, qualifier] = /^acs:fc:[^:]+:\d+:functions\/([A-Za-z0-9_-]+)(?:\/([A-Za-z0-9_-]+))?$/.exec(arn) ?? []
  if (name !== undefined) return { kind: 'function', name, ...(qualifier === undefined ? {} : { qualifier }) }
  const [, kind, of] = /^acs:mns:[^:]+:\d+:\/(queues|topics)\/([A-Za-z0-9_-]+)\/messages$/.exec(arn) ?? []
  if (of !== undefined) return { kind: kind === 'queues' ? 'queue' : 'topic', name: of }
  throw new ManifestError(
    where,
    'expected acs:fc:REGION:ACCOUNT:functions/NAME or acs:mns:REGION:ACCOUNT:/queues/NAME/messages',
  )
}

function roleName(value: unknown, where: string): string {
  const role = text(value, where)
  const name = /^(?:acs:ram::\d+:role\/)?([A-Za-z0-9.@_-]+)$/i.exec(role)?.[1]
  if (!name) throw new ManifestError(where, 'expected acs:ram::ACCOUNT:role/NAME or a role name')
  return name.toLowerCase()
}

/** Reads the ARN of a layer. */
export function layerName(value: unknown, where: string): LayerName {
  const arn = text(value, where)
  const match = /^acs:fc:[^:]+:[^:]+:layers\/([A-Za-z0-9_-]+)\/versions\/(\d+)$/.exec(arn)
  if (!match) throw new ManifestError(where, 'expected acs:fc:REGION:ACCOUNT:layers/NAME/versions/N')
  const [, name = '', version = ''] = match
  return { arn, name, version }
}
