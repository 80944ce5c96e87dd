import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { OpenApiError } from '../wire/acs3.ts'
import type { Catalog } from './catalog.ts'
import { type Deployed, type DeployOptions, deploy } from './deployed.ts'
import { type AsyncConfig, type FunctionConfig, type HttpTrigger, parseAsync } from './function-config.ts'
import { configOf, type FunctionRecord, whyNotRun } from './function-record.ts'
import { StartError } from './instance.ts'
import { optFolder, projectLayer } from './layer-folders.ts'
import type { Packages } from './packages.ts'
import { type AliasRecord, numbered, type Records } from './records.ts'
import { httpTriggerOf } from './triggers.ts'

/** What a name and a qualifier lead to at this moment. */
export interface Target {
  readonly record: FunctionRecord
  readonly deployed: Deployed
  /** `LATEST` or the number of a published version. */
  readonly versionId: string
  readonly async: AsyncConfig
  /** The HTTP trigger of this qualifier, if it has one. */
  readonly http?: HttpTrigger
}

/** The functions as they run: pools of instances, made when somebody asks for them. */
export interface Fleet {
  /** Throws FunctionNotFound, VersionNotFound or AliasNotFound. */
  find(functionName: string, qualifier?: string): Target
  /** The same without a word: what was asked for may be gone by now. */
  lookUp(functionName: string, qualifier?: string): Target | undefined
  /** Throws the same. */
  record(functionName: string, qualifier?: string): FunctionRecord
  /** Ends whatever works on a request. */
  abort(requestId: string): void
  /** Lets go of what has changed or is gone, without waiting for it. */
  refresh(functionName: string): void
  close(): Promise<void>
}

export interface FleetOptions extends Omit<DeployOptions, 'codeDir' | 'optDir' | 'maxInstances'> {
  readonly catalog: Pick<Catalog, 'derived'>
  readonly records: Records
  readonly packages: Packages
  readonly projectDir: string
  readonly region: string
  /** Instances at most, by function name; the rest is chosen by the machine's size. */
  readonly maxInstances?: Readonly<Record<string, number>>
}

/** A pool and the state of the function that it runs. */
interface Running {
  readonly revision: string
  readonly deployed: Deployed
}

/** Opens the fleet; nothing is started yet. */
export function openFleet(options: FleetOptions): Fleet {
  const { records } = options
  const running = new Map<string, Running>()
  const retired = new Set<Deployed>()
  const targets = options.catalog.derived(() => new Map<string, Target>())

  function deployedOf(record: FunctionRecord, versionId: string): Deployed {
    const key = `${record.functionName}\n${versionId}`
    const present = running.get(key)
    if (present?.revision === record.revision) return present.deployed
    if (present) retire(present.deployed)
    const deployed = start(record, versionId, options)
    running.set(key, { revision: record.revision, deployed })
    return deployed
  }

  function retire(deployed: Deployed): void {
    retired.add(deployed)
    deployed.retire()
  }

  function recordOf(functionName: string, versionId: string): FunctionRecord | undefined {
    const latest = records.functions.get(functionName)
    if (!latest || versionId === 'LATEST') return latest
    return records.versions.get(functionName, numbered(versionId))?.function
  }

  function find(functionName: string, qualifier = 'LATEST'): Target {
    const key = `${functionName}\n${qualifier}`
    const known = targets().get(key)
    if (known) return known
    const { record, versionId, isByChance } = resolveQualifier(records, functionName, qualifier)
    const target = {
      record,
      versionId,
      deployed: deployedOf(record, versionId),
      async: asyncConfig(records, functionName, qualifier),
      ...httpTrigger(records, functionName, qualifier),
    }
    if (!isByChance) targets().set(key, target)
    return target
  }

  return {
    record: (functionName, qualifier = 'LATEST') => resolveQualifier(records, functionName, qualifier).record,
    find,
    lookUp(functionName, qualifier) {
      try {
        return find(functionName, qualifier)
      } catch (error) {
        if (error instanceof OpenApiError) return undefined
        throw error
      }
    },
    abort(requestId) {
      for (const { deployed } of running.values()) deployed.abort(requestId)
      for (const deployed of retired) deployed.abort(requestId)
    },
    refresh(functionName) {
      for (const [key, { revision, deployed }] of running) {
        const [name = '', versionId = ''] = key.split('\n')
        if (name !== functionName || recordOf(name, versionId)?.revision === revision) continue
        running.delete(key)
        retire(deployed)
      }
    },
    async close() {
      const all = [...[...running.values()].map(({ deployed }) => deployed), ...retired]
      await Promise.all(all.map((deployed) => deployed.close()))
    },
  }
}

function start(record: FunctionRecord, versionId: string, options: FleetOptions): Deployed {
  const { records, packages, projectDir, dataDir } = options
  const version = versionId === 'LATEST' ? {} : { versionId }
  const config = { ...configOf(record, options.region), ...version }
  const problem = whyNotRun(record)
  return deploy(config, {
    ...options,
    async codeDir() {
      if (problem !== undefined) throw new StartError({ errorMessage: problem, errorType: 'RuntimeNotFound' })
      return record.code.kind === 'folder' ? resolve(projectDir, record.code.path) : packages.folder(record.code.id)
    },
    optDir: () =>
      optFolder(
        config.layers,
        async (layer) => {
          const kept = records.layers.get(layer.name, numbered(layer.version))
          return kept ? packages.folder(kept.code.id) : projectLayer(projectDir, layer)
        },
        { project: projectDir, merged: join(dataDir, 'fc-layers') },
      ),
    maxInstances: () => instancesAtMost(config, records, options.maxInstances?.[config.name]),
  })
}

/** Functions meant for asynchronous work share the machine's cores; the others mostly wait. */
function instancesAtMost(config: FunctionConfig, records: Records, wanted: number | undefined): number {
  const isAsync = records.asyncConfigs.list(config.name).length > 0
  const hasHttp = records.triggers.list(config.name).some(({ triggerType }) => triggerType === 'http')
  const fallback = config.custom ? 2 : isAsync && !hasHttp ? Math.min(4, availableParallelism()) : 8
  const reserved = records.concurrency.get(config.name)?.settings.reservedConcurrency
  return Math.min(wanted ?? fallback, typeof reserved === 'number' ? Math.max(1, reserved) : Number.POSITIVE_INFINITY)
}

/** An alias leads to its version, or, by chance and weight, to its other one. */
function resolveQualifier(records: Records, functionName: string, qualifier: string) {
  const latest = records.functions.get(functionName)
  if (!latest) throw new OpenApiError(404, 'FunctionNotFound', `function '${functionName}' does not exist`)
  const alias = /^(LATEST|\d*)$/.test(qualifier) ? undefined : aliasOf(records, functionName, qualifier)
  const isByChance = alias !== undefined && Object.keys(alias.additionalVersionWeight).length > 0
  const versionId = (alias ? versionOf(alias) : qualifier) || 'LATEST'
  if (versionId === 'LATEST') return { record: latest, versionId, isByChance }
  const version = records.versions.get(functionName, numbered(versionId))
  if (version) return { record: version.function, versionId, isByChance }
  throw new OpenApiError(404, 'VersionNotFound', `version '${versionId}' of function '${functionName}' does not exist`)
}

function aliasOf(records: Records, functionName: string, aliasName: string): AliasRecord {
  const alias = records.aliases.get(functionName, aliasName)
  if (alias) return alias
  throw new OpenApiError(404, 'AliasNotFound', `alias '${aliasName}' of function '${functionName}' does not exist`)
}

function versionOf({ versionId, additionalVersionWeight }: AliasRecord): string {
  const [other] = Object.entries(additionalVersionWeight)
  return other && Math.random() < other[1] ? other[0] : versionId
}

function asyncConfig(records: Records, functionName: string, qualifier: string): AsyncConfig {
  return parseAsync(records.asyncConfigs.get(functionName, qualifier)?.settings, 'asyncInvokeConfig')
}

function httpTrigger(records: Records, functionName: string, qualifier: string): { http?: HttpTrigger } {
  const triggers = records.triggers.list(functionName)
  const trigger = triggers.find((one) => one.triggerType === 'http' && one.qualifier === qualifier)
  return trigger ? { http: httpTriggerOf(trigger) } : {}
}
