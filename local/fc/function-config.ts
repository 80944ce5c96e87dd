import { integer, list, ManifestError, oneOf, record, text } from './manifest-error.ts'
import { type OssTrigger, parseOssTrigger } from './oss-trigger.ts'
import { parseTimerTrigger, type TimerTrigger } from './timer-trigger.ts'

/** One deployed function, with the service's defaults filled in. */
export interface FunctionConfig {
  readonly name: string
  readonly region: string
  readonly runtime: Runtime
  readonly handler: string
  /** Folder of the built code, as written (relative to `s.yaml`). */
  readonly code: string
  readonly timeoutS: number
  readonly memoryMb: number
  readonly environment: Readonly<Record<string, string>>
  /** Name of the RAM role, without its ARN. */
  readonly role?: string
  /** Names of the layers mounted at /opt. */
  readonly layers: readonly string[]
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

export type Runtime = (typeof RUNTIMES)[number]

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
}

export interface AsyncConfig {
  /** Whether the function is meant for asynchronous invocation (it has an `asyncInvokeConfig`). */
  readonly configured: boolean
  readonly maxRetries: number
  readonly maxAgeS: number
  readonly onSuccess?: string
  readonly onFailure?: string
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const

/** Reads the `props` of a resource of component `fc3`. */
export function parseFunction(props: Record<string, unknown>, where: string): FunctionConfig {
  const name = text(props.functionName, `${where}.functionName`)
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name)) {
    throw new ManifestError(`${where}.functionName`, 'expected 1 to 64 of A-Z a-z 0-9 _ -, not starting with a digit')
  }
  const runtime = oneOf(props.runtime, `${where}.runtime`, RUNTIMES)
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
    const type = oneOf(trigger.triggerType, `${where}.triggerType`, ['http', 'oss', 'timer'])
    if (type === 'oss') oss.push(parseOssTrigger(trigger, where))
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

function parseAsync(value: unknown, where: string): AsyncConfig {
  const config = record(value ?? {}, where)
  const destinations = record(config.destinationConfig ?? {}, `${where}.destinationConfig`)
  return {
    configured: value !== undefined,
    maxRetries: integer(config.maxAsyncRetryAttempts, `${where}.maxAsyncRetryAttempts`, [0, 8], 3),
    maxAgeS: integer(config.maxAsyncEventAgeInSeconds, `${where}.maxAsyncEventAgeInSeconds`, [1, 604_800], 86_400),
    ...destination('onSuccess', destinations.onSuccess, `${where}.destinationConfig`),
    ...destination('onFailure', destinations.onFailure, `${where}.destinationConfig`),
  }
}

function destination(kind: 'onSuccess' | 'onFailure', value: unknown, where: string): { [kind]?: string } {
  if (value === undefined) return {}
  const arn = text(record(value, `${where}.${kind}`).destination, `${where}.${kind}.destination`)
  const name = /^acs:fc:[^:]+:\d+:functions\/([A-Za-z0-9_-]+)(?:\/[A-Za-z0-9_-]+)?$/.exec(arn)?.[1]
  if (!name) throw new ManifestError(`${where}.${kind}`, 'expected acs:fc:REGION:ACCOUNT:functions/NAME')
  return { [kind]: name }
}

function roleName(value: unknown, where: string): string {
  const role = text(value, where)
  const name = /^(?:acs:ram::\d+:role\/)?([A-Za-z0-9.@_-]+)$/i.exec(role)?.[1]
  if (!name) throw new ManifestError(where, 'expected acs:ram::ACCOUNT:role/NAME or a role name')
  return name.toLowerCase()
}

function layerName(value: unknown, where: string): string {
  const name = /^acs:fc:[^:]+:[^:]+:layers\/([A-Za-z0-9_-]+)\/versions\/\d+$/.exec(text(value, where))?.[1]
  if (!name) throw new ManifestError(where, 'expected acs:fc:REGION:ACCOUNT:layers/NAME/versions/N')
  return name
}
