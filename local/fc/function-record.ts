import { randomUUID } from 'node:crypto'
import { type FunctionConfig, layerName, parseAnyFunction } from './function-config.ts'
import { integer, list, ManifestError, oneOf, record, text } from './manifest-error.ts'
import type { PackageRef } from './packages.ts'

/** A function as it is deployed: its settings in the words of the API, and where its code is. */
export interface FunctionRecord {
  readonly functionName: string
  readonly functionId: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly modifiedAt: number
  /** Another one with every change: instances of an older one are let go. */
  readonly revision: string
  readonly spec: Spec
  readonly code: CodeRef
  /** Of the version that was published last; 0 before the first. */
  readonly lastVersion: number
}

/** Settings by the names of CreateFunctionInput, defaults filled in. */
export type Spec = Readonly<Record<string, unknown>>

/** Code of `s.yaml` is a folder of the project, uploaded code a package. */
export type CodeRef = { readonly kind: 'folder'; readonly path: string } | (PackageRef & { readonly kind: 'package' })

/** Every runtime that the service names. https://www.alibabacloud.com/help/en/functioncompute/fc/product-overview/runtimes */
const RUNTIMES = [
  ...['nodejs6', 'nodejs8', 'nodejs10', 'nodejs12', 'nodejs14', 'nodejs16', 'nodejs18', 'nodejs20', 'nodejs22'],
  ...['python2.7', 'python3', 'python3.6', 'python3.9', 'python3.10', 'python3.12', 'go1', 'java8', 'java11', 'java17'],
  ...['php7.2', 'dotnetcore2.1', 'dotnetcore3.1', 'custom', 'custom.debian10', 'custom.debian11', 'custom.debian12'],
  'custom-container',
]

const FIELDS = [
  ...['cpu', 'customContainerConfig', 'customDNS', 'customRuntimeConfig', 'description', 'disableInjectCredentials'],
  ...['disableOndemand', 'diskSize', 'enableLongLiving', 'environmentVariables', 'gpuConfig', 'handler', 'idleTimeout'],
  ...['instanceConcurrency', 'instanceIsolationMode', 'instanceLifecycleConfig', 'internetAccess', 'juiceFsConfig'],
  ...['layers', 'logConfig', 'memorySize', 'nasConfig', 'ossMountConfig', 'polarFsConfig', 'resourceGroupId', 'role'],
  ...['runtime', 'sessionAffinity', 'sessionAffinityConfig', 'timeout', 'tracingConfig', 'vpcConfig'],
]

/** A function that is new at this moment. */
export function newFunction(functionName: string, spec: Spec, code: CodeRef, at: number): FunctionRecord {
  const ids = { functionId: randomUUID(), revision: randomUUID() }
  return { functionName, ...ids, createdAt: at, modifiedAt: at, spec, code, lastVersion: 0 }
}

/** The same function with other settings or other code. */
export function changedFunction(
  before: FunctionRecord,
  change: { readonly spec?: Spec; readonly code?: CodeRef },
  at: number,
): FunctionRecord {
  return { ...before, ...change, modifiedAt: at, revision: randomUUID() }
}

/** Reads a function's name or refuses it. */
export function readFunctionName(value: unknown): string {
  const name = text(value, 'functionName')
  if (/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name)) return name
  throw new ManifestError('functionName', 'expected 1 to 64 of A-Z a-z 0-9 _ -, not starting with a digit or -')
}

/** Settings out of a request: what it says above what was there, checked, with the service's defaults. */
export function readSpec(input: Record<string, unknown>, before: Spec = {}): Spec {
  const given = FIELDS.filter((name) => input[name] !== undefined && input[name] !== null)
  const spec: Record<string, unknown> = { ...before, ...Object.fromEntries(given.map((name) => [name, input[name]])) }
  const runtime = oneOf(spec.runtime, 'runtime', RUNTIMES)
  if (!runtime.startsWith('custom')) text(spec.handler, 'handler')
  const memorySize = integer(spec.memorySize, 'memorySize', [128, 32_768], 512)
  if (memorySize % 64 !== 0) throw new ManifestError('memorySize', 'expected a multiple of 64')
  const full = {
    description: '',
    internetAccess: true,
    environmentVariables: {},
    instanceConcurrency: 1,
    ...spec,
    runtime,
    handler: spec.handler ?? '',
    memorySize,
    cpu: readCpu(spec.cpu, memorySize),
    diskSize: spec.diskSize ?? 512,
    timeout: integer(spec.timeout, 'timeout', [1, 86_400], 3),
  }
  checkDetails(full)
  return full
}

/** The settings that `s.yaml` gives a function; they have been checked as a whole before. */
export function declaredSpec(props: Record<string, unknown>): Spec {
  const variables = Object.entries(record(props.environmentVariables ?? {}, 'environmentVariables'))
  const environmentVariables = Object.fromEntries(variables.map(([key, value]) => [key, String(value ?? '')]))
  const given = FIELDS.filter((name) => props[name] !== undefined && props[name] !== 'auto')
  const memorySize = integer(props.memorySize, 'memorySize', [128, 32_768], 512)
  return {
    description: '',
    internetAccess: true,
    instanceConcurrency: 1,
    cpu: cpuFor(memorySize),
    diskSize: 512,
    handler: '',
    ...Object.fromEntries(given.map((name) => [name, props[name]])),
    environmentVariables,
    memorySize,
    timeout: integer(props.timeout, 'timeout', [1, 86_400], 3),
  }
}

/** What an instance is started from. */
export function configOf({ functionName, spec }: FunctionRecord, region: string): FunctionConfig {
  const isCustom = String(spec.runtime).startsWith('custom')
  const custom = record(spec.customRuntimeConfig ?? {}, 'customRuntimeConfig')
  const hasCommand = list(custom.command, 'command').length > 0
  const props = {
    ...spec,
    functionName,
    region,
    code: '.',
    // https://www.alibabacloud.com/help/en/functioncompute/fc/user-guide/principles: without a command it is bootstrap.
    ...(isCustom && !hasCommand ? { customRuntimeConfig: { ...custom, command: ['/code/bootstrap'] } } : {}),
    ...(spec.role === '' ? { role: undefined } : {}),
  }
  return parseAnyFunction(props, 'function')
}

/** Why a function cannot run here, if it cannot. */
export function whyNotRun({ spec }: Pick<FunctionRecord, 'spec'>): string | undefined {
  const runtime = String(spec.runtime)
  if (/^(nodejs\d+|custom(\.debian\d+)?)$/.test(runtime)) return undefined
  return `The local cloud has no runtime ${runtime}`
}

function readCpu(value: unknown, memorySize: number): number {
  if (value === undefined) return cpuFor(memorySize)
  const ratio = memorySize / 1024 / Number(value)
  const isStep = typeof value === 'number' && Math.abs(value * 20 - Math.round(value * 20)) < 1e-9
  if (!isStep || value < 0.05 || value > 16)
    throw new ManifestError('cpu', 'expected a multiple of 0.05 from 0.05 to 16')
  if (ratio < 1 || ratio > 4)
    throw new ManifestError('cpu', 'the ratio of cpu to memorySize (in GB) must be 1:1 to 1:4')
  return value
}

function cpuFor(memorySize: number): number {
  return memorySize === 512 ? 0.35 : Math.max(0.05, Math.round((memorySize / 2048) * 20) / 20)
}

function checkDetails(spec: Record<string, unknown>): void {
  if (typeof spec.description !== 'string' || spec.description.length > 256) {
    throw new ManifestError('description', 'expected text of at most 256 characters')
  }
  if (spec.diskSize !== 512 && spec.diskSize !== 10_240) throw new ManifestError('diskSize', 'expected 512 or 10240')
  if (typeof spec.internetAccess !== 'boolean') throw new ManifestError('internetAccess', 'expected true or false')
  checkEnvironment(spec.environmentVariables)
  if (spec.role !== undefined && spec.role !== '') checkRole(spec.role)
  const layers = list(spec.layers, 'layers')
  if (layers.length > 5) throw new ManifestError('layers', 'expected five at most')
  for (const arn of layers) layerName(arn, 'layers')
  // The rest is checked by reading it as an instance would.
  configOf(newFunction('check', spec, { kind: 'folder', path: '' }, 0), 'cn-hangzhou')
}

function checkEnvironment(value: unknown): void {
  const entries = Object.entries(record(value, 'environmentVariables'))
  for (const [name, item] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || typeof item !== 'string') {
      throw new ManifestError(
        `environmentVariables.${name.slice(0, 64)}`,
        'expected a name of letters, digits and _, and text',
      )
    }
  }
  const size = entries.reduce((sum, [name, item]) => sum + name.length + Buffer.byteLength(String(item)), 0)
  if (size > 4096) throw new ManifestError('environmentVariables', 'expected 4 KB at most')
}

function checkRole(value: unknown): void {
  if (typeof value === 'string' && /^acs:ram::\d+:role\/[A-Za-z0-9.@_/-]{1,64}$/i.test(value)) return
  throw new ManifestError('role', 'expected acs:ram::ACCOUNT:role/NAME')
}
