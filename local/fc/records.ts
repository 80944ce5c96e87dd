import type { Catalog, Table } from './catalog.ts'
import type { FunctionRecord } from './function-record.ts'
import type { PackageRef } from './packages.ts'

/** A trigger, as the API states it. */
export interface TriggerRecord {
  readonly functionName: string
  readonly triggerName: string
  readonly triggerId: string
  readonly triggerType: string
  /** JSON, as given. */
  readonly triggerConfig: string
  readonly qualifier: string
  readonly sourceArn?: string
  readonly invocationRole?: string
  readonly description: string
  readonly createdAt: number
  readonly modifiedAt: number
}

/** A published version: the function as it was then. */
export interface VersionRecord {
  readonly versionId: string
  readonly description: string
  readonly createdAt: number
  readonly function: FunctionRecord
}

export interface AliasRecord {
  readonly aliasName: string
  readonly versionId: string
  readonly description: string
  readonly additionalVersionWeight: Readonly<Record<string, number>>
  readonly createdAt: number
  readonly modifiedAt: number
}

/** Settings that are kept for a function and a qualifier, in the words of the API. */
export interface SettingRecord {
  readonly functionName: string
  readonly qualifier: string
  readonly createdAt: number
  readonly modifiedAt: number
  readonly settings: Readonly<Record<string, unknown>>
}

export interface DomainRecord {
  readonly domainName: string
  readonly createdAt: number
  readonly modifiedAt: number
  readonly settings: Readonly<Record<string, unknown>>
}

export interface LayerRecord {
  readonly layerName: string
  readonly version: number
  readonly description: string
  readonly license: string
  readonly compatibleRuntime: readonly string[]
  readonly code: PackageRef
  readonly createdAt: number
}

/** Every kind of record there is. */
export interface Records {
  readonly functions: Table<FunctionRecord>
  /** By function and version. */
  readonly versions: Table<VersionRecord>
  readonly aliases: Table<AliasRecord>
  readonly triggers: Table<TriggerRecord>
  /** By function and qualifier. */
  readonly asyncConfigs: Table<SettingRecord>
  readonly provisionConfigs: Table<SettingRecord>
  readonly scalingConfigs: Table<SettingRecord>
  /** By function. */
  readonly concurrency: Table<SettingRecord>
  readonly vpcBindings: Table<{ readonly vpcId: string }>
  readonly domains: Table<DomainRecord>
  /** By name and version; versions have leading zeros so that they sort. */
  readonly layers: Table<LayerRecord>
  /** By name of the layer: `1` where everybody may use it, and the last version. */
  readonly layerHeads: Table<{ readonly acl: '0' | '1'; readonly lastVersion: number }>
  /** By ARN and key. */
  readonly tags: Table<{ readonly arn: string; readonly key: string; readonly value: string }>
}

/** Opens the tables of a catalog. */
export function openRecords(catalog: Catalog): Records {
  return {
    functions: catalog.table('function'),
    versions: catalog.table('version'),
    aliases: catalog.table('alias'),
    triggers: catalog.table('trigger'),
    asyncConfigs: catalog.table('async'),
    provisionConfigs: catalog.table('provision'),
    scalingConfigs: catalog.table('scaling'),
    concurrency: catalog.table('concurrency'),
    vpcBindings: catalog.table('vpc'),
    domains: catalog.table('domain'),
    layers: catalog.table('layer'),
    layerHeads: catalog.table('layer-head'),
    tags: catalog.table('tag'),
  }
}

/** Path of a numbered record: numbers sort as text when they are of one length. */
export function numbered(version: number | string): string {
  return String(version).padStart(10, '0')
}
